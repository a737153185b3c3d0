import { field, form, input, open_dialog } from "./dialog.js";
import { make } from "./page.js";
import { from_wall, to_wall } from "./wall_time.js";

/** The editor of a range with two ends of its own, on the clocks of the page. */

const LONGEST_DAYS = 400;

/** What is wrong with two ends, in words; "" when nothing is. Pure. */
export function fault_of(from_ms, to_ms) {
  if (from_ms === null || to_ms === null) return "Both ends are needed: day and time.";
  if (from_ms >= to_ms) return "The range ends before it begins.";
  return to_ms - from_ms > LONGEST_DAYS * 86_400_000 ? `At most ${LONGEST_DAYS} days.` : "";
}

/** Opens it. */
export function open(page, go) {
  const zone = page.zone();
  const { from_s, to_s } = page.shown;
  const end = (s) =>
    input({
      type: "datetime-local",
      required: true,
      value: s === undefined ? "" : to_wall(s * 1_000, zone).slice(0, 16),
    });
  const [from, to] = [end(from_s), end(to_s)];
  const told = make("p", "fault");
  told.role = "alert";
  const body = form(
    () => {
      const [from_ms, to_ms] = [from, to].map(({ value }) => from_wall(value, zone));
      const fault = fault_of(from_ms, to_ms);
      told.textContent = fault;
      if (fault !== "") return;
      go(page, { range: null, from_ms, to_ms, paused: false });
      dialog.close();
    },
    "Show",
    make("div", "line", field("From", from), field("To", to)),
    told,
  );
  const dialog = open_dialog("Range", make("p", "sub", `Times of ${zone}. Ends are widened to whole buckets.`), body);
}
