import assert from "node:assert/strict";
import fc from "fast-check";
import type { Database } from "../../src/database/mod.ts";
import {
  AMOUNT,
  AMOUNTS,
  define_domain,
  type FactForm,
  known,
  ONE,
  TEXT,
  TIME,
  TIMES,
  value,
  with_one_more,
} from "../../src/domains/mod.ts";
import { StreamStates } from "../../src/event_log/mod.ts";
import {
  arrived_states,
  figures_of_states,
  find_arrived,
  past_states,
  present_states,
  type Question,
} from "../../src/feed/figures/mod.ts";
import { days_in, type Measure } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { with_domain_log } from "../support/domain_log.ts";
import { doors } from "../support/door_domain.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { message } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** Jars that are opened once, and filled any number of times: what is filled before a jar is opened waits. */
const FACTS: readonly FactForm[] = [
  { at: ["opened_us"], adds: { opened: ONE, sizes: value("size_micros") } },
  {
    at: ["filled_us"],
    when: { field: "opened_us", known: true },
    adds: { fills: ONE, filled: value("fill_micros"), sized: known("size_micros"), room: value("size_micros") },
  },
  { at: ["filled_us"], when: { field: "opened_us", unknown: true }, adds: { waiting: ONE } },
];
const MEASURES = ["opened", "sizes", "fills", "filled", "sized", "room", "waiting"];

const jars = (facts: readonly FactForm[], least: readonly Measure[] = []) =>
  define_domain({
    name: "jars",
    tables: { states: "jars", cells: "jar_cells", totals: null, sketches: null },
    noun: "jar",
    stream_column: "jar_id",
    event_types: ["jar.opened", "jar.filled"],
    fields: {
      opened_us: { type: TIME },
      lid: { type: TEXT, in: ["jar.opened"] },
      size_micros: { type: AMOUNT, in: ["jar.opened"] },
      filled_us: { type: TIMES },
      fill_micros: { type: AMOUNTS, in: ["jar.filled"], as: "amount", required: true },
    },
    derived: {},
    fold(state, { type, payload, occurred_at_us }) {
      const { fill_micros, ...named } = payload;
      if (type === "jar.opened") return { ...state, ...named, opened_us: occurred_at_us };
      return {
        ...state,
        filled_us: with_one_more(state.filled_us, occurred_at_us),
        fill_micros: with_one_more(state.fill_micros, fill_micros!),
      };
    },
    dimensions: [
      { name: "none", column: null, grains: ["1m", "1h", "all"] },
      { name: "lid", column: "lid", grains: ["1m", "1h", "all"] },
    ],
    measures: [...MEASURES.map((name) => ({ name, kind: "sum" } as const)), ...least],
    facts,
    board: {
      ...doors.board,
      whole: { dimension: "none", key: "all" },
      figures: { filled: { kind: "total", unit: "count", measure: "filled", per: 1 } },
      cards: [],
      series: ["filled"],
      now: { dimension: "lid", measure: "opened" },
      breakdowns: [{ dimension: "lid", count: "fills" }],
      breakdown_row: { count: "fills", amount: "filled" },
      lines: { event: "jar", list: "jars", fields: ["jar_id", "at_ms", "lid"] },
    },
  });
const DOMAIN = jars(FACTS);

const TABLES = `
  create table jars (
    jar_id text primary key, revision integer, opened_at timestamptz, lid text, size_micros bigint, filled_ats timestamptz[],
    fill_micros bigint[], last_occurred_at timestamptz, last_event_id text, positions bigint[], event_hashes bigint[]
  );
  create table jar_cells (
    grain text, bucket timestamptz, dimension text, key text, ${
  MEASURES.map((name) => `${name} numeric not null default 0, `).join("")
}
    last_position bigint, first_position bigint, constraint jar_cells_pkey primary key (grain, dimension, bucket, key)
  );`;

const DAYS = days_in("UTC");
const START_S = Date.UTC(2026, 2, 1, 6) / 1000;

/** An event of a jar, in the words of this test: its minute, and an amount, which of an opening is the size. */
interface Told {
  readonly jar: string;
  readonly id: number;
  readonly minute: number;
  readonly opens: boolean;
  readonly lid: string | null;
  readonly amount: number;
}
const told_events = fc.uniqueArray(
  fc.record({
    jar: fc.constantFrom("a", "b", "c"),
    id: fc.nat(40),
    // Few minutes, so that fills fall together: then their ids order them.
    minute: fc.nat(9).map((n) => n * 13),
    opens: fc.nat(4).map((n) => n === 0),
    lid: fc.constantFrom("tin", "cork", null),
    amount: fc.nat(1_000),
  }),
  { minLength: 10, maxLength: 60, selector: ({ jar, id }) => `${jar} ${id}` },
);
const as_message = ({ jar, id, minute, opens, lid, amount }: Told) =>
  message(0, {
    jar_id: jar,
    event_id: String(id),
    type: opens ? "jar.opened" : "jar.filled",
    occurred_at: new Date((START_S + minute * 60) * 1000).toISOString(),
    ...opens ? { size: amount, lid } : { amount },
  });

