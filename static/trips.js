import { by_id, make, set_text } from "./page.js";
import { format_clock, format_day, format_decimal } from "./format.js";

/** The newest trips, in rows that are made once, so that nothing moves when trips come. */

const rows = Array.from({ length: 40 }, () => {
  // The panels hold the same keys: here they are for the mouse, so that Tab goes from trip to trip.
  const key = (dimension) => {
    const button = make("button");
    button.dataset.dimension = dimension;
    button.tabIndex = -1;
    return button;
  };
  const cells = [[key("status"), make("a")], [key("pickup_zone")], [key("dropoff_zone")], [], []];
  return make("tr", "", ...cells.map((parts, i) => make("td", ["time", "", "", "num", "num"][i], ...parts)));
});
by_id("trips").append(...rows);

/** Shows trips, newest first. Links to them keep the zone and the theme of the address. */
export function show_trips(trips, { zone, now_ms, address }) {
  const kept = ["tz", "theme"].filter((name) => address[name] !== null).map((name) => [name, address[name]]);
  rows.forEach((row, i) => {
    row.hidden = i >= trips.length;
    if (!row.hidden) show_row(row, trips[i], zone, now_ms, new URLSearchParams(kept));
  });
}

function show_row(row, trip, zone, now_ms, query) {
  const { trip_id, status, at_ms, city, distance_km, fare } = trip;
  const [time, from, to, distance, amount] = row.children;
  const [mark, link] = time.children;
  const day = at_ms === null ? "" : format_day(at_ms, zone, now_ms);
  const clock = at_ms === null ? "–" : format_clock(at_ms, zone, true);
  Object.assign(row.dataset, { trip: trip_id, status });
  set_text(
    link,
    day === format_day(now_ms, zone, now_ms) ? clock : day.replace(/^\w+ /, "").replace(/\d\d(\d\d)$/, "’$1") || clock,
  );
  link.href = `/trips/${encodeURIComponent(trip_id)}?${query}`.replace(/\?$/, "");
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
  const unknown = status === "completed" ? "–" : "";
  set_text(distance, distance_km === null ? unknown : format_decimal(distance_km, 1));
  // A trip without a fare says in its place why it has none.
  set_text(amount, fare !== null ? format_decimal(fare, 2) : unknown || state);
}
