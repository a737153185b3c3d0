import assert from "node:assert/strict";
import fc from "fast-check";
import { latLngToCell } from "h3-js";
import { is_held_by_others, open_database, type OpenedDatabase, text_array } from "../../src/database/mod.ts";
import {
  as_settled,
  DEFAULT_H3_RESOLUTION,
  DeploymentMismatch,
  Overtaken,
  read_deployment,
  read_head,
} from "../../src/event_log/mod.ts";
import { read_boards } from "../../src/feed/figures/readings.ts";
import { type View, window_at } from "../../src/feed/mod.ts";
import { Cursors, Pipeline, type SourceMessage } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import {
  begin_read_model,
  compare_read_models,
  drop_read_model,
  find_read_model,
  read_rebuilding,
  Rebuild,
  type RebuildSource,
  RefusedEvent,
} from "../../src/projection/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { compare_with_database, oracle } from "../support/oracle/mod.ts";
import { as_message as as_payment, PAYMENTS_DOMAIN, some_payments, with_payments } from "../support/told_payments.ts";
import { as_message, some_trades, TRADES_DOMAIN, with_trades } from "../support/told_trades.ts";
import { needs, tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";
import { shared_postgres } from "../support/postgres.ts";
import { trips_board } from "../support/trip_board.ts";
import { partitioned, whole_trip } from "../support/trip_events.ts";
import {
  feed,
  LIMITS,
  message,
  migrated,
  READ_MS,
  TERMS,
  TEST_DOMAIN,
  TEST_TIME_ZONE,
  trip_pipeline,
} from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** A read model that is made beside the live one: it equals that, and the two are exchanged unseen. */

const DAYS = days_in(TEST_TIME_ZONE);
const never = new AbortController().signal;
/** So little at once that small logs take many pieces, and earlier events of most streams are read again. */
const SMALL = { events: 7, changes: 60, kept_events: 4 };

const source_of = (database: OpenedDatabase, given: Partial<RebuildSource> = {}): RebuildSource => ({
  database,
  domain: TEST_DOMAIN,
  days: DAYS,
  signal: never,
  ...given,
});

/** A log that grows. */
class Log {
  pipeline;
  readonly #cursors = new Cursors();
  #offset = 0;
  constructor(readonly database: OpenedDatabase) {
    this.pipeline = trip_pipeline(database);
  }
  /** Another program goes on, by other settings. */
  follow({ domain, days }: Pick<RebuildSource, "domain" | "days">, resettled: number): void {
    this.pipeline = new Pipeline({
      ...{ database: this.database, domain, days, resettled, limits: LIMITS, cache_streams: 50_000 },
      code_version: "test",
      now_ms: () => READ_MS,
    });
  }
  async add(messages: readonly SourceMessage[]): Promise<void> {
    this.pipeline.forget(await read_head(this.database));
    const from_offset = this.#offset;
    this.#offset += messages.length;
    const placed = messages.map((each, i) => ({ ...each, offset: from_offset + i }));
    await feed(this.pipeline, [
      { topic: "trips", partition: 0, from_offset, next_offset: this.#offset, messages: placed },
    ], this.#cursors);
  }
}

async function with_log(work: (log: Log, superuser_url: string) => Promise<void>): Promise<void> {
  const { url, superuser_url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 4 });
  try {
    await work(new Log(database), superuser_url);
  } finally {
    await database.close();
  }
}

const rebuild_test = (name: string, fn: (log: Log, superuser_url: string) => Promise<void>): void =>
  tacho_test({ name, needs: ["postgres"], fn: () => with_log(fn) });

async function assert_equal(log: Log, name = "v2"): Promise<void> {
  const { different, examples, changed_since } = await compare_read_models(source_of(log.database), name);
  assert.deepEqual({ different, examples, changed_since }, { different: 0, examples: [], changed_since: 0 });
}
const assert_consistent = async ({ database }: Log) => assert.deepEqual((await verified(database)).faults, []);

tacho_test({
  name:
    "of any events in any batches, also while they come: a rebuilt read model is the live one, row by row, switched in or not, and back",
  needs: ["postgres"],
  async fn() {
    const runs = fc.asyncProperty(
      partitioned(1, { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
      (partitions, sizes) =>
        with_log(async (log) => {
          const [messages] = partitions, source = source_of(log.database);
          let at = 0;
          const some = () => {
            const size = sizes[at % sizes.length]!, part = messages!.slice(at, at + size);
            at += size;
            return part.length === 0 ? Promise.resolve() : log.add(part);
          };
          await some();
          await begin_read_model(source, "v2");
          let rebuild = new Rebuild(source, "v2", SMALL);
          await rebuild.catch_up(() => {});
          await assert_equal(log);
          await some();
          await rebuild.catch_up(() => {});
          await assert_equal(log);
          await some();
          // Another process goes on, and does the rest under the head's lock.
          rebuild = new Rebuild(source, "v2", SMALL);
          await rebuild.switch_in();
          await assert_equal(log);
          await assert_consistent(log);
          while (at < messages!.length) await some();
          await assert_consistent(log);
          assert.equal((await find_read_model(log.database, "v2"))!.state, "replaced");
          // And back: what was live is made to follow first.
          await new Rebuild(source, "v2", SMALL).switch_in();
          await assert_equal(log);
          await assert_consistent(log);
          await drop_read_model(source, "v2");
          await log.add(whole_trip("last").map((each, i) => message(i, each)));
          await assert_consistent(log);
          assert.equal((await read_head(log.database)).figures_id.endsWith(".2"), true);
        }),
    );
    await fc.assert(runs, { numRuns: 8 });
  },
  limit_ms: 300_000,
});

const trips = (from: number, to: number) =>
  Array.from(
    { length: to - from },
    (_, i) => whole_trip(`T-${from + i}`, { city: i % 2 === 0 ? "Chicago" : "Boston", fare: "12.50" }),
  )
    .flat().map((each, i) => message(i, each));

/** What has been taken in by a domain of the tests, in batches of a few events, made anew. */
async function made_anew(
  database: OpenedDatabase,
  domain: RebuildSource["domain"],
  time_zone: string,
  messages: readonly SourceMessage[],
): Promise<void> {
  const days = days_in(time_zone), source = { database, domain, days, signal: never };
  const half = Math.floor(messages.length / 2);
  const take = async (to: number) => {
    const topic = messages[0]!.topic;
    const batches = messages.slice(0, to).map((each, offset) => ({ ...each, offset }));
    const running = start_ingest(database, new MemorySource(topic, [batches]), {
      domain,
      time_zone,
      batch_messages: 11,
    });
    try {
      await running.caught_up();
    } finally {
      await running.stop();
    }
  };
  await take(half);
  await begin_read_model(source, "v2");
  await new Rebuild(source, "v2", SMALL).catch_up(() => {});
  await take(messages.length);
  await new Rebuild(source, "v2", SMALL).switch_in();
  const { different, examples, compared } = await compare_read_models(source, "v2");
  assert.deepEqual({ different, examples }, { different: 0, examples: [] });
  assert.ok(compared > 50);
  assert.deepEqual((await verified(database, {}, { domain, days })).faults, []);
}

tacho_test({
  name: "first and last prices of trades, corrected and busted, are made anew as they are",
  needs: ["postgres"],
  fn: () =>
    with_trades((database) =>
      made_anew(database as OpenedDatabase, TRADES_DOMAIN, "UTC", some_trades(5, 80).map(as_message))
    ),
});

tacho_test({
  name: "a domain by currency is rebuilt, compared and switched: payments of several, corrected and refunded in parts",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      await made_anew(database, PAYMENTS_DOMAIN, "UTC", some_payments(4, 60).map(as_payment));
      const [seen] = await database.query(
        "select count(distinct currency)::integer as currencies from transaction_cells",
      );
      assert.equal(seen?.currencies, 3);
      // What is wrong of one currency is told as of that one, and cured.
      const source = source_of(database, { domain: PAYMENTS_DOMAIN, days: days_in("UTC") });
      await drop_read_model(source, "v2");
      await database.execute(
        "update transaction_cells set captured = captured + 1 where grain = 'all' and dimension = 'none' and currency = 'EUR'",
      );
      await begin_read_model(source, "v3");
      await new Rebuild(source, "v3", SMALL).catch_up(() => {});
      const { different, examples } = await compare_read_models(source, "v3");
      assert.equal(different, 1);
      assert.match(examples[0] ?? "", /transaction_cells all .*EUR.*: live has captured \d+; made anew captured \d+/);
      await new Rebuild(source, "v3", SMALL).switch_in();
      const audit = { domain: PAYMENTS_DOMAIN, days: days_in("UTC") };
      assert.deepEqual((await verified(database, {}, audit)).faults, []);
    }),
});

rebuild_test(
  "cells that are wrong are told, with the position that they are wrong since, and cured",
  async (log, superuser_url) => {
    await log.add(trips(0, 20));
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    await superuser.script(
      "update trip_cells set completed = completed + 1 where grain = '1h' and dimension = 'city' and key = 'Chicago';" +
        "delete from trip_cells where grain = 'all' and dimension = 'city' and key = 'Boston';" +
        "update trip_sketches set counts = array_fill(7, array[cardinality(counts)]) where dimension = 'none' and grain = '1d' and sketch = 'fare_micros'",
    );
    const source = source_of(log.database);
    await begin_read_model(source, "v2");
    const rebuild = new Rebuild(source, "v2");
    let events = 0;
    await rebuild.catch_up((some) => events += some);
    assert.equal(events, 60);
    const { position, compared, different, since, examples } = await compare_read_models(source, "v2");
    assert.deepEqual([position, different], [60, 3]);
    assert.ok(compared > 100);
    assert.ok(since !== null && since > 0 && since <= 60);
    assert.match(examples.join("\n"), /trip_cells all .* city Boston: it is missing in the live one/);
    assert.match(examples.join("\n"), /trip_cells 1h .* city Chicago: live has completed 11; made anew completed 10/);
    assert.match(examples.join("\n"), /trip_sketches 1d .* fare_micros: live has counts .*; made anew counts/);
    // What changes after is not compared.
    await log.add(trips(20, 21));
    const later = await compare_read_models(source, "v2");
    assert.ok(later.changed_since > 0 && later.different < 3, JSON.stringify(later));
    assert.notDeepEqual((await verified(log.database)).faults, []);
    await rebuild.switch_in();
    await assert_consistent(log);
    await superuser.close();
  },
);

rebuild_test(
  "states that were changed, removed or added by hand are told, with the position that they are wrong since, and cured; what stood on them is not appended",
  async (log, superuser_url) => {
    await log.add(trips(0, 20));
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    await superuser.script(
      "update trips set city = 'Nowhere', fare_micros = 1 where trip_id = 'T-3';" +
        "delete from trips where trip_id = 'T-5';" +
        `insert into trips select (jsonb_populate_record(t, '{"trip_id": "T-99"}')).* from trips t where trip_id = 'T-7'`,
    );
    await superuser.close();
    const source = source_of(log.database);
    await begin_read_model(source, "v2");
    const rebuild = new Rebuild(source, "v2", SMALL);
    await rebuild.catch_up(() => {});
    const { different, since, examples } = await compare_read_models(source, "v2");
    assert.deepEqual([different, since, examples], [3, 12, [
      "trips T-3: live has city Nowhere, fare_micros 1; made anew city Boston, fare_micros 12500000; since position 12",
      "trips T-5: it is missing in the live one; since position 18",
      "trips T-99: it is in the live one alone; since position 24",
    ]]);
    // Another instance has the wrong state in memory, and a batch that stands on it.
    const { pipeline, database } = log;
    const adjusted = { trip_id: "T-3", event_id: "z", type: "trip.fare_adjusted", occurred_at: "2026-03-01T11:00:00Z" };
    const place = { topic: "other", partition: 0 };
    const batch = { ...place, from_offset: 0, next_offset: 1, messages: [message(0, { ...adjusted, fare: "3.00" })] };
    const plan = () => pipeline.plan([batch], [{ ...place, from: null, to: 1 }], "test");
    const planned = await plan();
    await rebuild.switch_in();
    await assert.rejects(pipeline.append(planned), Overtaken);
    await assert_consistent(log);
    pipeline.forget(await read_head(database));
    await pipeline.append(await plan());
    await assert_consistent(log);
    const [row] = await database.query("select city, fare_micros from trips where trip_id = 'T-3'");
    assert.deepEqual(row, { city: "Boston", fare_micros: "3000000" });
    assert.equal((await compare_read_models(source, "v2")).changed_since > 0, true);
  },
);

rebuild_test("what was folded and could not be written is folded again, by the same rebuild", async (log) => {
  await log.add(trips(0, 12));
  const { database } = log;
  let left = 0;
  const failing = new Proxy(database, {
    get(target, name) {
      const own = Reflect.get(target, name);
      if (name !== "transaction") return typeof own === "function" ? own.bind(target) : own;
      return <T>(work: Parameters<typeof target.transaction<T>>[0]) =>
        target.transaction<T>(async (tx) => {
          const result = await work(tx);
          if (left-- === 1) throw new Error("no room is left");
          return result;
        });
    },
  });
  const source = source_of(failing);
  await begin_read_model(source, "v2");
  const rebuild = new Rebuild(source, "v2", SMALL);
  for (const at of [1, 2, 3]) {
    left = at;
    await assert.rejects(rebuild.catch_up(() => {}), /no room is left/);
  }
  await rebuild.catch_up(() => {});
  await assert_equal(log);
  await log.add(trips(12, 16).reverse());
  left = 1;
  await assert.rejects(rebuild.switch_in(), /no room is left/);
  await rebuild.switch_in();
  await assert_equal(log);
  await assert_consistent(log);
});

/** A trip a quarter of an hour, for a day about each change of the clocks of some zones. */
const about_changes = (): SourceMessage[] =>
  ["2025-03-09", "2025-03-30", "2025-04-06", "2025-10-05", "2025-10-26", "2025-11-02"].flatMap((date) =>
    Array.from({ length: 96 }, (_, i) => ({
      trip_id: `${date}-${i}`,
      event_id: "c",
      type: "trip.completed",
      occurred_at: new Date(Date.parse(`${date}T00:10:00Z`) - 12 * 3_600_000 + i * 900_000).toISOString(),
      city: i % 2 === 0 ? "Chicago" : "Boston",
      fare: `${10 + i % 7}.50`,
    }))
  ).map((each, i) => message(i, each));

rebuild_test(
  "another business time zone: the days are those of the oracle at both changes of the clocks and in zones of half and quarter hours; programs of the old one append and read nothing more",
  async (log) => {
    const { database } = log, messages = about_changes(), all: SourceMessage[] = [];
    const add = async (count: number) => {
      const some = messages.splice(0, count);
      await log.add(some);
      all.push(...some);
    };
    await add(messages.length - 16);
    let live = TEST_TIME_ZONE, resettled = 0;
    log.follow(source_of(database), resettled);
    const zones = ["Asia/Kathmandu", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"];
    for (const time_zone of zones) {
      const settings = { time_zone, h3_resolution: DEFAULT_H3_RESOLUTION };
      const source = source_of(database, { days: days_in(time_zone), settings });
      await begin_read_model(source, "v2");
      const rebuild = new Rebuild(source, "v2");
      await rebuild.catch_up(() => {});
      await add(2);
      const { different, examples, compared, live: by } = await compare_read_models(source, "v2");
      assert.deepEqual({ different, examples, by: by?.time_zone }, { different: 0, examples: [], by: live });
      assert.ok(compared > 2_000, String(compared));
      const reading = as_settled(database, resettled), read = () => reading.transaction((tx) => read_head(tx));
      assert.equal((await read()).resettled, resettled);
      await rebuild.switch_in();
      await assert.rejects(read(), DeploymentMismatch);
      await assert.rejects(log.add(messages.slice(0, 1)), DeploymentMismatch);
      assert.equal((await read_deployment(database))?.time_zone, time_zone);
      log.follow(source, ++resettled);
      await add(2);
      const expectation = oracle(all.map((each, offset) => ({ ...each, offset })), {
        currency: "USD",
        time_zone,
        ...TERMS,
      });
      assert.deepEqual(await compare_with_database((sql) => database.query(sql), expectation), []);
      assert.deepEqual((await verified(database, {}, { domain: TEST_DOMAIN, days: source.days })).faults, []);
      if (time_zone === zones.at(-1)) break;
      await drop_read_model(source, "v2");
      live = time_zone;
    }
    // And back: what was live has its zone still.
    const before = { time_zone: live, h3_resolution: DEFAULT_H3_RESOLUTION };
    assert.deepEqual((await find_read_model(database, "v2"))?.settings, before);
    const source = source_of(database, { days: days_in(live), settings: before });
    await new Rebuild(source, "v2").switch_in();
    assert.equal((await read_deployment(database))?.time_zone, live);
    assert.deepEqual((await verified(database, {}, { domain: TEST_DOMAIN, days: source.days })).faults, []);
  },
);

rebuild_test(
  "another H3 resolution, none, and one again: states and cells are by the new one, all else is compared",
  async (log, superuser_url) => {
    const { database } = log;
    const placed = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => from + i).flatMap((i) =>
        whole_trip(`P-${i}`, { pickup_lat: 41.8 + i / 100, pickup_lon: -87.6 - i / 100, city: "Chicago" })
      ).map((each, i) => message(i, each));
    await log.add(placed(0, 20));
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    await superuser.script("update trips set city = 'Nowhere' where trip_id = 'P-3'");
    await superuser.close();
    const places = [{ name: "pickup_h3", column: "pickup_h3" }];
    for (const [n, h3_resolution] of [6, null, 9].entries()) {
      const domain = trips_domain({ currency: "USD", h3_resolution });
      const source = source_of(database, { domain, settings: { time_zone: TEST_TIME_ZONE, h3_resolution }, places });
      await begin_read_model(source, "v2");
      const rebuild = new Rebuild(source, "v2", SMALL);
      await rebuild.catch_up(() => {});
      const { different, examples, compared } = await compare_read_models(source, "v2");
      assert.deepEqual(
        [different, examples],
        n > 0 ? [0, []] : [1, [
          "trips P-3: live has city Nowhere; made anew city Chicago; since position 12",
        ]],
      );
      assert.ok(compared > 50, String(compared));
      await rebuild.switch_in();
      log.follow(source, n + 1);
      await log.add(placed(20 + n, 21 + n));
      const rows = await database.query<{ lat: number; lon: number; cell: string | null }>(
        "select pickup_lat as lat, pickup_lon as lon, pickup_h3 as cell from trips",
      );
      for (const { lat, lon, cell } of rows) {
        assert.equal(cell, h3_resolution === null ? null : latLngToCell(lat, lon, h3_resolution));
      }
      assert.deepEqual((await verified(database, {}, { domain, days: DAYS })).faults, []);
      await drop_read_model(source, "v2");
    }
    assert.deepEqual([(await read_head(database)).resettled, (await read_deployment(database))?.h3_resolution], [3, 9]);
  },
);

rebuild_test(
  "how much of the log a rebuild has come to is known while it goes on, and not when it rests",
  async (log) => {
    await log.add(trips(0, 20));
    const source = source_of(log.database);
    const look = async () => (await read_rebuilding(log.database))?.percent ?? null;
    assert.equal(await look(), null);
    await begin_read_model(source, "v2");
    assert.equal(await look(), 0);
    await new Rebuild(source, "v2", SMALL).catch_up(() => {});
    assert.equal(await look(), 100);
    await log.add(trips(20, 40));
    assert.equal(await look(), 50);
    await log.database.execute("update read_models set changed_at = now() - interval '2 minutes'");
    assert.equal(await look(), null);
    await log.database.execute("update read_models set state = 'paused', fault = 'event 7 is refused'");
    assert.deepEqual(await read_rebuilding(log.database), { name: "v2", percent: 50, fault: "event 7 is refused" });
    await new Rebuild(source, "v2", SMALL).switch_in();
    assert.equal(await look(), null, "what was replaced is not rebuilt");
  },
);

rebuild_test("stopped between any two pieces it goes on there; two at once do not both move it", async (log) => {
  await log.add(trips(0, 20));
  const source = source_of(log.database);
  await begin_read_model(source, "v2");
  for (let stops = 0;; stops++) {
    const end = new AbortController();
    const rebuild = new Rebuild({ ...source, signal: end.signal }, "v2", SMALL);
    const before = (await find_read_model(log.database, "v2"))!.position;
    try {
      await rebuild.catch_up(() => end.abort(new Error("stopped")));
      break;
    } catch (error) {
      assert.equal(error, end.signal.reason);
      const { position } = (await find_read_model(log.database, "v2"))!;
      assert.ok(position > before && stops < 60, `${position} after ${before}`);
    }
  }
  await assert_equal(log);
  await log.add(trips(20, 40));
  const both = await Promise.allSettled([1, 2].map(() => new Rebuild(source, "v2", SMALL).catch_up(() => {})));
  for (const each of both) {
    if (each.status === "rejected") assert.ok(each.reason instanceof Overtaken, String(each.reason));
  }
  await new Rebuild(source, "v2", SMALL).catch_up(() => {});
  await assert_equal(log);
});

rebuild_test(
  "an event that is refused by now pauses it there, with the reason; a program that can read it goes on",
  async (log) => {
    await log.add(trips(0, 10));
    const source = source_of(log.database);
    const strict = {
      ...TEST_DOMAIN,
      parse: (...[type, version, data]: Parameters<typeof TEST_DOMAIN.parse>) =>
        data.city === "Boston" && type === "trip.completed"
          ? { ok: false as const, fault: { reason: "invalid_field", path: "city", detail: "expected no Boston" } }
          : TEST_DOMAIN.parse(type, version, data),
    };
    await begin_read_model(source, "v2");
    await assert.rejects(
      new Rebuild(source_of(log.database, { domain: strict }), "v2", SMALL).catch_up(() => {}),
      RefusedEvent,
    );
    const paused = (await find_read_model(log.database, "v2"))!;
    assert.deepEqual([paused.state, /^event \d+ is refused today: expected no Boston$/.test(paused.fault ?? "")], [
      "paused",
      true,
    ]);
    await new Rebuild(source, "v2", SMALL).catch_up(() => {});
    assert.deepEqual({ ...await find_read_model(log.database, "v2") }, {
      name: "v2",
      state: "catching_up",
      position: 30,
      fault: null,
      kept: {},
      settings: { time_zone: TEST_TIME_ZONE, h3_resolution: DEFAULT_H3_RESOLUTION },
    });
    await assert_equal(log);
  },
);

rebuild_test(
  "whoever may use the live tables may use the others; views follow what is live, tables are stored as before",
  async (log, superuser_url) => {
    const { database } = log;
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    await superuser.script("do $$ begin create role rebuild_reader; exception when duplicate_object then null; end $$");
    await superuser.close();
    await database.script(`grant select on trips, trip_cells, trip_totals to rebuild_reader;
    create view own_view as select sum(completed) as completed from trip_cells where grain = 'all' and dimension = 'none'`);
    await log.add(trips(0, 4));
    const indexes = (await database.query(
      "select relname::text as name from pg_index join pg_class on oid = indexrelid where indrelid = 'trips'::regclass order by 1",
    )).map(({ name }) => String(name));
    assert.ok(indexes.length > 5, indexes.join());
    const source = source_of(database);
    await begin_read_model(source, "v2");
    await new Rebuild(source, "v2").switch_in();
    await log.add(trips(4, 6));
    const [row] = await database.query(
      `select (select completed::int from own_view) as completed, has_table_privilege('rebuild_reader', 'trip_cells', 'select') as reads,
      has_table_privilege('rebuild_reader', 'trip_cells', 'insert') as writes,
      (select reloptions::text from pg_class where oid = 'trip_cells'::regclass) as stored, obj_description('trip_cells'::regclass) like 'KPI cells%' as says,
      (select string_agg(conname, ' ' order by conname) from pg_constraint where conrelid = 'trip_cells'::regclass and contype = 'p') as key,
      (select count(*)::int from trips_view) as viewed,
      array(select relname::text from pg_index join pg_class on oid = indexrelid where indrelid = 'trips'::regclass order by 1) = $1::text[] as indexed,
      has_table_privilege('rebuild_reader', 'trips', 'select') as reads_states`,
      [text_array(indexes)],
    );
    assert.deepEqual(row, {
      completed: 6,
      reads: true,
      writes: false,
      stored: "{fillfactor=70}",
      says: true,
      key: "trip_cells_pkey",
      viewed: 6,
      indexed: true,
      reads_states: true,
    });
    await drop_read_model(source, "v2");
    assert.deepEqual(await database.query("select relname from pg_class where relname like '%\\_v2%'"), []);
  },
);

rebuild_test(
  "readers see one read model or the other, whole, while the two are exchanged again and again under them",
  async (log) => {
    const { database } = log;
    const source = source_of(database);
    await log.add(trips(0, 5));
    await begin_read_model(source, "v2");
    const view: View = { range: "24h", to_s: null, filter: [], compare: "previous" };
    const watched = { view, window: window_at(view, Date.UTC(2026, 2, 1, 23), DAYS) };
    let ended = false, readings = 0, seen = 0;
    const reading = (async () => {
      while (!ended) {
        const { position, boards } = await read_boards(
          { database, board: trips_board, days: DAYS },
          new Map([["", watched]]),
          [],
          null,
        );
        // Each trip has three events and is told whole, so that the figure follows from the position.
        assert.equal(boards.get("")!.cards.completed, Math.floor(position / 3));
        readings++;
        seen = position;
      }
    })();
    try {
      for (let i = 0; i < 12; i++) {
        await log.add(trips(5 + i, 6 + i));
        const rebuild = new Rebuild(source, "v2", SMALL);
        for (let done = false; !done;) {
          done = await rebuild.switch_in().then(() => true, (error) => {
            if (is_held_by_others(error)) return false;
            throw error;
          });
        }
      }
    } finally {
      ended = true;
      await reading;
    }
    assert.ok(readings > 5 && seen > 0, `${readings} readings`);
    await assert_consistent(log);
  },
);

tacho_test({
  name: "the embedded database rebuilds and switches too",
  unless: needs("postgres") === null ? null : "without a server all tests of this file but this one are skipped",
  async fn() {
    const database = await open_embedded_copy();
    try {
      const log = new Log(database);
      await log.add(trips(0, 5));
      const source = source_of(database);
      await begin_read_model(source, "v2");
      const rebuild = new Rebuild(source, "v2", SMALL);
      await rebuild.catch_up(() => {});
      await log.add(trips(5, 8));
      await rebuild.switch_in();
      await assert_equal(log);
      await assert_consistent(log);
    } finally {
      await database.close();
    }
  },
});
