import assert from "node:assert/strict";
import fc from "fast-check";
import {
  is_held_by_others,
  migrate,
  migrations_of,
  open_database,
  type OpenedDatabase,
} from "../../src/database/mod.ts";
import { Overtaken, read_head } from "../../src/event_log/mod.ts";
import { read_boards } from "../../src/feed/figures/readings.ts";
import { type View, window_at } from "../../src/feed/mod.ts";
import { Cursors, type SourceMessage } from "../../src/ingest/mod.ts";
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
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { as_message as as_payment, PAYMENTS_DOMAIN, some_payments, with_payments } from "../support/told_payments.ts";
import { as_message, some_trades, TRADES_DOMAIN, with_trades } from "../support/told_trades.ts";
import { needs, tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { trips_board } from "../support/trip_board.ts";
import { partitioned, whole_trip } from "../support/trip_events.ts";
import { feed, message, migrated, TEST_DOMAIN, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
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
  readonly #pipeline;
  readonly #cursors = new Cursors();
  #offset = 0;
  constructor(readonly database: OpenedDatabase) {
    this.#pipeline = trip_pipeline(database);
  }
  async add(messages: readonly SourceMessage[]): Promise<void> {
    const from_offset = this.#offset;
    this.#offset += messages.length;
    const placed = messages.map((each, i) => ({ ...each, offset: from_offset + i }));
    await feed(this.#pipeline, [
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
    await database.script(`grant select on trip_cells, trip_totals to rebuild_reader;
    create view own_view as select sum(completed) as completed from trip_cells where grain = 'all' and dimension = 'none'`);
    await log.add(trips(0, 4));
    const source = source_of(database);
    await begin_read_model(source, "v2");
    await new Rebuild(source, "v2").switch_in();
    await log.add(trips(4, 6));
    const [row] = await database.query(
      `select (select completed::int from own_view) as completed, has_table_privilege('rebuild_reader', 'trip_cells', 'select') as reads,
      has_table_privilege('rebuild_reader', 'trip_cells', 'insert') as writes,
      (select reloptions::text from pg_class where oid = 'trip_cells'::regclass) as stored, obj_description('trip_cells'::regclass) like 'KPI cells%' as says,
      (select string_agg(conname, ' ' order by conname) from pg_constraint where conrelid = 'trip_cells'::regclass and contype = 'p') as key`,
    );
    assert.deepEqual(row, {
      completed: 6,
      reads: true,
      writes: false,
      stored: "{fillfactor=70}",
      says: true,
      key: "trip_cells_pkey",
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
    const database = await open_database({ url: null, data_dir: null });
    try {
      await migrate(
        database,
        migrations_of("trips"),
      );
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
