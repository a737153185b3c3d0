import { count_of, declaration_of, type DomainBoard } from "../../src/domains/mod.ts";
import { health_of } from "./page_frames.ts";

/** A board of parcels, which no part of the program knows: ten fields, two dimensions, one chart of each kind. */

const text = (name: string) => ({ name, sql: `states.${name}`, kind: "text", per: 1 } as const);
const number = (name: string, per: number) => ({ name, sql: `states.${name}`, kind: "number", per } as const);

export const parcels_board: DomainBoard = {
  words: {
    many: "parcels",
    path: "/parcels/",
    cards: [
      {
        name: "delivered",
        label: "Delivered",
        how: "At the signature.",
        better: 1,
        base: "delivered",
        spark: ["delivered"],
        beneath: ["{lost?} lost"],
        main: true,
      },
      { name: "lost", label: "Lost", how: "Given up.", better: -1, share_with: "delivered", beside: ["{share?}"] },
      {
        name: "postage",
        label: "Postage",
        how: "Of what was delivered.",
        better: 0,
        base: "delivered",
        spark: ["postage"],
        beside: ["{currency}"],
      },
      { name: "busiest", label: "Busiest", how: "The depot with most.", top: ["depot", "carrier"] },
    ],
    charts: [
      {
        name: "parcels",
        title: "Parcels delivered",
        sub: "per {step}",
        kind: "lines",
        lines: [{ name: "delivered", colour: 1, shown: true }, { name: "lost", colour: 4 }],
        compared: "delivered",
        least: 4,
      },
      {
        name: "postage",
        title: "Postage",
        sub: "{currency} per {step}",
        kind: "bars",
        lines: [{ name: "postage", colour: 2 }],
        compared: "postage",
        least: 10,
      },
      {
        name: "weight",
        title: "Weight",
        sub: "kg per {step}",
        kind: "lines",
        lines: [{ name: "weight", colour: 3 }],
        compared: "delivered",
        least: 1,
      },
    ],
    panels: ["carrier", "depot"],
    dimensions: {
      depot: { label: "depot", bare: "Depot" },
      state: { label: "state", keys: ["on_its_way", "delivered"] },
    },
    first_event: { type: "parcel.delivered" },
    first_filter: "carrier",
    list: {
      title: "Latest parcels",
      time: "at_ms",
      mark: "state",
      marks: { on_its_way: "half" },
      over: "delivered",
      columns: [
        { label: "carrier", key: "carrier" },
        { label: "kg", number: "weight", digits: 1 },
        { label: "postage", number: "postage", digits: 2, or_mark: true },
      ],
    },
    breakdowns_how: "Delivered parcels and their postage.",
    stream: {
      events: { "parcel.delivered": ["Delivered", "delivery"] },
      moments: [["at", "delivery"]],
      story: [{ when: { is: { state: "delivered" } }, lead: "Delivered", text: "{at}[ to {receiver}][ for {sender}]" }],
      figures: [{ field: "postage", notes: [{ text: "[{postage/weight:2} a kilo]" }] }],
    },
    computed_how: "What is not kept ready is computed from the parcels.",
  },
  tables: { states: "parcels", cells: "parcel_cells", totals: null, sketches: null },
  noun: "parcel",
  stream_column: "parcel_id",
  fields: [
    { name: "state", column: "state", kind: "text", per: 1, values: null, always: true, says: null },
    { name: "at", column: "at", kind: "time", per: 1, values: null, always: false, says: null },
    { name: "carrier", column: "carrier", kind: "text", per: 1, values: null, always: false, says: null },
    { name: "sender", column: "sender", kind: "text", per: 1, values: null, always: false, says: null },
    { name: "receiver", column: "receiver", kind: "text", per: 1, values: null, always: false, says: null },
    { name: "weight", column: "weight", kind: "number", per: 1, values: null, always: false, says: null },
    {
      name: "postage",
      column: "postage_micros",
      kind: "amount",
      per: 1_000_000,
      values: null,
      always: false,
      says: null,
    },
  ],
  whole: { dimension: "none", key: "all" },
  dimensions: [
    { name: "none", column: null, grains: ["1m", "all"] },
    { name: "carrier", column: "carrier", grains: ["1m", "all"] },
    { name: "depot", column: "depot", grains: ["1m", "all"] },
    { name: "state", column: "state", grains: ["1m", "all"] },
  ],
  measures: [{ name: "delivered", kind: "count" }, { name: "lost", kind: "count" }, {
    name: "postage_sum",
    kind: "sum",
  }],
  facts: [],
  dates: [],
  figures: {
    delivered: count_of("delivered"),
    lost: count_of("lost"),
    postage: { kind: "total", unit: "money", measure: "postage_sum", per: 1_000_000 },
    weight: count_of("weight_sum"),
  },
  series: ["delivered", "lost", "postage", "weight"],
  compared_series: ["delivered", "postage"],
  cards: ["delivered", "lost", "postage"].map((name) => ({ name, figure: name })),
  now: { dimension: "state", measure: "delivered" },
  breakdowns: [{ dimension: "carrier", count: "delivered" }, { dimension: "depot", count: "delivered" }],
  states_breakdowns: [],
  default_count: "delivered",
  breakdown_row: { count: "parcels", amount: "postage" },
  lines: {
    event: "parcel",
    list: "parcels",
    fields: [
      text("parcel_id"),
      text("state"),
      { name: "at_ms", sql: "states.delivered_at", kind: "time", per: 1 },
      text("carrier"),
      text("depot"),
      text("sender"),
      text("receiver"),
      text("service"),
      number("weight", 1_000),
      number("postage", 1_000_000),
    ],
  },
};

