import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database } from "../../src/database/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import { format_filter, past_states } from "../../src/feed/figures/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { invented, make_log } from "../support/generated_log.ts";
import { type HttpSide, json_of, make_http_side } from "../support/http_side.ts";
import { counts, type OracleFilter } from "../support/oracle/board.ts";
import { oracle, type TripRow } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { random_filter, trip_event } from "../support/random_trips.ts";
import { database_test } from "../support/read_side.ts";
import { trips_board } from "../support/trip_board.ts";
import { whole_trip } from "../support/trip_events.ts";
import {
  feed,
  message,
  migrated,
  placed,
  TERMS,
  TEST_DOMAIN,
  TEST_TIME_ZONE,
  trip_pipeline,
} from "../support/trip_pipeline.ts";

/** Keys by how lately, how often and for how much: what anybody finds who sorts them and counts off fifths. */

const BROKER_MS = Date.UTC(2026, 2, 9, 12);
const FROM = Date.UTC(2026, 2, 8, 4), TO = Date.UTC(2026, 2, 8, 7);
const VIEW = `from=${new Date(FROM).toISOString()}&to=${new Date(TO).toISOString()}`;

interface Row {
  readonly key: string;
  readonly segment: string;
  readonly last: string;
  readonly count: number;
  readonly value: string;
  readonly scores: { readonly recency: number; readonly frequency: number; readonly value: number };
}

interface Told {
  readonly position: number;
  readonly keys: number;
  readonly segments: { readonly name: string; readonly keys: number; readonly count: number; readonly value: string }[];
  readonly found_keys: number;
  readonly rows: Row[];
  readonly next_offset: number | null;
}

const ask = (side: HttpSide, query: string): Promise<Told> => json_of(side.get(`/api/v1/segments?${query}`));

/** All pages. */
async function all_of(side: HttpSide, query: string): Promise<Told> {
  const rows: Row[] = [];
  for (let offset = 0;;) {
    const told = await ask(side, `${query}&limit=4&offset=${offset}`);
    rows.push(...told.rows);
    if (told.next_offset === null) return { ...told, rows };
    offset = told.next_offset;
  }
}

/** What somebody knows of a key: when it was last there, in whatever sorts, how often and for how much. */
interface Known {
  readonly key: string;
  readonly last: bigint;
  readonly count: bigint;
  readonly amount: bigint;
}

/** The fifth that each value lies in: its place among all, where equal ones stand at the first of theirs, in parts of five; by counting, not by borders. */
function fifths(values: readonly bigint[]): number[] {
  return values.map((value) => {
    const less = values.filter((each) => each < value).length;
    // Whole fifths that lie below it: a fifth ends at its last value, rounded up.
    return 1 + [1, 2, 3, 4].filter((i) => Math.ceil(values.length * i / 5) <= less).length;
  });
}

const NAMES = ["best", "regular", "rare", "slipping", "fading", "lost"];

function scored(known: readonly Known[]) {
  const [last, count, amount] = [
    fifths(known.map((each) => each.last)),
    fifths(known.map((each) => each.count)),
    fifths(known.map((each) => each.amount)),
  ];
  return known.map((each, i) => {
    const use = count[i]! + amount[i]!, row = use > 7 ? 0 : use > 4 ? 1 : 2;
    return { ...each, fifths: [last[i]!, count[i]!, amount[i]!], segment: NAMES[(last[i]! > 2 ? 0 : 3) + row]! };
  });
}

/** Millionths, exactly. */
function micros(text: string): bigint {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(text)!;
  return BigInt(`${sign}${whole}${fraction.padEnd(6, "0")}`);
}
/** Microseconds of such a time, exactly. */
const us_of = (text: string): bigint =>
  BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1_000n + micros(`0${text.slice(19, -1) || ".0"}`);

const by_key = (a: { readonly key: string }, b: { readonly key: string }) => a.key < b.key ? -1 : 1;

