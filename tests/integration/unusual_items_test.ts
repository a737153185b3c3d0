import assert from "node:assert/strict";
import Papa from "papaparse";
import type { Database } from "../../src/database/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import { past_states } from "../../src/feed/mod.ts";
import { generator_of, run_prefix } from "../../src/verbs/generate.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { invented, make_log } from "../support/generated_log.ts";
import { type HttpSide, json_of, make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import type { Planted } from "../../src/domains/mod.ts";
import { database_test } from "../support/read_side.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, message, trip_pipeline } from "../support/trip_pipeline.ts";

/** Streams against their own kind: what anybody finds who sorts what was before, and how much of what generators plant is found. */

const END_MS = Date.UTC(2026, 2, 3, 11);
const TERMS = { currency: "USD", h3_resolution: null };

interface Item {
  readonly id: string;
  readonly at: string;
  readonly figure: string;
  readonly value: string;
  readonly kind: readonly { readonly dimension: string; readonly key: string }[];
  readonly usual: {
    readonly low: string;
    readonly median: string;
    readonly high: string;
    readonly streams: number;
  };
  readonly times: number;
  readonly score: number;
  readonly says: string;
}

interface Told {
  readonly position: number;
  readonly values: number;
  readonly without_usual: number;
  readonly found_items: number;
  readonly reason: string | null;
  readonly items: readonly Item[];
  readonly next_offset: number | null;
}

const ask = (side: HttpSide, query: string): Promise<Told> => json_of(side.get(`/api/v1/unusual/items?${query}`));

const time = (ms: number): string => new Date(ms).toISOString();
const span = (from_ms: number, to_ms: number): string => `from=${time(from_ms)}&to=${time(to_ms)}`;

/** Where each value of a domain is, in words of its tables, and how many of the column's unit make one of the figure's. */
const VALUES: Readonly<Record<string, readonly (readonly [figure: string, value: string, per: number])[]>> = {
  trips: [["revenue", "fare_micros", 1e6], ["average_distance_km", "distance_m", 1e3], [
    "average_duration_min",
    "duration_ms",
    6e4,
  ]],
  payments: [["value", "amount_micros", 1e6]],
  trades: [["prices", "price_micros", 1e6], ["volume", "volume", 1]],
};
const ROWS: Readonly<Record<string, string>> = {
  trips:
    "select trip_id as id, completed_at as at, coalesce(city, 'unknown') || '/' || coalesce(vehicle_type, 'unknown') as kind, * from trips where voided_at is null",
  payments:
    "select payment_id as id, captured_at as at, coalesce(merchant, 'unknown') as kind, * from payments.transactions where currency = 'USD'",
  trades:
    "select trade_id as id, executed_at as at, coalesce(ticker, 'unknown') as kind, * from trades.trades where status = 'executed'",
};

interface Known {
  readonly figure: string;
  readonly id: string;
  readonly at_ms: number;
  readonly kind: string;
  readonly value: number;
}

/** Every value of a domain, as its table has it. */
async function known_of(database: Database, domain: string): Promise<Known[]> {
  const all = [];
  for (const [figure, column, per] of VALUES[domain]!) {
    const rows = await database.query<{ id: string; at_ms: string; kind: string; value: string }>(
      `select id, (extract(epoch from at) * 1000)::text as at_ms, kind, ${column}::text as value
       from (${ROWS[domain]}) rows where at is not null and ${column} is not null`,
    );
    all.push(...rows.map((row) => ({ ...row, figure, at_ms: Number(row.at_ms), value: Number(row.value) / per })));
  }
  return all;
}

/** What is unusual of a range, by sorting what was before and counting off: by id and figure its score. */
function unusual_by_hand(known: readonly Known[], from_ms: number, to_ms: number) {
  const by_kind = Map.groupBy(known, ({ figure, kind }) => `${figure} ${kind}`);
  const found: (Known & { readonly score: number; readonly median: number; readonly streams: number })[] = [];
  let values = 0, without_usual = 0;
  for (const own of by_kind.values()) {
    const range = own.filter(({ at_ms }) => at_ms >= from_ms && at_ms < to_ms);
    const past = own.filter(({ at_ms }) => at_ms < from_ms && at_ms >= from_ms - 28 * 86_400_000)
      .map(({ value }) => value).sort((a, b) => a - b);
    const at = (percent: number) => past[Math.max(Math.ceil(past.length * percent / 100), 1) - 1]!;
    values += range.length;
    if (past.length < 100 || at(50) <= 0) {
      without_usual += range.length;
      continue;
    }
    const [p1, p5, median, p95, p99] = [1, 5, 50, 95, 99].map(at) as [number, number, number, number, number];
    const least = median / 100, log = (a: number, b: number) => Math.log(Math.max(a, least) / Math.max(b, least));
    for (const each of range) {
      const score = each.value > p99
        ? log(each.value, median) / Math.max(log(p95, median), Math.log(1.2))
        : each.value < p1
        ? log(median, each.value) / Math.max(log(median, p5), Math.log(1.2))
        : 0;
      if (score >= 2.5) found.push({ ...each, score, median, streams: past.length });
    }
  }
  return { values, without_usual, found };
}

for (const declared of DOMAINS) {
  tacho_test({
    name:
      `${declared.name}: what is unusual of its kind is what sorting finds, under any filter, and the same of then as it was then`,
    needs: ["postgres"],
    limit_ms: 240_000,
    async fn() {
      // Some amounts and prices have two digits too many.
      const sent = invented(declared, 8, 0.1).map((text, i) =>
        i % 97 === 0 ? text.replace(/"(amount|price|fare)":"(?=\d)/, (all) => `${all}99`) : text
      );
      const postgres = await shared_postgres();
      const domain = declared.make(TERMS), { board } = domain;
      // A log that stopped three quarters on, and one that has all.
      const logs: { database: Database; side: HttpSide }[] = [];
      try {
        for (const many of [Math.floor(sent.length * 3 / 4), sent.length]) {
          const { url } = await postgres.create_database();
          const database = await make_log(url, declared, sent.slice(0, many), 2_000);
          const side = await make_http_side(database, { board, name: declared.name, past: past_states(domain) });
          side.time.now = END_MS;
          logs.push({ database, side });
        }
        const from_ms = Date.UTC(2026, 2, 2, 15), to_ms = Date.UTC(2026, 2, 2, 19), range = span(from_ms, to_ms);
        const agree = async (
          { database, side }: typeof logs[number],
          query: string,
          is_of: (each: Known) => boolean,
        ) => {
          const told = await ask(side, `${range}${query}&limit=100`);
          const known = await known_of(database, declared.name);
          const { values, without_usual, found } = unusual_by_hand(known, from_ms, to_ms);
          const own = found.filter(is_of).sort((a, b) => b.score - a.score);
          if (query === "") assert.deepEqual([told.values, told.without_usual], [values, without_usual]);
          assert.equal(told.found_items, own.length);
          const plain = (id: string, figure: string, score: number) => `${id} ${figure} ${score.toFixed(9)}`;
          assert.deepEqual(
            told.items.map(({ id, figure, score }) => plain(id, figure, score)).sort(),
            own.slice(0, 100).map(({ id, figure, score }) => plain(id, figure, score)).sort(),
          );
          const scores = told.items.map(({ score }) => score);
          assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
          return told;
        };
        const [before, after] = logs as [typeof logs[number], typeof logs[number]];
        const then = await agree(before, "", () => true), now = await agree(after, "", () => true);
        assert.ok(then.items.length > 0, "something is unusual");
        assert.notDeepEqual(now.items, then.items);
        const { position } = await read_head(before.database);
        const again = await ask(after.side, `${range}&limit=100&as_of_position=${position}`);
        assert.deepEqual([again.items, again.values, again.position], [then.items, then.values, position]);
        const [{ dimension, key } = { dimension: "", key: "" }] = now.items[0]!.kind;
        const pair = `&${dimension}=${encodeURIComponent(key)}`;
        await agree(after, pair, (each) => each.kind.split("/")[0] === key);
        const few = await ask(after.side, `${range}&limit=2`);
        assert.deepEqual([few.items, few.found_items], [now.items.slice(0, 2), now.found_items]);
        // Page by page all of them come, each once, in one order, and so they do as CSV.
        const paged: Item[] = [];
        for (let offset: number | null = 0; offset !== null;) {
          const page: Told = await ask(after.side, `${range}&limit=3&offset=${offset}`);
          assert.ok(page.items.length <= 3 && page.found_items === now.found_items);
          paged.push(...page.items);
          offset = page.next_offset;
        }
        assert.deepEqual([paged.length, paged.slice(0, 100)], [now.found_items, now.items]);
        const csv = await (await after.side.get(`/api/v1/unusual/items?${range}&limit=100000&format=csv`)).text();
        const { data }: { data: Readonly<Record<string, string>>[] } = Papa.parse(csv.trimEnd(), { header: true });
        const plain = (text: string) => text.replace(/^'/, "");
        assert.deepEqual(
          data.map((row) => [
            ...[plain(Object.values(row)[0]!), row.at, row.figure, row.value, row.usual_low, row.usual_median],
            ...[row.usual_high, Number(row.usual_streams), Number(row.score), plain(row.says!)],
          ]),
          paged.map(({ id, at, figure, value, usual, score, says }) => [
            ...[id, at, figure, value, usual.low, usual.median, usual.high, usual.streams, score, says],
          ]),
        );
        for (const [i, { kind }] of paged.entries()) {
          for (const { dimension, key } of kind) assert.equal(plain(data[i]![dimension]!), key);
        }
      } finally {
        for (const { database } of logs) await database.close();
      }
    },
  });
}

/** What generators plant that a single stream shows, by what its row says; and how much of it is found, of three seeded days and more. */
const PLANTED = [
  {
    domain: "trips",
    days: 2,
    // Long rides are billed for short ones.
    rows: () =>
      "select trip_id as id from trips where completed_at >= $1 and fare_micros >= 60e6 and distance_m <= 500",
    wanted: { planted: 46, found: 29, told: 29, right: 29 },
  },
  {
    domain: "payments",
    days: 4,
    // Stolen cards are tried, a few units at a time.
    rows: (planted: readonly Planted[]) =>
      `select payment_id as id from payments.transactions where currency = 'USD' and captured_at >= $1 and amount_micros < 5e6 and (${
        planted.filter(({ kind }) => kind === "card_testing").map(({ from_us, until_us, keys }) =>
          `(merchant = '${keys.merchant}' and authorized_at between to_timestamp(${from_us / 1e6}) and to_timestamp(${
            until_us / 1e6
          }))`
        ).join(" or ")
      })`,
    wanted: { planted: 41, found: 38, told: 38, right: 38 },
  },
  {
    domain: "trades",
    days: 6,
    // Prices slip by a decimal place.
    rows: (planted: readonly Planted[]) =>
      `select trade_id as id from trades.trades where status = 'executed' and executed_at >= $1 and (${
        planted.filter(({ kind }) => kind === "fat_finger").map(({ from_us, keys }) =>
          `(ticker = '${keys.ticker}' and executed_at = to_timestamp(${from_us / 1e6}))`
        ).join(" or ")
      })`,
    wanted: { planted: 3, found: 3, told: 3, right: 3 },
  },
];

for (const { domain, days, rows, wanted } of PLANTED) {
  tacho_test({
    name:
      `${domain}: of what is planted ${wanted.found} of ${wanted.planted} are found, and ${wanted.right} of ${wanted.told} that are told are planted`,
    needs: ["postgres"],
    limit_ms: 240_000,
    async fn() {
      const declared = DOMAINS.find(({ name }) => name === domain)!, generator = generator_of(declared);
      const start_us = (END_MS - days * 86_400_000) * 1_000;
      const plan = generator.plan({ seed: 7, rate: 0.1, currency: "USD", start_us }, { anomalies: true });
      const run = { time_zone: "UTC", prefix: run_prefix(generator, start_us / 1_000) };
      const sent = generator.messages(plan, run).take_due(END_MS * 1_000).map(({ value }) => value);
      const { url } = await (await shared_postgres()).create_database();
      const database = await make_log(url, declared, sent, 5_000);
      try {
        const made = declared.make(TERMS), { board } = made;
        const side = await make_http_side(database, { board, name: domain, past: past_states(made) });
        side.time.now = END_MS;
        const from_ms = END_MS - days * 43_200_000;
        const { items, found_items } = await ask(side, `${span(from_ms, END_MS)}&limit=100`);
        const truth = await database.query<{ id: string }>(
          rows(generator.planted(plan, END_MS * 1_000)).replace("$1", `'${time(from_ms)}'`),
        );
        const planted = new Set(truth.map(({ id }) => id)), told = new Set(items.map(({ id }) => id));
        assert.equal(items.length, found_items);
        assert.deepEqual({
          planted: planted.size,
          found: planted.intersection(told).size,
          told: told.size,
          right: told.intersection(planted).size,
        }, wanted);
      } finally {
        await database.close();
      }
    },
  });
}

/** Trips of one kind, a minute apart, by their fares; the last ends at 10:00 plus so many minutes. */
async function take_fares(database: Database, fares: readonly string[]): Promise<void> {
  const trips = fares.flatMap((fare, i) =>
    whole_trip(`T${i}`, { fare, city: "Oslo", vehicle_type: "van" }).map((event) => ({
      ...event,
      occurred_at: new Date(Date.parse(String(event.occurred_at)) + i * 60_000).toISOString(),
    }))
  );
  const messages = trips.map((event, i) => message(i, event));
  await feed(trip_pipeline(database, () => Date.UTC(2026, 2, 1, 18)), [
    { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages },
  ]);
}

const usual_fares = Array.from({ length: 100 }, (_, i) => `${10 + i % 11}.50`);

database_test(
  "unusual items: each says in words what it is held against; of too little history it is said so",
  async (database) => {
    const side = await make_http_side(database);
    side.time.now = Date.UTC(2026, 2, 1, 18);
    const empty = await ask(side, "range=24h");
    assert.match(empty.reason ?? "", /^Nothing is looked at: the range has no trips/);
    await take_fares(database, [...usual_fares, "412.00", "0.00", "31.00"]);
    const [last] = await database.query<{ at: string }>(
      "select to_char(min(completed_at) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as at from trips where trip_id in ('T100')",
    );
    const range = `from=${last!.at.replaceAll('"', "")}&to=2026-03-01T18:00:00Z`;
    const told = await ask(side, range), fares = told.items.filter(({ figure }) => figure === "revenue");
    assert.equal(told.reason, null);
    assert.deepEqual(fares.map(({ id, says }) => [id, says]), [
      ["T101", "fare 0.00 USD; usually 10.50 to 20.50 (median 15.50) of 100 trips, city Oslo, vehicle type van"],
      ["T100", "fare 412.00 USD; usually 10.50 to 20.50 (median 15.50) of 100 trips, city Oslo, vehicle type van"],
    ]);
    assert.deepEqual(fares[1]!.kind, [{ dimension: "city", key: "Oslo" }, { dimension: "vehicle_type", key: "van" }]);
    assert.deepEqual([fares[1]!.value, fares[1]!.times, fares[1]!.usual], [
      "412.00",
      412 / 15.5,
      { low: "10.50", median: "15.50", high: "20.50", streams: 100 },
    ]);
    const early = await ask(side, "range=24h");
    assert.deepEqual([early.items, early.without_usual, early.values], [[], early.values, 103 * 2]);
    assert.match(
      early.reason ?? "",
      /^Nothing is called unusual: .* their kinds had fewer than 100 in the 28 days before it\.$/,
    );
    for (
      const [query, path, words] of [
        ["order=arrival", "order", "expected order=event_time: what was usual"],
        ["limit=501", "limit", "500"],
        ["limit=100001&format=csv", "limit", "100000"],
        ["offset=100001", "offset", "100000"],
        ["from=2025-12-01T00:00:00Z&to=2026-03-01T00:00:00Z", "to", "shorter"],
        ["as_of_position=5000000", "as_of_position", "at most"],
      ] as const
    ) {
      const refused = await side.get(`/api/v1/unusual/items?${query}`), { errors } = await refused.json();
      assert.deepEqual([refused.status, errors[0].path], [400, path], query);
      assert.ok(errors[0].detail.includes(words), errors[0].detail);
    }
  },
);
