import { parse_address, view_query } from "./address.js";
import { write_address } from "./address_line.js";
import { compared_name } from "./marks_address.js";
import { by_id, set_text } from "./page.js";

/** The controls when the address has parameters; without, they are as index.html has them. */

/** Looks at what the browser's address says. */
export function arrive(page) {
  page.address = parse_address(location.search);
  show_controls(page);
  page.look();
  // What was not understood does not stay in it.
  write_address(page.address, "replaceState");
}

/** Asks for what the address says: live from the feed, or once as of then. */
export function ask(page) {
  const { address, feed, need } = page;
  if (address.as_of === null) return feed.open(view_query(address));
  feed.close();
  need("time_travel", ({ read_board }) => read_board(page));
}

/** Which controls are on. */
export function show_controls({ address: { range, from_ms, to_ms, as_of, lines, compare, paused } }) {
  const live = as_of === null;
  const press = (selector, is_on) =>
    document.querySelectorAll(selector).forEach((button) => button.ariaPressed = `${is_on(button.dataset)}`);
  press("[data-range]", (data) => data.range === range);
  press("[data-shows]", (data) => lines.includes(data.shows));
  press("#custom", () => from_ms !== null);
  press("#live", () => live && !paused && to_ms === null);
  press("#pause", () => live && paused);
  set_text(by_id("compared"), compared_name(compare));
  by_id("pause").disabled = !live;
  by_id("back").hidden = !live || to_ms === null;
  by_id("later").disabled = live && to_ms === null;
}
