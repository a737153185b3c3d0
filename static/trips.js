import { by_id, make, set_text } from "./page.js";
import { format_clock, format_day, format_decimal } from "./format.js";
import { TRIPS_SHOWN } from "./state.js";

/** The newest trips: all rows that there can be are made once, so that nothing moves when trips come. */

const rows = Array.from({ length: TRIPS_SHOWN }, () => {
  const cells = ["time", "route", "status", "num", "num"].map((name) => make("td", name));
  return make("tr", "", ...cells);
});
by_id("trips").append(...rows);

/** The list as it was when its button was pressed; null while it moves. */
let held = null, newest = [];

const hold = by_id("hold");
hold.addEventListener("click", () => {
  held = held === null ? newest : null;
});

/** Shows trips, newest first, or the ones that are held and how many came since. */
export function show_trips(trips, zone, now_ms) {
  newest = trips;
  const waiting = held === null ? 0 : trips.filter((trip) => trip.position > (held[0]?.position ?? 0)).length;
  const more = waiting === 0 ? "" : ` (${waiting}${waiting === TRIPS_SHOWN ? "+" : ""} new)`;
  hold.setAttribute("aria-pressed", held !== null);
  set_text(hold, held === null ? "Pause list" : `Resume list${more}`);
  const list = held ?? trips;
  rows.forEach((row, i) => {
    row.hidden = i >= list.length;
    if (!row.hidden) show_row(row, list[i], zone, now_ms);
  });
}

function show_row(row, { trip_id, status, at_ms, city, pickup_zone, dropoff_zone, distance_km, fare }, zone, now_ms) {
  const [time, route, state, distance, amount] = row.children;
  const day = at_ms === null ? "" : format_day(at_ms, zone, now_ms);
  const clock = at_ms === null ? "–" : format_clock(at_ms, zone, true);
  row.dataset.trip = trip_id;
  row.dataset.status = status;
  set_text(time, day === format_day(now_ms, zone, now_ms) ? clock : day.replace(/^\w+ /, "") || clock);
  // One text: parts of it would be seen to shift.
  const from = /^\d+$/.test(pickup_zone) && city !== null ? `${city} ${pickup_zone}` : pickup_zone ?? city;
  set_text(route, `${from ?? "unknown"} → ${dropoff_zone ?? "unknown"}`);
  set_text(state, status.replaceAll("_", " "));
  set_text(distance, distance_km === null ? "–" : format_decimal(distance_km, 1));
  set_text(amount, fare === null ? "–" : format_decimal(fare, 2));
}
