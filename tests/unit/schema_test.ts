import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AMOUNT,
  AMOUNTS,
  COUNT,
  CURRENCY,
  define_domain,
  type FieldType,
  is_blank,
  type JsonSchema,
  KILOMETRES,
  LATITUDE,
  LONGITUDE,
  MINUTES,
  ONE,
  one_of,
  QUANTITY,
  TEXT,
  TIME,
} from "../../src/domains/mod.ts";
import { RISK } from "../../src/domains/payments/payment.ts";
import { fold_recorded } from "../../src/event_log/mod.ts";
import { decode_message, NO_HEADERS } from "../../src/ingest/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { published_schemas } from "../../src/verbs/records/mappings.ts";
import { breaking_changes, type Published, published_of } from "../support/published/compatibility.ts";

/** What events may say, by type and version: what was published once is read for ever. */

const published_file = (name: string) =>
  Deno.readTextFileSync(new URL(`../support/published/${name}`, import.meta.url));
const KNOWN = DOMAINS.map((declared) => [declared, declared.make({ currency: "USD" })] as const);

Deno.test("what was published of events is read still: a change that breaks it needs a new version of its type", () => {
  for (const [{ name }, domain] of KNOWN) {
    const published = JSON.parse(published_file(`${name}.json`)) as Published, now = published_of(domain.schemas());
    assert.deepEqual(
      breaking_changes(published, now),
      [],
      `${name}: name a new version, and how the earlier one is brought up`,
    );
    assert.deepEqual(
      now,
      published,
      `${name}: what is new and breaks nothing belongs into tests/support/published/${name}.json`,
    );
  }
});

Deno.test("each kind of breaking change is found, and what breaks nothing is none", () => {
  const text = '{"type":"string"}', absent = '{"type":"null"}', number = '{"type":"number"}';
  const published: Published = { "a.done 1": { x: [text, absent], y: [number] }, "a.done 2": { x: [text, absent] } };
  const changed = (fields: Published[string]) => breaking_changes(published, { ...published, "a.done 1": fields });
  assert.deepEqual(changed({ x: [text, absent, number], y: [number, absent], z: [text, absent] }), []);
  assert.deepEqual(changed({ x: [text, absent] }), ["a.done 1: y was read and is ignored"]);
  assert.deepEqual(changed({ x: [text], y: [number] }), ['a.done 1: x might be {"type":"null"} and may not any more']);
  assert.deepEqual(changed({ x: [absent], y: [number] }), [
    'a.done 1: x might be {"type":"string"} and may not any more',
  ]);
  assert.deepEqual(changed({ x: [text, absent], y: [number], z: [text] }), [
    "a.done 1: z is required and was not known",
  ]);
  assert.deepEqual(breaking_changes(published, { "a.done 1": published["a.done 1"]! }), [
    "a.done 2: it was published and is gone",
  ]);
});

Deno.test("an event of every type and version that was ever published is read as it was then", () => {
  for (const [{ name }, domain] of KNOWN) {
    const events = published_file(`${name}.ndjson`).trimEnd().split("\n").map((line) => JSON.parse(line));
    const named = events.map(({ type, schema_version }) => `${type} ${schema_version}`);
    assert.deepEqual([...new Set(named)].sort(), Object.keys(published_of(domain.schemas())).sort(), name);
    for (const { type, schema_version, data, read } of events) {
      assert.deepEqual(
        domain.parse(type, schema_version, data),
        { ok: true, value: read },
        `${type} ${schema_version}`,
      );
    }
  }
});

Deno.test("schemas are printed as JSON, a domain at a time", () => {
  for (const [declared] of KNOWN) {
    const { domain, types } = JSON.parse(published_schemas(declared, "USD"));
    assert.equal(domain, declared.name);
    assert.deepEqual(Object.keys(types), [...declared.event_types]);
    for (const versions of Object.values(types)) {
      for (const schema of Object.values(versions as Record<string, JsonSchema>)) assert.equal(schema.type, "object");
    }
  }
});

