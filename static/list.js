import { by_id, set_text } from "./page.js";

/** The list of the latest trips, held still or searched. */

const find = by_id("find"), hold = by_id("hold");
/** The trips as they were when the list was held; null while it moves. */
let held = null;

/** Holds the list, or lets it go. */
export function toggle_hold(page) {
  held = held === null ? page.shown.trips : null;
  page.draw_soon();
}

/** Lets it go: another view has other trips. */
export function release() {
  held = null;
}

/** The trips to show: the held ones, of them those that hold the words; the button says how many came since. */
export function listed(trips) {
  const from = held?.[0]?.position ?? 0;
  const waiting = held === null ? 0 : trips.filter((trip) => trip.position > from).length;
  hold.ariaPressed = `${held !== null}`;
  set_text(hold, held === null ? "Pause list" : waiting === 0 ? "Resume list" : `Resume list: ${waiting} new`);
  const words = find.value.trim().toLowerCase();
  const holds = (trip) => Object.values(trip).join(" ").replaceAll("_", " ").toLowerCase().includes(words);
  const found = (held ?? trips).filter((trip) => words === "" || holds(trip));
  set_text(by_id("list_note"), words !== "" && found.length === 0 ? `not in the newest ${trips.length} trips` : "");
  return found;
}
