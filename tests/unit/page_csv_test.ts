import assert from "node:assert/strict";
import Papa from "papaparse";
import {
  breakdowns_csv,
  csv_of,
  file_name,
  format_rfc3339,
  list_csv,
  series_csv,
  tell_filter,
} from "../../static/export.js";
import { columns_of } from "../../static/series.js";
import { parse_address } from "../../static/address.js";
import { apply_frame, empty_board } from "../../static/state.js";
import { busy_hello_of } from "../support/busy_frames.ts";
import { DECLARED } from "../support/page_frames.ts";

function rows_of(text: string): Record<string, string>[] {
  return Papa.parse(text, { header: true, skipEmptyLines: true }).data;
}

Deno.test("CSV is RFC 4180, and what a text holds comes back", () => {
  const hard = ['a "quoted" word', "a,b", "two\r\nlines", "plain", "déjà vu"];
  const text = csv_of(["text", "n"], hard.map((each, i) => [each, i]));
  assert.ok(text.startsWith("\ufefftext,n\r\n") && text.endsWith("\r\n"));
  assert.deepEqual(rows_of(text).map(({ text }) => text), hard);
  assert.equal(csv_of(["a", "b"], [[null, undefined], [0, false]]), "\ufeffa,b\r\n,\r\n0,false\r\n");
});

Deno.test("no text becomes a formula, and numbers stay numbers", () => {
  const evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"];
  const told = rows_of(csv_of(["text"], evil.map((text) => [text]))).map(({ text }) => text);
  assert.deepEqual(told, evil.map((text) => `'${text}`));
  assert.equal(csv_of(["n"], [[-1.5]]), "\ufeffn\r\n-1.5\r\n");
  assert.match(csv_of(['=HYPERLINK("x")'], []), /^\ufeff"'=HYPERLINK/);
});

Deno.test("times are RFC 3339 in the zone of the page, also where an hour comes twice", () => {
  const first = Date.UTC(2026, 10, 1, 5, 30), zone = "America/New_York";
  assert.equal(format_rfc3339(first, zone), "2026-11-01T01:30:00-04:00");
  assert.equal(format_rfc3339(first + 3_600_000, zone), "2026-11-01T01:30:00-05:00");
  assert.equal(format_rfc3339(first, "Asia/Kathmandu"), "2026-11-01T11:15:00+05:45");
  assert.equal(format_rfc3339(first + 999, "UTC"), "2026-11-01T05:30:00Z");
  for (const each of [zone, "Asia/Kathmandu", "UTC", "Australia/Lord_Howe"]) {
    assert.equal(Date.parse(format_rfc3339(first, each)), first);
  }
});

const now_s = Date.UTC(2026, 10, 20, 19, 37, 20) / 1000;
const window = { from_s: now_s - 20 - 21_000, to_s: now_s - 20 + 180, step_s: 300, now_s };

function sight_of(fields: Record<string, unknown> = {}) {
  const board = apply_frame(empty_board(), "hello", busy_hello_of(window, fields), now_s * 1000, DECLARED.list);
  const drawn = { from_s: window.from_s, to_s: window.to_s, step_s: 300, running_s: Math.floor(now_s / 300) * 300 };
  return {
    declared: DECLARED,
    board,
    columns: columns_of(board, drawn, DECLARED),
    view: drawn,
    zone: "Asia/Kathmandu",
    currency: "USD",
    now_ms: now_s * 1000,
    listed: board.streams,
    address: { ...parse_address("", DECLARED), compare: "previous" },
  };
}

Deno.test("the figures of the charts are exported as they are shown, and every row says of what", () => {
  const filter = [{ dimension: "city", keys: ["Bronx", "Queens"], excluded: false }, {
    dimension: "status",
    keys: ["unknown"],
    excluded: true,
  }];
  const sight = sight_of({ filter, as_of: { position: 10, recorded_ms: now_s * 1000 - 5_000, head: 12 } });
  const rows = rows_of(series_csv(sight));
  assert.equal(rows.length, sight.columns.x.length);
  const [first] = rows;
  assert.equal(Date.parse(first?.time ?? ""), window.from_s * 1000);
  assert.match(first?.time ?? "", /\+05:45$/);
  assert.equal(Number(first?.completed), sight.columns.completed[0]);
  assert.equal(Number(first?.compared_completed), sight.columns.compared_completed[0]);
  assert.equal(first?.filter, "city=Bronx or Queens; not status=unknown");
  assert.equal(tell_filter(filter), first?.filter);
  assert.deepEqual(
    [first?.zone, first?.business_zone, first?.comparison, first?.as_of_position, first?.currency],
    ["Asia/Kathmandu", "America/New_York", "previous period", "10", "USD"],
  );
  assert.equal(Date.parse(first?.as_of ?? ""), now_s * 1000 - 5_000);
  assert.deepEqual(rows.map(({ running }) => running).indexOf("true"), sight.columns.running);
  assert.equal(Date.parse(rows[9]?.corrected ?? ""), sight.columns.revised_ms[9]);
  assert.equal(rows[0]?.corrected, "");
  assert.doesNotMatch(series_csv(sight), /NaN|undefined|null/);
});

Deno.test("what is not known is empty, and a stretch exports its own rows", () => {
  const sight = sight_of({
    reached_ms: (window.from_s + 3_000) * 1000,
    series: busy_hello_of({ ...window, now_s: window.from_s + 3_000 }).series,
  });
  assert.equal(rows_of(series_csv(sight)).at(-1)?.completed, "");
  const view = { from_s: window.from_s + 600, to_s: window.from_s + 1_500 };
  assert.equal(rows_of(series_csv({ ...sight, view })).length, 3);
  assert.equal(
    file_name("series", { view, zone: "UTC", board: { position: 7 }, declared: DECLARED }),
    "tacho_series_2026-11-20T1357_to_2026-11-20T1412",
  );
  assert.equal(
    file_name("trips", { view, zone: "UTC", board: { position: 7 }, declared: DECLARED }),
    "tacho_trips_as_of_7",
  );
});

Deno.test("breakdowns and trips are exported as listed, free texts made harmless", () => {
  const board = sight_of();
  const [trip] = board.listed;
  const evil = { ...trip, pickup_zone: "=cmd|' /C calc'!A0", at_ms: null };
  assert.equal(rows_of(list_csv({ ...board, listed: [evil] }))[0]?.pickup_zone, "'=cmd|' /C calc'!A0");
  assert.equal(rows_of(list_csv({ ...board, listed: [evil] }))[0]?.time, "");
  const rows = rows_of(breakdowns_csv(board));
  assert.deepEqual(rows.filter(({ all_others }) => all_others === "true").map(({ key }) => key), ["", ""]);
  assert.equal(rows.length, board.board.breakdowns.flatMap((each: { rows: unknown[] }) => each.rows).length);
});