/** What the feed would say of them: a quarter of an hour with one parcel a minute, up to the same moment whenever it is asked for. */
export function parcels_hello() {
  const now_ms = Date.UTC(2026, 5, 17, 16, 0, 20);
  const to_s = Math.floor(now_ms / 60_000) * 60 + 60;
  const t = Array.from({ length: 15 }, (_, i) => to_s - 900 + i * 60);
  const column = (value: number) => t.map(() => value);
  const cards = { delivered: 15, lost: 5, postage: 75 };
  const parcel = (number: number) => ({
    parcel_id: `P ${number}`,
    state: number % 2 === 0 ? "delivered" : "on_its_way",
    at_ms: now_ms - number * 1_000,
    carrier: ["Swift & Sons", "Tortoise"][number % 2],
    depot: `${number % 3}`,
    sender: "Ada",
    receiver: "Bob",
    service: "slow",
    weight: number % 2 === 0 ? 2.5 : null,
    postage: number % 2 === 0 ? 5 : null,
    position: 100 - number,
  });
  return {
    log_id: "log",
    build: "one",
    declared: declaration_of(parcels_board),
    position: 100,
    now_ms,
    range: "15m",
    grain: "1m",
    step_s: 60,
    from_s: to_s - 900,
    to_s,
    following: true,
    filter: [],
    compare: "weekday",
    time_zone: "UTC",
    currency: "EUR",
    series: {
      t,
      delivered: column(1),
      lost: column(0),
      postage: column(5),
      weight: column(2),
      revised_ms: column(0),
    },
    cards,
    compared: {
      weekday: { from_s: 0, to_s: 900, since_s: null, least_base: 0, cards: { delivered: 10, lost: 5, postage: 75 } },
    },
    computed: { cards: "cells", breakdowns: "cells", position: null, age_ms: null, failed: null },
    breakdowns: [
      {
        dimension: "carrier",
        total_keys: 2,
        rows: [{ key: "Swift & Sons", parcels: 9, postage: 45 }, { key: "Tortoise", parcels: 6, postage: 30 }],
      },
      { dimension: "depot", total_keys: 1, rows: [{ key: "7", parcels: 15, postage: 75 }] },
    ],
    parcels: Array.from({ length: 6 }, (_, i) => parcel(i)),
    health: health_of({ recorded_ms: now_ms - 400 }),
    newest_event_ms: now_ms - 1_000,
  };
}

/** What the API would say of one of them. */
export function parcel_answer() {
  const at = "2026-03-01T16:20:05.000000Z";
  const cell = {
    dimension: "carrier",
    key: "Tortoise",
    bucket: at,
    grain: "1m",
    measures: { delivered: 1, postage_sum: 5_000_000 },
  };
  return {
    parcel_id: "P 0",
    state: "delivered",
    at,
    carrier: "Tortoise",
    sender: null,
    receiver: "Bob",
    weight: 2.5,
    postage: "5.00",
    revision: 1,
    position: 7,
    as_of_position: null,
    deployment: { time_zone: "UTC", currency: "EUR" },
    events: [{
      type: "parcel.delivered",
      occurred_at: at,
      recorded_at: at,
      event_id: "a",
      position: 7,
      revision: 1,
      schema_version: 1,
      metadata: {},
      data: {},
    }],
    changes: [{
      fields: [{ name: "carrier", before: null, after: "Tortoise" }],
      cells: [{ ...cell, dimension: "none", key: "all" }, cell],
    }],
    changes_fault: null,
  };
}
