import { LAST } from "./address.js";
import { format_count } from "./format.js";
import { by_id, declared, make, set_text } from "./page.js";

/** The board by arrival: what it is of, in words, and the choice of the newest events beside the ranges. */

let last_button, note, told = null;

/** What a board by arrival is of, in words; `last` is asked for, null of a range. Pure. */
export function note_of(last, arrived, as_of, { one, many }) {
  if (arrived === null) return "By arrival";
  const events = (n) => `${format_count(n)} event${n === 1 ? "" : "s"}`;
  const { events: found } = arrived;
  const then = as_of === null ? "" : " of then";
  const which = last === null
    ? `what was recorded in this range, ${events(found)}`
    : found < last
    ? found === 1 ? "the only event there is" : `all ${events(found)} there are${then}`
    : found === 1
    ? `the newest event${then}`
    : `the ${format_count(found)} newest events${then}`;
  return `By arrival: ${which}. Figures are of the ${many} whose newest event is among them; ` +
    `each ${one} counts, with all that it tells, when that event came.`;
}

let own_subs = null;

/** By which time a chart's buckets are, in its words: those that are declared are of event time. */
function name_time(on) {
  own_subs ??= declared.charts.map(({ sub, picture_sub }) => ({ sub, picture_sub }));
  const words = (text) => on ? text?.replace(/, by [a-z ]+ time$/, ", by arrival") : text;
  declared.charts.forEach((chart, i) => {
    for (const name of ["sub", "picture_sub"]) chart[name] = words(own_subs[i][name]);
  });
}

/** Shows it, or takes it away. */
export function show_arrival({ address: { order, last = null, as_of, range, from_ms }, shown }) {
  const on = order !== undefined;
  name_time(on);
  set_text(by_id("arrival"), on ? "By event time" : "By arrival");
  last_button ??= Object.assign(make("button"), { id: "last_events" });
  note ??= Object.assign(make("p", "sub"), { id: "by_arrival" });
  if (!on) {
    last_button.remove();
    note.remove();
  } else {
    if (!last_button.isConnected) document.querySelector(".ranges").prepend(last_button);
    if (!note.isConnected) by_id("computed").before(note);
    set_text(last_button, `Last ${last ?? LAST}`);
    last_button.ariaPressed = `${last !== null}`;
    const { hello } = shown;
    // Until its own board is there the old one is in sight, and says nothing of this.
    if (hello === null || hello.order === "arrival") {
      set_text(note, note_of(last, shown.arrived ?? null, as_of, declared));
    }
  }
  const view = on ? `By arrival: ${last === null ? "a range" : `the last ${last} events`}` : "By event time";
  const key = [on, last, range, from_ms].join();
  if (told !== null && told !== key || told === null && on) set_text(by_id("announcer"), view);
  told = key;
}