type Sums = Record<string, number>;
const NOTHING: Sums = Object.fromEntries(MEASURES.map((name) => [name, 0]));

/** What a stretch of minutes has to say of jars with a lid, or of all: folded anew, from what was told. */
function expected(told: readonly Told[], from: number, to: number, lid: string | null | undefined): Sums {
  const sums = { ...NOTHING };
  for (const of_jar of Map.groupBy(told, ({ jar }) => jar).values()) {
    const in_order = of_jar.toSorted((a, b) => a.minute - b.minute || (String(a.id) < String(b.id) ? -1 : 1));
    const openings = in_order.filter(({ opens }) => opens), opening = openings.at(-1);
    const own_lid = openings.findLast((each) => each.lid !== null)?.lid ?? null;
    if (lid !== undefined && own_lid !== lid) continue;
    const within = ({ minute }: Told) => minute >= from && minute < to;
    if (opening !== undefined && within(opening)) {
      sums.opened!++;
      sums.sizes! += opening.amount;
    }
    for (const each of in_order.filter((each) => !each.opens && within(each))) {
      if (opening === undefined) sums.waiting!++;
      else {
        sums.fills!++;
        sums.filled! += each.amount;
        sums.sized!++;
        sums.room! += opening.amount;
      }
    }
  }
  return sums;
}

const plain = (row: Readonly<Record<string, unknown>>): Sums =>
  Object.fromEntries(
    MEASURES.map((name) => [name, Number(row[name] ?? 0) / (/sizes|filled|room/.test(name) ? 1e6 : 1)]),
  );

const with_jars = (kind: "server" | "embedded", work: (database: Database) => Promise<void>): Promise<void> =>
  with_domain_log("jars", async (database) => {
    await database.script(TABLES);
    await work(database);
  }, kind);

async function ingest(database: Database, told: readonly Told[], batch_messages: number, topic = "jars") {
  const source = new MemorySource(topic, [[...told, ...told].map(as_message)]);
  const running = start_ingest(database, source, { domain: DOMAIN, time_zone: "UTC", batch_messages });
  try {
    await running.caught_up();
  } finally {
    await running.stop();
  }
}

const question = (from: number, to: number, lid: string | null | undefined): Question => {
  const window = {
    from_s: START_S + from * 60,
    to_s: START_S + to * 60,
    step_s: 60,
    grain: "1m",
  } as Question["window"];
  const filter = lid === undefined ? [] : [{ dimension: "lid", keys: [lid ?? "unknown"], excluded: false }];
  // Not the board's own: then its own condition counts, too.
  const breakdowns = [{ dimension: "lid", count: "fills" }];
  return { board: DOMAIN.board, days: DAYS, filter, window, wants: { series: true, stretches: [window], breakdowns } };
};

