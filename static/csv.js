import { compared_name } from "./address.js";
import { zone_offset_s } from "./format.js";

/** Tables as CSV (RFC 4180: commas, CRLF, quotes doubled), and what goes into them. Pure. */

/**
 * A table with a head. Unknown (null) is empty. A text that a spreadsheet would take for a formula (it begins with = + - @, tab or a line
 * end) gets an apostrophe before it; numbers are left as they are. The mark at the start tells spreadsheets that the text is UTF-8.
 */
export function csv_of(head, rows) {
  return `\ufeff${[head, ...rows].map((row) => `${row.map(cell_of).join(",")}\r\n`).join("")}`;
}

function cell_of(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** "2026-03-08T01:30:00-05:00": a moment in a zone, RFC 3339 to the second. */
export function format_rfc3339(ms, zone) {
  const offset_s = zone_offset_s(ms / 1000, zone);
  const wall = new Date(Math.floor(ms / 1000) * 1000 + offset_s * 1000).toISOString().slice(0, 19);
  if (zone === "UTC") return `${wall}Z`;
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const size = Math.abs(offset_s);
  return `${wall}${offset_s < 0 ? "-" : "+"}${two(size / 3_600)}:${two(size % 3_600 / 60)}`;
}

/** "city=Bronx or Queens; not status=unknown": a filter as the feed tells it, [{dimension, keys, excluded}]. */
export function tell_filter(filter) {
  return filter.map(({ dimension, keys, excluded }) => `${excluded ? "not " : ""}${dimension}=${keys.join(" or ")}`)
    .join("; ");
}

/** What every row says about the whole: the same columns in every file. */
function context_of({ board, view, zone, currency, now_ms, address }) {
  const { filter = [], as_of = null, time_zone: business_zone } = board.hello;
  const at = (ms) => format_rfc3339(ms, zone);
  return {
    range_from: at(view.from_s * 1000),
    range_to: at(view.to_s * 1000),
    zone,
    business_zone,
    currency,
    comparison: compared_name(address.compare),
    filter: tell_filter(filter),
    as_of_position: board.position,
    as_of: as_of === null ? at(now_ms) : at(as_of.recorded_ms),
  };
}

function table_of(sight, rows, context = context_of(sight)) {
  const head = Object.keys(rows[0] ?? {});
  return csv_of(
    [...head, ...Object.keys(context)],
    rows.map((row) => [...Object.values(row), ...Object.values(context)]),
  );
}

/** The buckets that the charts show, oldest first. */
export function series_csv(sight) {
  const { columns, view, zone, declared: { series, compared_series } } = sight;
  const compared = compared_series.map((name) => `compared_${name}`);
  return table_of(
    sight,
    columns.x.flatMap((t, i) => {
      if (t < view.from_s || t >= view.to_s) return [];
      const revised_ms = columns.revised_ms[i];
      return [{
        time: format_rfc3339(t * 1000, zone),
        time_end: format_rfc3339(columns.ends[i] * 1000, zone),
        ...Object.fromEntries([...series, ...compared].map((name) => [name, columns[name][i]])),
        running: i === columns.running,
        corrected: revised_ms > 0 ? format_rfc3339(revised_ms, zone) : null,
      }];
    }),
  );
}

/** The rows of the breakdowns; the row of all others has an empty key. */
export function breakdowns_csv(sight) {
  return table_of(
    sight,
    sight.board.breakdowns.flatMap(({ dimension, total_keys, rows }) =>
      rows.map(({ key, ...row }) => ({ dimension, key, all_others: key === null, ...row, total_keys }))
    ),
  );
}

/** The list as it stands: it is of any time, so no range is told of it. */
export function list_csv(sight) {
  const { time } = sight.declared.list;
  const { range_from: _from, range_to: _to, comparison: _comparison, ...context } = context_of(sight);
  const rows = sight.listed.map(({ [time]: at_ms, position, ...stream }) => ({
    time: at_ms === null ? null : format_rfc3339(at_ms, sight.zone),
    ...stream,
    position,
  }));
  return table_of(sight, rows, context);
}

/** "tacho_series_2026-03-01T1000_to_2026-03-01T1100": what a file is called, by range and what it holds; of the list by what it is as of. */
export function file_name(what, { view, zone, board, declared }) {
  const at = (s) => format_rfc3339(s * 1000, zone).slice(0, 16).replace(":", "");
  return `tacho_${what}_${
    what === declared.list.name ? `as_of_${board.position}` : `${at(view.from_s)}_to_${at(view.to_s)}`
  }`;
}
