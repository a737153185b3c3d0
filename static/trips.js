import { by_id, make, set_text } from "./page.js";
import { format_clock, format_day, format_decimal } from "./format.js";

/** The newest trips: all rows that there can be are made once, so that nothing moves when trips come. */

const ROWS = 40;

const rows = Array.from({ length: ROWS }, () => {
  // The panels hold the same keys: here they are for the mouse, so that Tab goes from trip to trip.
  const key = (dimension) => {
    const button = make("button");
    button.dataset.dimension = dimension;
    button.tabIndex = -1;
    return button;
  };
  const cells = [[key("status"), make("a")], [key("pickup_zone")], [key("dropoff_zone")], [], []];
  const names = ["time", "", "", "num", "num"];
  return make("tr", "", ...cells.map((parts, i) => make("td", names[i], ...parts)));
});
by_id("trips").append(...rows);

const find = by_id("find");

/** Shows trips, newest first, or the ones that are held and how many came since; of them those that hold the words. */
export function show_trips({ trips, held_trips: held, zone, now_ms, theme }) {
  const from = held?.[0]?.position ?? 0;
  const waiting = held === null ? 0 : trips.filter((trip) => trip.position > from).length;
  const hold = by_id("hold");
  hold.ariaPressed = `${held !== null}`;
  set_text(hold, held === null ? "Pause list" : waiting === 0 ? "Resume list" : `Resume list: ${waiting} new`);
  const words = find.value.trim().toLowerCase();
  const holds = (trip) => Object.values(trip).join(" ").replaceAll("_", " ").toLowerCase().includes(words);
  const list = (held ?? trips).filter((trip) => words === "" || holds(trip));
  set_text(by_id("none_found"), words !== "" && list.length === 0 ? `not in the newest ${trips.length} trips` : "");
  const query = theme === null ? "" : `?theme=${theme}`;
  rows.forEach((row, i) => {
    row.hidden = i >= list.length;
    if (!row.hidden) show_row(row, list[i], zone, now_ms, query);
  });
}

function show_row(row, trip, zone, now_ms, query) {
  const { trip_id, status, at_ms, city, distance_km, fare } = trip;
  const [time, from, to, distance, amount] = row.children;
  const [mark, link] = time.children;
  const day = at_ms === null ? "" : format_day(at_ms, zone, now_ms);
  const clock = at_ms === null ? "–" : format_clock(at_ms, zone, true);
  Object.assign(row.dataset, { trip: trip_id, status });
  set_text(link, day === format_day(now_ms, zone, now_ms) ? clock : day.replace(/^\w+ /, "") || clock);
  link.href = `/trips/${encodeURIComponent(trip_id)}${query}`;
  link.title = `Trip ${trip_id}`;
  const state = status.replaceAll("_", " ");
  mark.dataset.key = status;
  mark.title = mark.ariaLabel = state;
  for (const [cell, key] of [[from, trip.pickup_zone], [to, trip.dropoff_zone]]) {
    const button = cell.firstChild;
    button.dataset.key = key ?? "unknown";
    // A zone that is only a number is named with its city.
    set_text(button, /^\d+$/.test(key) && city !== null ? `${city} ${key}` : key ?? "unknown");
    button.title = button.textContent;
  }
  set_text(distance, distance_km === null ? "–" : format_decimal(distance_km, 1));
  // A trip without a fare says in its place why it has none.
  set_text(amount, fare !== null ? format_decimal(fare, 2) : status === "completed" ? "–" : state);
}
