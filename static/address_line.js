import { view_query } from "./address.js";
import { format_marks } from "./marks_address.js";
import { PLAIN } from "./plain_address.js";

/** The address as it is written. */

/** Writes an address without what is the default: "" or "?...". `parse_address` reads it back. */
export function format_address(address) {
  const { range, to_ms, paused, theme } = address;
  const pairs = view_query(address);
  if (range === PLAIN.range && to_ms === null) pairs.shift();
  if (paused) pairs.push(["paused", "1"]);
  if (theme !== null) pairs.push(["theme", theme]);
  pairs.push(...format_marks(address));
  const query = new URLSearchParams(pairs).toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  return query === "" ? "" : `?${query}`;
}

/** Shows an address in the browser: `how` is "pushState" or "replaceState". */
export function write_address(address, how) {
  const search = format_address(address);
  if (search !== location.search) history[how](null, "", location.pathname + search);
  keep_place();
}

/** Keeps where the board is, for the way back from the page of a trip. */
export function keep_place() {
  try {
    sessionStorage.setItem("tacho-board", location.search);
  } catch (error) {
    console.info("keep the board's address: this browser stores nothing", error);
  }
}