/** Holds what is told against what is known. */
function agree(told: Told, known: readonly Known[], where: string): void {
  assert.equal(told.keys, known.length, where);
  if (known.length < 5) return assert.deepEqual([told.rows, told.found_keys], [[], 0], where);
  const wanted = scored(known);
  assert.deepEqual(
    told.rows.toSorted(by_key).map(({ key, segment, last, count, value, scores }) => ({
      ...{ key, last: us_of(last), count: BigInt(count), amount: micros(value) },
      ...{ fifths: [scores.recency, scores.frequency, scores.value], segment },
    })),
    wanted.toSorted(by_key),
    where,
  );
  const sum = (rows: readonly Known[], of: "count" | "amount") => rows.reduce((sum, each) => sum + each[of], 0n);
  for (const { name, keys, count, value } of told.segments) {
    const own = wanted.filter(({ segment }) => segment === name);
    assert.deepEqual(
      [keys, BigInt(count), micros(value)],
      [own.length, sum(own, "count"), sum(own, "amount")],
      `${where} ${name}`,
    );
  }
}

function known_of(trips: Iterable<TripRow>, column: "driver_id" | "passenger_id", filter: OracleFilter): Known[] {
  const own = [...trips].filter((trip) =>
    trip.completed_at !== null && trip.voided_at === null && trip[column] !== null && trip[column] !== "unknown" &&
    trip.completed_at >= FROM * 1_000 && trip.completed_at < TO * 1_000 && counts(filter, trip)
  );
  return [...Map.groupBy(own, (trip) => trip[column]!)].map(([key, trips]) => ({
    key,
    last: BigInt(Math.max(...trips.map(({ completed_at }) => completed_at!))),
    count: BigInt(trips.length),
    amount: trips.reduce(
      (sum, { adjusted_fare_micros, completion_fare_micros }) =>
        sum + (adjusted_fare_micros ?? completion_fare_micros ?? 0n),
      0n,
    ),
  }));
}

/** Many drivers of few trips each, at few times and of few fares: most are alike in something. */
const ride = fc.tuple(
  trip_event,
  fc.record({
    trip_id: fc.integer({ min: 0, max: 40 }).map((i) => `T${i}`),
    driver_id: fc.option(fc.integer({ min: 0, max: 13 }).map((i) => i === 0 ? "unknown" : `D${i}`), { nil: undefined }),
    fare: fc.constantFrom("0", "1.25", "1.25", "2.50", "1000000000000"),
    type: fc.constantFrom(
      ...Array.from({ length: 6 }, () => "trip.completed"),
      ...["trip.started", "trip.fare_adjusted", "trip.voided", "trip.canceled"],
    ),
  }),
).map(([event, own]) => ({ ...event, ...own }));

tacho_test({
  name:
    "segments of random trips, corrected as they come, are what sorting and counting off gives, under any filter, now and then",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const events = fc.array(ride, { minLength: 60, maxLength: 200 });
    const filters = fc.array(random_filter, { minLength: 3, maxLength: 3 });
    let told_of = 0;
    await fc.assert(
      fc.asyncProperty(events, filters, async (all, asked) => {
        const { url } = await (await shared_postgres()).create_database(migrated);
        const database = await open_database({ url, data_dir: null, connections: 2 });
        try {
          const messages = all.map((each, offset) => message(offset, each, BROKER_MS)), half = all.length >> 1;
          const pipeline = trip_pipeline(database, () => BROKER_MS);
          const batch = (from: number, to: number) =>
            placed({
              topic: "trips",
              partition: 0,
              from_offset: from,
              next_offset: to,
              messages: messages.slice(from, to),
            });
          const cursors = new Cursors();
          await feed(pipeline, [batch(0, half)], cursors);
          const { position } = await read_head(database);
          await feed(pipeline, [batch(half, all.length)], cursors);
          const side = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
          side.time.now = BROKER_MS;
          const terms = { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS, read_ms: BROKER_MS };
          for (
            const [then, sent] of [["", messages], [`&as_of_position=${position}`, messages.slice(0, half)]] as const
          ) {
            const { trips } = oracle(sent, terms);
            for (const filter of [[], ...asked]) {
              for (const [dimension, column] of [["driver", "driver_id"], ["passenger", "passenger_id"]] as const) {
                const query = `${VIEW}${then}&dimension=${dimension}${
                  filter.length > 0 ? `&${format_filter(filter)}` : ""
                }`;
                const others = filter.filter((each) => each.dimension !== dimension);
                const known = known_of(trips.values(), column, others);
                agree(await all_of(side, query), known, query);
                told_of += known.length >= 5 ? 1 : 0;
              }
            }
          }
        } finally {
          await database.close();
        }
      }),
      { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 4), endOnFailure: true },
    );
    assert.ok(told_of >= 8, `${told_of} had keys enough`);
  },
});

