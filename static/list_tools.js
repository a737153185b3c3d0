import { by_id, declared, set_text } from "./page.js";

/** The list of the newest streams, held still or searched. */

const find = by_id("find"), hold = by_id("hold");
/** The streams as they were when the list was held; null while it moves. */
let held = null;

/** Holds the list, or lets it go. */
export function toggle_hold(page) {
  held = held === null ? page.shown.streams : null;
  page.draw_soon();
}

/** Lets it go: another view has others. */
export function release() {
  held = null;
}

/** The streams to show: the held ones, of them those that hold the words; the button says how many came since. */
export function listed(streams) {
  const from = held?.[0]?.position ?? 0;
  const waiting = held === null ? 0 : streams.filter(({ position }) => position > from).length;
  hold.ariaPressed = `${held !== null}`;
  set_text(hold, held === null ? "Pause list" : waiting === 0 ? "Resume list" : `Resume list: ${waiting} new`);
  const words = find.value.trim().toLowerCase();
  const holds = (stream) => Object.values(stream).join(" ").replaceAll("_", " ").toLowerCase().includes(words);
  const found = (held ?? streams).filter((stream) => words === "" || holds(stream));
  set_text(
    by_id("list_note"),
    words !== "" && found.length === 0 ? `not in the newest ${streams.length} ${declared.many}` : "",
  );
  return found;
}
