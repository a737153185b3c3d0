/**
 * What the reader puts on the charts, as the address says it: `lines`, `tz`, `limit`, `note`, `kiosk`. Limits and notes stay
 * texts here: marks.js reads them, which loads when there are any. Pure.
 */

export { zone_of } from "./plain_address.js";

/** What the upper chart can show, in the order of the legend; `compared` is the comparison, in both charts. */
export const LINES = ["completed", "started", "canceled", "compared"];
/** What it shows by itself. */
export const SHOWN = ["completed", "compared"];

/** Reads {lines, tz, limits, notes, kiosk}; what is not understood becomes the default, `tz` null is the business zone. */
export function parse_marks(params) {
  const lines = params.get("lines"), tz = params.get("tz");
  const named = LINES.filter((line) => lines?.split(",").includes(line));
  return {
    lines: lines === "none" || named.length > 0 ? named : SHOWN,
    tz: tz === "local" || is_zone(tz) ? tz : null,
    limits: params.getAll("limit"),
    notes: params.getAll("note"),
    kiosk: params.get("kiosk") === "1",
  };
}

/** Writes what differs from the default, as pairs of a query. */
export function format_marks({ lines, tz, limits, notes, kiosk }) {
  return [
    ...lines.join() === SHOWN.join() ? [] : [["lines", lines.join() || "none"]],
    ...tz === null ? [] : [["tz", tz]],
    ...limits.map((text) => ["limit", text]),
    ...notes.map((text) => ["note", text]),
    ...kiosk ? [["kiosk", "1"]] : [],
  ];
}

/** Whether a text names a zone of the IANA database. */
export function is_zone(text) {
  try {
    return /^[a-z]/i.test(text ?? "") && new Intl.DateTimeFormat("en", { timeZone: text }) !== null;
  } catch {
    return false; // How Intl says no.
  }
}

/** What a comparison is called. */
export function compared_name(compare) {
  return compare === "previous" ? "previous period" : "same weekday";
}