tacho_test({
  name:
    "payments: segments of merchants and payers are of one currency, and a segment's rows are those of all that have its name",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const declared = DOMAINS.find(({ name }) => name === "payments")!;
    const { url } = await (await shared_postgres()).create_database();
    const database = await make_log(url, declared, invented(declared, 0.5), 100);
    try {
      const domain = declared.make({ currency: "USD", h3_resolution: null }), { board } = domain;
      const side = await make_http_side(database, { board, name: declared.name, past: past_states(domain) });
      side.time.now = Date.UTC(2026, 2, 2, 13);
      const view = "from=2026-03-02T11:00:00Z&to=2026-03-02T11:20:00Z";
      const currencies = await database.query<{ currency: string }>(
        "select currency from payments.transactions where captured_at is not null group by 1 order by count(*) desc",
      );
      assert.ok(currencies.length > 0);
      for (const { currency } of currencies.slice(0, 3)) {
        for (const [dimension, column] of [["merchant", "merchant"], ["payer", "payer_id"]] as const) {
          const rows = await database.query<{ key: string; last: string; count: string; amount: string }>(
            `select ${column} as key, (extract(epoch from max(captured_at)) * 1000000)::bigint as last, count(*) as count,
               sum(coalesce(captured_micros, authorized_micros, 0)) as amount
             from payments.transactions where captured_at >= '2026-03-02T11:00:00Z' and captured_at < '2026-03-02T11:20:00Z'
               and ${column} is not null and currency = $1 group by 1`,
            [currency],
          );
          const known = rows.map(({ key, last, count, amount }) => ({
            ...{ key, last: BigInt(last), count: BigInt(count), amount: BigInt(amount) },
          }));
          const query = `${view}&dimension=${dimension}&currency=${currency}`, all = await all_of(side, query);
          agree(all, known, query);
          for (const { name, keys } of all.segments) {
            const own = await all_of(side, `${query}&segment=${name}`);
            assert.deepEqual([own.found_keys, own.rows.length], [keys, keys], name);
            assert.deepEqual(own.rows, all.rows.filter(({ segment }) => segment === name), name);
          }
        }
      }
      const csv = await side.get(`/api/v1/segments?${view}&dimension=merchant&format=csv&limit=100000`);
      const lines = (await csv.text()).trim().split("\r\n"),
        { rows } = await all_of(side, `${view}&dimension=merchant`);
      assert.equal(lines[0], "merchant,segment,last,captured,value,recency_fifth,frequency_fifth,value_fifth");
      assert.ok(rows.length > 5);
      assert.deepEqual(
        lines.slice(1).map((line) => line.split(",").slice(-5)),
        rows.map(({ count, value, scores }) => [`${count}`, value, ...Object.values(scores).map(String)]),
      );
    } finally {
      await database.close();
    }
  },
});

/** Trips of so many drivers, the first with the most, the last with the latest. */
async function fill(database: Database, drivers: number, name_of = (i: number) => `D${i}`): Promise<void> {
  const trips = Array.from(
    { length: drivers },
    (_, i) =>
      Array.from(
        { length: drivers - i },
        (_, j) =>
          whole_trip(`T${i}-${j}`, { driver_id: name_of(i), fare: `${1 + i}.50` }).map((event) => ({
            ...event,
            occurred_at: new Date(Date.parse(String(event.occurred_at)) + i * 60_000).toISOString(),
          })),
      ),
  ).flat(2);
  const messages = trips.map((event, i) => message(i, event));
  await feed(trip_pipeline(database, () => Date.UTC(2026, 2, 1, 12)), [
    { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages },
  ]);
}