/** Whether a schema admits a scalar, as far as ours go. */
function admits(schema: JsonSchema, value: unknown): boolean {
  const { type, minimum = -Infinity, maximum = Infinity, maxLength = Infinity, pattern = "", enum: values } =
    schema as {
      readonly type?: string;
      readonly minimum?: number;
      readonly maximum?: number;
      readonly maxLength?: number;
      readonly pattern?: string;
      readonly enum?: readonly unknown[];
    };
  if (values !== undefined) return values.includes(value);
  if (type === "integer" || type === "number") {
    return typeof value === "number" && (type === "number" || Number.isInteger(value)) && value >= minimum &&
      value <= maximum;
  }
  if (type === "string") {
    return typeof value === "string" && [...value].length <= maxLength && new RegExp(pattern, "u").test(value);
  }
  return type === "boolean" ? typeof value === "boolean" : value === null;
}

Deno.test("the schema of each type of field admits all that is read, and refuses no more than it can say", () => {
  const types: Record<string, FieldType<never>> = {
    ...{ AMOUNT, AMOUNTS, COUNT, CURRENCY, KILOMETRES, LATITUDE, LONGITUDE, MINUTES, QUANTITY, RISK, TEXT, TIME },
    ONE_OF: one_of("a", "b"),
  } as never;
  const value = fc.oneof(
    fc.string({ maxLength: 210 }),
    fc.constantFrom(
      "a",
      "b",
      "eur",
      "EUR",
      "EURO",
      "1.5",
      "1.",
      ".5",
      "1e3",
      "-1",
      "1000000000000",
      "2026-03-01T10:00:00Z",
    ),
    fc.integer({ min: -1_000, max: 2_000_000_000 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, -0, 90, 180, 181, 1e6, 1e6 + 1, 1e9, 1e12, 2e12, true, false),
    fc.string({ unit: "grapheme", maxLength: 205 }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.entries(types)), value, ([name, { accepts, read, or_boolean }], given) => {
      if (is_blank(given) || (typeof given === "boolean" && or_boolean !== true)) return;
      const is_read = read(given as never) !== null, is_admitted = accepts.some((schema) => admits(schema, given));
      if (is_read) assert.ok(is_admitted, `${name} reads ${JSON.stringify(given)}`);
      // Times, digits past those of a double and length in UTF-16 are more than a schema says.
      if (is_admitted && !/TIME|AMOUNT|TEXT|RISK/.test(name)) {
        assert.ok(is_read, `${name} refuses ${JSON.stringify(given)}`);
      }
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("a required field that is absent or blank is refused on arrival; one that a log holds from before is read back", () => {
  const now_ms = Date.UTC(2026, 2, 1), terms = { future_limit_ms: 0, max_message_bytes: 1_000_000, read_ms: now_ms };
  const place = { topic: "t", partition: 0, offset: 0, key: null, headers: NO_HEADERS, timestamp_ms: now_ms };
  for (const [{ stream_column }, domain] of KNOWN) {
    for (const type of domain.event_types) {
      const required = domain.fields(type, 1)!.filter((field) => field.required);
      const data = Object.fromEntries(required.map(({ name, read }) => [name, read("1") === null ? 1 : "1"]));
      const fault_of = (said: Record<string, unknown>) => {
        const event = { event_id: "e", [stream_column]: "s", type, occurred_at: "2026-02-01T00:00:00Z", ...said };
        const outcome = decode_message(domain, terms, {
          ...place,
          value: new TextEncoder().encode(JSON.stringify(event)),
        });
        return "fault" in outcome ? outcome.fault : null;
      };
      assert.equal(fault_of(data), null, type);
      for (const { name, type: kind } of required) {
        assert.equal(fault_of({ ...data, [name]: undefined })?.reason, "missing_field", `${type} ${name}`);
        const { not = {} } = (domain.schemas()[type]![0]!.properties as Record<string, JsonSchema>)[name]!;
        for (const blank of ["", " ", "\t\n", "\u00a0", "\ufeff", null]) {
          const fault = fault_of({ ...data, [name]: blank }), told = `${type} ${name} ${JSON.stringify(blank)}`;
          assert.deepEqual([fault?.reason, fault?.path], ["invalid_field", name], told);
          assert.ok(fault?.detail.endsWith(`got ${JSON.stringify(blank)}`), fault?.detail);
          if (kind !== TEXT || blank === null) continue;
          assert.ok(domain.parse(type, 1, { ...data, [name]: blank }).ok, told);
          assert.ok(admits(not as JsonSchema, blank), told);
        }
      }
    }
  }
});

/** A domain whose event said cents at first, then an amount, then named it otherwise. */
const sales = define_domain({
  name: "sales",
  noun: "sale",
  stream_column: "sale_id",
  tables: { states: "sales", cells: "sale_cells", totals: null, sketches: null },
  event_types: ["sale.made", "sale.ended"],
  fields: {
    made_us: { type: TIME },
    price_micros: { type: AMOUNT, in: ["sale.made"], required: true },
    shop: { type: TEXT, in: ["sale.made"] },
  },
  earlier: {
    "sale.made": [
      {
        schema: { type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] },
        up: ({ cents, ...rest }) => ({ ...rest, amount: (Number(cents) / 100).toFixed(2) }),
      },
      {
        schema: { type: "object", properties: { amount: { type: "string" } }, required: ["amount"] },
        up: ({ amount, ...rest }) => {
          if (typeof amount !== "string") throw new TypeError("no amount");
          return { ...rest, price: amount };
        },
      },
    ],
  },
  derived: {},
  fold: (state, { payload, occurred_at_us }) => ({ ...state, ...payload, made_us: occurred_at_us }),
  dimensions: [{ name: "none", column: null, grains: ["1m", "all"] }],
  measures: [{ name: "sales", kind: "count" }],
  facts: [{ at: ["made_us"], adds: { sales: ONE } }],
  board: {
    words: {} as never,
    whole: { dimension: "none", key: "all" },
    figures: {},
    series: [],
    compared_series: [],
    cards: [],
    now: { dimension: "none", measure: "sales" },
    breakdowns: [],
    states_breakdowns: [],
    default_count: "sales",
    breakdown_row: { count: "sales", amount: "sales" },
    lines: { event: "sale", list: "sales", fields: [] },
  },
});

Deno.test("events of earlier versions are brought up step by step; newer ones are refused, never guessed", () => {
  const said = [[1, { cents: 1250, shop: "x" }], [2, { amount: "12.50", shop: "x" }], [3, {
    price: "12.50",
    shop: "x",
  }]] as const;
  for (const [version, data] of said) {
    assert.deepEqual(sales.parse("sale.made", version, data), {
      ok: true,
      value: { price_micros: 12_500_000, shop: "x" },
    });
  }
  const fault_of = (version: number, data: Record<string, unknown>, type = "sale.made") => {
    const parsed = sales.parse(type, version, data);
    return parsed.ok ? null : [parsed.fault.reason, parsed.fault.detail];
  };
  assert.deepEqual(fault_of(4, { price: "1" }), [
    "unknown_version",
    "expected schema version 1 to 3 of sale.made, got 4",
  ]);
  assert.deepEqual(fault_of(2, {}, "sale.ended"), [
    "unknown_version",
    "expected schema version 1 of sale.ended, got 2",
  ]);
  // What a step cannot make anything of is a fault of the message.
  assert.deepEqual(fault_of(2, { amount: 5 }), [
    "invalid_field",
    "expected data of version 2 of sale.made; it cannot be brought up to version 3",
  ]);
  assert.equal(fault_of(1, { cents: "many" })?.[0], "invalid_field");
  assert.equal(fault_of(3, { amount: "12.50" })?.[0], "missing_field");
  // One pass over the bytes is for the current version alone.
  assert.deepEqual([1, 2, 3, 4].map((version) => sales.fields("sale.made", version) !== null), [
    false,
    false,
    true,
    false,
  ]);
  assert.deepEqual(sales.schemas()["sale.made"]!.length, 3);
});

Deno.test("a stream of events of several versions folds as if all were of the current one, whatever their order", () => {
  const at = (position: number, schema_version: number, data: unknown) => ({
    ...{ position, stream_id: "S", revision: position, event_id: `${position}`, type: "sale.made", schema_version },
    ...{ occurred_at_us: position, recorded_at_us: 0, data: JSON.stringify(data), metadata: "{}" },
  });
  const events = [at(1, 3, { price: "1.00", shop: "a" }), at(2, 1, { cents: 250 }), at(3, 2, { amount: "3.75" })];
  for (const order of [events, events.toReversed()]) {
    const folded = fold_recorded(sales, order);
    assert.ok(folded.ok);
    assert.deepEqual(folded.state, { made_us: 3, price_micros: 3_750_000, shop: "a" });
  }
});
