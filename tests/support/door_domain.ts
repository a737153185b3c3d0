import { define_domain, ONE, TEXT, TIME } from "../../src/domains/mod.ts";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { message } from "./trip_pipeline.ts";

/** Openings of doors, counted per door: a whole domain. The tables are its migration. */
export const doors = define_domain({
  name: "doors",
  tables: { states: "doors", cells: "door_cells", totals: null, sketches: null },
  noun: "door",
  stream_column: "door_id",
  event_types: ["door.opened"],
  fields: {
    door: { type: TEXT, in: ["door.opened"], required: true },
    opened_us: { type: TIME },
  },
  derived: {},
  fold: (state, { payload, occurred_at_us }) => ({
    ...state,
    ...payload,
    opened_us: Math.max(state.opened_us ?? -Infinity, occurred_at_us),
  }),
  dimensions: [{ name: "door", column: "door", grains: ["1h", "all"] }],
  measures: [{ name: "doors", kind: "count" }],
  facts: [{ at: ["opened_us"], adds: { doors: ONE } }],
  board: {
    words: {
      many: "doors",
      path: "/doors/",
      cards: [{ name: "doors", label: "Doors", how: "At the last opening.", main: true }],
      charts: [],
      panels: ["door"],
      dimensions: {},
      first_event: { type: "door.opened" },
      first_filter: "door",
      list: { title: "Latest doors", time: "at_ms", mark: "door", marks: {}, over: "", columns: [] },
      breakdowns_how: "Doors by name.",
      computed_how: "Nothing is.",
    },
    whole: { dimension: "all", key: "all" },
    figures: { doors: { kind: "total", unit: "count", measure: "doors", per: 1 } },
    series: ["doors"],
    compared_series: [],
    cards: [{ name: "doors", figure: "doors" }],
    now: { dimension: "door", measure: "doors" },
    breakdowns: [{ dimension: "door", count: "doors" }],
    states_breakdowns: [],
    default_count: "doors",
    breakdown_row: { count: "doors", amount: "doors" },
    lines: {
      event: "door",
      list: "doors",
      fields: ["door"],
    },
  },
});

/** Its migration. */
export const DOOR_TABLES = `
  create table doors (
    door_id text primary key, revision integer, door text, opened_at timestamptz, last_occurred_at timestamptz, last_event_id text,
    positions bigint[], event_hashes bigint[]
  );
  create table door_cells (
    grain text, bucket timestamptz, dimension text, key text, doors bigint not null default 0, last_position bigint, first_position bigint,
    constraint door_cells_pkey primary key (grain, dimension, bucket, key)
  );`;

/** Openings as messages: door id, event id, the door's name, and a time of 2026-03-01. Their place gives them their offset. */
export function door_events(...openings: readonly (readonly [string, string, unknown, string])[]): SourceMessage[] {
  return openings.map(([door_id, event_id, door, at]) =>
    message(0, { door_id, event_id, type: "door.opened", occurred_at: `2026-03-01T${at}:00Z`, door })
  );
}