database_test(
  "segments: rows are in the order that is asked for; what is asked wrongly is refused",
  async (database) => {
    await fill(database, 11);
    const side = await make_http_side(database);
    const sorted = async (sort: string) => (await ask(side, `range=6h&sort=${sort}`)).rows;
    const numbers = {
      last: (row: Row) => Date.parse(row.last),
      count: (row: Row) => row.count,
      value: (row: Row) => Number(row.value),
    };
    for (const [name, of] of Object.entries(numbers)) {
      const rising = (await sorted(name)).map(of), falling = (await sorted(`-${name}`)).map(of);
      assert.equal(rising.length, 11);
      assert.deepEqual(rising, rising.toSorted((a, b) => a - b), name);
      assert.deepEqual(falling, rising.toReversed(), name);
    }
    const told = await ask(side, "range=6h&sort=-count");
    assert.deepEqual(told.rows[0], {
      key: "D0",
      segment: "fading",
      last: "2026-03-01T10:20:00.000000Z",
      count: 11,
      value: "16.50",
      scores: { recency: 1, frequency: 5, value: 1 },
    });
    const { borders } = await json_of(side.get("/api/v1/segments?range=6h"));
    assert.deepEqual(borders.count, [3, 5, 7, 9]);
    assert.deepEqual(borders.last, [2, 4, 6, 8].map((minute) => `2026-03-01T10:2${minute}:00.000000Z`));
    for (
      const [query, path, words] of [
        ["dimension=city", "dimension", "expected one of driver, passenger"],
        ["segment=champions", "segment", "best"],
        ["sort=key", "sort", "-value"],
        ["limit=501", "limit", "at most 500"],
        ["format=csv&limit=100001", "limit", "100000"],
        ["from=2025-12-01T00:00:00Z&to=2026-03-01T00:00:00Z", "to", "shorter"],
        ["as_of_position=5000", "as_of_position", "at most"],
      ] as const
    ) {
      const refused = await side.get(`/api/v1/segments?${query}`), { errors } = await refused.json();
      assert.deepEqual([refused.status, errors[0].path], [400, path], query);
      assert.ok(errors[0].detail.includes(words), errors[0].detail);
    }
  },
  { both: true },
);

database_test(
  "segments: of fewer than five keys none is told; by arrival they are of what arrived",
  async (database) => {
    const side = await make_http_side(database);
    const nothing = await ask(side, "range=6h");
    assert.deepEqual([nothing.keys, nothing.rows, nothing.segments.map(({ keys }) => keys)], [0, [], [
      0,
      0,
      0,
      0,
      0,
      0,
    ]]);
    await fill(database, 4);
    const few = await ask(side, "range=6h");
    assert.deepEqual([few.keys, few.found_keys, few.rows], [4, 0, []]);
    const arrived = await ask(side, "order=arrival&last=3");
    assert.deepEqual([arrived.keys, arrived.rows], [1, []], "the last trip's events are those of one driver");
  },
);

database_test(
  "segments: a person is told by its id while its alias is known, and by its alias once it is forgotten",
  async (database) => {
    const alias = (i: number) => `~${"ABCDEF"[i]}${"a".repeat(21)}`;
    await fill(database, 6, alias);
    for (let i = 0; i < 6; i++) {
      await database.execute("insert into persons (dimension, person_id, alias) values ('driver', $1, $2)", [
        `Anna ${i}`,
        alias(i),
      ]);
    }
    const board = { ...trips_board, persons: ["driver", "passenger"] };
    const side = await make_http_side(database, { board, past: past_states({ ...TEST_DOMAIN, board }) });
    const names = async () => (await ask(side, "range=6h&sort=-count")).rows.map(({ key }) => key);
    assert.deepEqual(await names(), Array.from({ length: 6 }, (_, i) => `Anna ${i}`));
    await database.execute("delete from persons where person_id = 'Anna 2'");
    assert.deepEqual(await names(), ["Anna 0", "Anna 1", alias(2), "Anna 3", "Anna 4", "Anna 5"]);
  },
);