for (const [kind, runs] of [["server", 8], ["embedded", 1]] as const) {
  tacho_test({
    name:
      `what happens to a stream several times counts each time, in any order and batching, in cells and in figures of states, now, then and by arrival (${kind})`,
    needs: kind === "server" ? ["postgres"] : [],
    async fn() {
      const batch = fc.constantFrom(1, 7, 200);
      const stretch = fc.tuple(fc.nat(8), fc.integer({ min: 1, max: 4 })).map(([from, length]) =>
        [from * 13, (from + length) * 13 + 1] as const
      );
      await fc.assert(
        fc.asyncProperty(
          told_events,
          batch,
          fc.array(stretch, { minLength: 3, maxLength: 3 }),
          async (told, size, spans) => {
            await with_jars(kind, async (database) => {
              await ingest(database, told, size);
              for (const minutes of [1, 60]) {
                const rows = await database.query(
                  `select key, dimension, (extract(epoch from bucket) / 60)::integer as minute, ${MEASURES.join(", ")}
                 from jar_cells where grain = $1`,
                  [minutes === 1 ? "1m" : "1h"],
                );
                for (const row of rows) {
                  const from = Number(row.minute) - START_S / 60;
                  const lid = row.dimension === "none" ? undefined : row.key === "unknown" ? null : String(row.key);
                  assert.deepEqual(plain(row), expected(told, from, from + minutes, lid), `${row.key} at ${from}`);
                }
                const [all] = await database.query(
                  `select ${MEASURES.map((name) => `sum(${name}) as ${name}`).join(", ")} from jar_cells
                 where grain = $1 and dimension = 'none'`,
                  [minutes === 1 ? "1m" : "1h"],
                );
                assert.deepEqual(plain(all!), expected(told, 0, 1e6, undefined));
              }
              const past = past_states(DOMAIN), half = Math.ceil(told.length / 2);
              const of_half = await past(database, half, told.length);
              for (const [from, to] of spans) {
                for (const lid of [undefined, "tin", null] as const) {
                  for (
                    const [relation, known] of [[present_states(DOMAIN.board), told], [
                      of_half,
                      told.slice(0, half),
                    ]] as const
                  ) {
                    const { stretches: [sums], buckets, keys } = await database.transaction((tx) =>
                      figures_of_states(tx, question(from, to, lid), relation)
                    );
                    const wanted = expected(known, from, to, lid);
                    assert.deepEqual(plain(sums!.totals), wanted);
                    const in_buckets = buckets.map(plain).reduce(
                      (all, row) => Object.fromEntries(MEASURES.map((name) => [name, all[name]! + row[name]!])),
                      NOTHING,
                    );
                    assert.deepEqual(in_buckets, wanted);
                    const fills = keys.reduce((sum, { count }) => sum + Number(count), 0);
                    const filled = keys.reduce((sum, { amount }) => sum + Number(amount) / 1e6, 0);
                    assert.deepEqual({ fills, filled }, { fills: wanted.fills, filled: wanted.filled });
                  }
                }
              }
              // By arrival all that happened to a jar counts when its newest event came: all were recorded at noon.
              for (
                const [relation, known] of [[present_states(DOMAIN.board), told], [
                  of_half,
                  told.slice(0, half),
                ]] as const
              ) {
                const newest = new Set(known.slice(-2).map(({ jar }) => jar));
                const { stretches: [sums], buckets } = await database.transaction(async (tx) => {
                  const arrived = await find_arrived(tx, { last: 2 }, known.length);
                  const states = arrived_states(DOMAIN.board, relation, arrived);
                  return await figures_of_states(tx, question(360, 361, undefined), states);
                });
                const wanted = expected(known.filter(({ jar }) => newest.has(jar)), 0, 1e6, undefined);
                assert.deepEqual(plain(sums!.totals), wanted);
                assert.deepEqual(plain(buckets[0]!), wanted);
              }
              assert.deepEqual((await verified(database, {}, { domain: DOMAIN, days: DAYS })).faults, []);
            });
          },
        ),
        { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? runs), endOnFailure: true },
      );
    },
  });
}

tacho_test({
  name: "lists of a row are the fold's, read back as they were written; verify names the row whose list was changed",
  needs: ["postgres"],
  fn: () =>
    with_jars("server", async (database) => {
      const fill = (id: number, minute: number, amount: number): Told => ({
        ...{ jar: "a", id, minute, amount },
        ...{ opens: false, lid: null },
      });
      // Two of one minute, the larger id first; and one from before them, last.
      await ingest(database, [fill(9, 30, 5), fill(4, 30, 7), fill(1, 10.5, 2)], 1);
      await ingest(database, [{ ...fill(1, 10, 1), jar: "b", opens: true }], 1, "more");
      assert.deepEqual(
        await database.query("select jar_id, filled_ats::text, fill_micros::text from jars order by jar_id"),
        [
          {
            jar_id: "a",
            filled_ats: '{"2026-03-01 06:10:30+00","2026-03-01 06:30:00+00","2026-03-01 06:30:00+00"}',
            fill_micros: "{2000000,7000000,5000000}",
          },
          { jar_id: "b", filled_ats: null, fill_micros: null },
        ],
      );
      const states = await new StreamStates(DOMAIN).load(database, ["a", "b"]);
      const lists = [...states.values()].map(({ state }) => state as { filled_us: unknown; fill_micros: unknown });
      assert.deepEqual(lists.map(({ filled_us, fill_micros }) => [filled_us, fill_micros]), [
        [[630, 1_800, 1_800].map((s) => (START_S + s) * 1e6), [2_000_000, 7_000_000, 5_000_000]],
        [null, null],
      ]);
      const audit = { domain: DOMAIN, days: DAYS };
      assert.deepEqual((await verified(database, {}, audit)).faults, []);
      await database.script("update jars set fill_micros[2] = 8000000 where jar_id = 'a'");
      const { faults } = await verified(database, {}, audit);
      assert.match(
        faults[0] ?? "",
        /jars "a": fill_micros is 2000000,8000000,5000000, its events say 2000000,7000000,5000000/,
      );
    }),
});

Deno.test("a fact that a state may have several times has one list of times, and no extremes", () => {
  const refused: readonly [FactForm, RegExp][] = [
    [
      { at: ["opened_us"], adds: { filled: value("fill_micros") } },
      /expected fill_micros in a fact that one list of times/,
    ],
    [{ at: ["filled_us", "opened_us"], adds: { fills: ONE } }, /expected filled_us in a fact that one list of times/],
  ];
  for (const [fact, why] of refused) assert.throws(() => jars([fact]), why);
  const least = { name: "least", kind: "min", column: "fill_micros" } as const;
  const fact = { at: ["filled_us"], adds: { least: value("fill_micros") } };
  assert.throws(() => jars([fact], [least]), /expected extremes in one, of one date, which a state has but once/);
});
