import { by_id, make, plain, set_text } from "./page.js";
import { format_clock, format_day, format_decimal, format_since } from "./format.js";

/** The newest trips, in rows that are made once, so that nothing moves when trips come. */

const rows = Array.from({ length: 40 }, () => {
  // For the mouse: Tab goes from trip to trip.
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

/** Shows trips. Links to them keep zone and theme. */
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
  Object.assign(row.dataset, { trip: trip_id, status: status.replace("void", "cancel") });
  const moment = at_ms === null ? "–" : moment_of(at_ms, zone, now_ms);
  set_text(link, moment);
  link.className = moment.length > 8 ? "other" : "";
  link.href = `/trips/${encodeURIComponent(trip_id)}?${query}`.replace(/\?$/, "");
  link.title = plain(`Trip ${trip_id}`);
  const state = status.replaceAll("_", " ");
  mark.dataset.key = status;
  mark.title = mark.ariaLabel = state;
  for (const [cell, key] of [[from, trip.pickup_zone], [to, trip.dropoff_zone]]) {
    const button = cell.firstChild;
    button.dataset.key = key ?? "unknown";
    set_text(button, /^\d+$/.test(key) && city !== null ? `${city} ${key}` : key ?? "unknown");
    button.title = button.textContent;
  }
  const unknown = status === "completed" ? "–" : "";
  set_text(distance, distance_km === null ? unknown : format_decimal(distance_km, 1));
  set_text(amount, fare !== null ? format_decimal(fare, 2) : unknown || state);
}

/** "10:31:05" today, "21 Nov 10:31" on another day. */
function moment_of(ms, zone, now_ms) {
  const today = format_day(ms, zone, now_ms) === format_day(now_ms, zone, now_ms);
  return `${today ? "" : `${format_since(ms, zone, now_ms)} `}${format_clock(ms, zone, today)}`;
}
