import assert from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { type DeclaredDomain, type Domain } from "../../src/domains/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { read_head, settle_deployment } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import {
  publication_of,
  type PublishedMessage,
  Publisher,
  topics_of,
  type TopicWriter,
} from "../../src/publish/mod.ts";
import { advance_kept, remove_unkept } from "../../src/projection/mod.ts";
import { WakeUp } from "../../src/runtime/mod.ts";
import { tacho_test } from "../support/available.ts";
import { invented, take_in } from "../support/generated_log.ts";
import { shared_postgres } from "../support/postgres.ts";
import { assert_trips_agree, expected_streams, TopicTables } from "../support/published_topics.ts";
import { silent } from "../support/read_side.ts";
import { message } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** What is published of a log, through producers that die at any message, programs that are replaced, and topics that change. */

/** Columns of trips by the entities that they are keys of. */
const COLUMNS = { driver: "driver_id", passenger: "passenger_id", vehicle_type: "vehicle_type", h3: "pickup_h3" };
const names = (prefix: string, entities: readonly string[]) =>
  entities.flatMap((entity) => [`${prefix}enriched.${entity}`, `${prefix}aggregated.${entity}`]);

/** A log of a domain that is appended to and published in one process. */
class PublishedLog implements AsyncDisposable {
  topics = new TopicTables();
  /** All that was written, in order. */
  readonly written: PublishedMessage[] = [];
  /** Asked before each piece is written: how many messages of it get through before the producer dies; null: all. */
  dies: (piece: readonly PublishedMessage[]) => number | null = () => null;
  #appended = 0;

  private constructor(readonly database: Database, readonly declared: DeclaredDomain, readonly domain: Domain) {}

  static async make(declared: DeclaredDomain): Promise<PublishedLog> {
    const { url } = await (await shared_postgres()).create_database();
    const schema = declared.name === "trips" ? null : declared.name;
    const database = await open_database({ url, data_dir: null, connections: 6, schema });
    await migrate(database, migrations_of(declared.name));
    const deployment = await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
    return new PublishedLog(database, declared, declared.make(deployment));
  }

  /** Appends messages, so many a batch. */
  async append(values: readonly string[], batch_messages = 97): Promise<void> {
    const topic = `${this.declared.name}-${this.#appended++}`;
    const messages = values.map((value, i) => ({ ...message(i, value), topic }));
    await take_in(this.database, this.domain, topic, messages, batch_messages);
  }

  /** A publisher of some topics, as a program of its own would have it; gives what ends it. */
  publish(wanted: readonly string[], prefix = "") {
    const topics = topics_of(this.domain, prefix).filter(({ name }) => wanted.includes(name));
    assert.equal(topics.length, wanted.length);
    const end = new AbortController();
    const open_writer = (): Promise<TopicWriter> =>
      Promise.resolve({
        write: async (piece) => {
          const through = this.dies(piece);
          for (const each of piece.slice(0, through ?? piece.length)) {
            this.written.push(each);
            this.topics.take(each);
          }
          await Promise.resolve();
          if (through !== null) throw new Error("the producer died");
        },
        close: () => Promise.resolve(),
      });
    const clock = { now_ms: () => Date.now() };
    const publisher = new Publisher({ clock, random: () => 0, logger: silent, signal: end.signal }, {
      database: this.database,
      domain: this.domain,
      days: days_in("UTC"),
      log_id: "log",
      publication: publication_of(this.domain, topics),
      open_writer,
      appended: new WakeUp(),
      holder: crypto.randomUUID(),
      lease_s: 30,
    });
    const running = publisher.run();
    const stop = async () => {
      end.abort(new Error("ended"));
      await running;
    };
    return { publisher, stop };
  }

  /** Publishes until nothing is left. */
  async publish_all(wanted: readonly string[], prefix = ""): Promise<void> {
    const { publisher, stop } = this.publish(wanted, prefix);
    try {
      await until("all is published", () => {
        const { lag, trouble, holds } = publisher.state();
        return holds && lag === 0 && trouble === null;
      }, 60_000).catch((cause) => {
        throw new Error(`the publisher last said ${JSON.stringify(publisher.state())}`, { cause });
      });
    } finally {
      await stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database.close();
  }
}

tacho_test({
  name: "topics are what the tables say, through producers that die in the middle and programs that take over",
  needs: ["postgres"],
  limit_ms: 180_000,
  async fn() {
    await using log = await PublishedLog.make(TRIPS);
    const values = invented(TRIPS, 4), wanted = names("", Object.keys(COLUMNS));
    assert.ok(values.length > 4_000, `${values.length} events`);
    let chance = 20_261, deaths = 0;
    const random = () => (chance = (Math.imul(chance, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    log.dies = (piece) => {
      if (random() > 0.4) return null;
      deaths++;
      return Math.floor(random() * (piece.length + 1));
    };
    const part = Math.ceil(values.length / 8);
    for (let from = 0; from < values.length; from += part) {
      await log.append(values.slice(from, from + part));
      const { publisher, stop } = log.publish(wanted);
      const goal = deaths + 2;
      await until("a producer died twice, or all is sent", () => deaths >= goal || publisher.state().lag === 0, 60_000);
      await stop();
    }
    log.dies = () => null;
    await log.publish_all(wanted);
    assert.ok(deaths >= 5 && log.topics.repeated > 100, `${deaths} deaths, ${log.topics.repeated} repeated`);
    assert.ok(log.topics.closed > 100, `${log.topics.closed} windows were closed`);
    assert.ok(log.topics.corrected > 0, "late events corrected some that were closed");
    await assert_trips_agree(log.database, log.domain, log.topics, COLUMNS);
    // What has 5-minute cells says the same there.
    const cells = await log.database.query(
      `select count(*)::int as cells, sum(completed)::int as completed from trip_cells
        where grain = '5m' and dimension = 'vehicle_type' and completed > 0`,
    );
    const windows = [...log.topics.tables.get("aggregated.vehicle_type")!.values()].filter((each) =>
      each.trip_count !== 0
    );
    const completed = windows.reduce((sum, each) => sum + Number(each.trip_count), 0);
    assert.deepEqual(cells, [{ cells: windows.length, completed }]);
  },
});

tacho_test({
  name:
    "what is sent does not depend on how the log is cut: each window's versions are positions that changed or closed it",
  needs: ["postgres"],
  async fn() {
    await using log = await PublishedLog.make(TRIPS);
    const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 9, minute)).toISOString();
    const trip = (id: string, minute: number, more: Readonly<Record<string, unknown>> = {}) =>
      JSON.stringify({
        event_id: `${id} ${minute} ${JSON.stringify(more)}`,
        type: "trip.completed",
        trip_id: id,
        occurred_at: at(minute),
        driver_id: "D1",
        fare: "10.00",
        ...more,
      });
    const wanted = names("", ["driver"]);
    const events = [
      trip("a", 1),
      trip("b", 2, { fare: "5.50", duration_min: 10 }),
      trip("c", 9),
      // It closes the windows of 9:00 and no other: 9:10 is five minutes past their end.
      trip("d", 10),
      // Late, and for a closed one.
      trip("e", 3, { duration_min: 20 }),
      // The driver was another one.
      trip("b", 2, { driver_id: "D2", fare: "5.50", duration_min: 10, event_id: "z" }),
      trip("a", 4, { type: "trip.voided", fare: undefined, driver_id: undefined }),
    ];
    const told = () =>
      log.written.filter(({ topic, key }) => topic === "aggregated.driver" && key.includes("09:00")).map(
        ({ value }) => {
          const { version, driver_id, trip_count, avg_duration, total_revenue, final } = JSON.parse(value!);
          return [version, driver_id, trip_count, avg_duration, total_revenue, final];
        },
      );
    for (const event of events) {
      await log.append([event]);
      await log.publish_all(wanted);
    }
    const versions = [
      [1, "D1", 1, null, 10, false],
      [2, "D1", 2, 10, 15.5, false],
      [4, "D1", 2, 10, 15.5, true],
      [5, "D1", 3, 15, 25.5, true],
      [6, "D1", 2, 20, 20, true],
      [6, "D2", 1, 10, 5.5, true],
      [7, "D1", 1, 20, 10, true],
    ];
    assert.deepEqual(told(), versions);
    const gone = log.written.filter(({ value }) => value === null);
    assert.deepEqual(gone, [{ topic: "enriched.driver", key: '["D1","b"]', value: null }]);
    const one_by_one = new Map(log.topics.tables);
    // The same log at once: the newest version of each, to the letter.
    const [first] = log.written.splice(0);
    assert.match(
      first!.value!,
      /^\{"id":"log\/enriched\.driver\/\[\\"D1\\",\\"a\\"\]@1","log_id":"log","version":1,"driver_id":"D1"/,
    );
    await log.database.execute("update publishing set topics = ''");
    log.topics = new TopicTables();
    await log.publish_all(wanted);
    assert.deepEqual(told().toSorted(), [versions[5], versions[6]].toSorted());
    assert.deepEqual(log.topics.tables, one_by_one);
  },
});

tacho_test({
  name: "one program publishes at a time; another takes over when it is gone, or has been frozen for too long",
  needs: ["postgres"],
  async fn() {
    await using log = await PublishedLog.make(TRIPS);
    const wanted = names("", ["driver"]), values = invented(TRIPS, 1);
    await log.append(values.slice(0, 200));
    const first = log.publish(wanted);
    await until("the first publishes", () => first.publisher.state().lag === 0);
    const second = log.publish(wanted);
    await until("the second has looked", () => second.publisher.state().lag === 0);
    assert.deepEqual([first.publisher.state().holds, second.publisher.state().holds], [true, false]);
    await first.stop();
    await until("the second publishes", () => second.publisher.state().holds);
    // One that was frozen lost it: what it notes afterwards counts no more.
    await log.database.execute("update publishing set holder = 'somebody', held_until = 'infinity'");
    await log.append(values.slice(200, 300));
    await until("it noticed", () => !second.publisher.state().holds);
    await log.database.execute("update publishing set held_until = clock_timestamp()");
    await until(
      "it took over when that one was silent",
      () => second.publisher.state().holds && second.publisher.state().lag === 0,
    );
    await second.stop();
    await assert_trips_agree(log.database, log.domain, log.topics, { driver: "driver_id" });
  },
});

tacho_test({
  name: "payments are published by currency, and other topics are all of the log from the beginning",
  needs: ["postgres"],
  limit_ms: 120_000,
  async fn() {
    await using log = await PublishedLog.make(PAYMENTS);
    await log.append(invented(PAYMENTS, 1).map((value, i) => i % 3 === 0 ? value.replace('"USD"', '"EUR"') : value));
    const prefix = "payments.";
    await log.publish_all([`${prefix}aggregated.merchant`], prefix);
    assert.deepEqual([...log.topics.tables.keys()], [`${prefix}aggregated.merchant`]);
    const { position } = await read_head(log.database);
    const before = log.written.splice(0);
    log.topics = new TopicTables();
    await log.publish_all(names(prefix, ["merchant", "payer"]), prefix);
    const merchants = log.written.filter(({ topic }) => topic === `${prefix}aggregated.merchant`);
    assert.deepEqual(merchants, before, "the same log says the same");
    const told = [...log.topics.tables.get(`${prefix}aggregated.merchant`)!.values()];
    const count = told.reduce((sum, { payment_count }) => sum + Number(payment_count), 0);
    const value = told.reduce((sum, { total_value }) => sum + Number(total_value), 0);
    const [row] = await log.database.query<{ count: number; value: number }>(
      `select sum(captured)::int as count, round(sum(captured_sum_micros) / 1000000.0, 2)::float8 as value
        from transaction_cells where grain = 'all' and dimension = 'none'`,
    );
    assert.deepEqual([count, Math.round(value * 100) / 100], [row!.count, row!.value]);
    const currencies = new Set(told.map(({ currency }) => currency));
    assert.ok(currencies.size >= 2 && told.every(({ version }) => Number(version) <= position));
    const payers = log.topics.tables.get(`${prefix}enriched.payer`)!;
    const [streams] = await log.database.query<{ streams: number }>(
      "select count(*)::int as streams from transactions",
    );
    assert.equal(payers.size, streams!.streams);
  },
});

tacho_test({
  name:
    "windows that are not kept go, once they are sent; what happens in them later is told in no window, and the others go on",
  needs: ["postgres"],
  async fn() {
    await using log = await PublishedLog.make(TRIPS);
    const { database, domain } = log, wanted = names("", ["driver"]), days = days_in("UTC");
    const trip = (id: string, at: string) =>
      JSON.stringify({
        event_id: id,
        type: "trip.completed",
        trip_id: id,
        occurred_at: at,
        driver_id: "D1",
        fare: "1.00",
      });
    await log.append([trip("a", "2026-03-01T09:01:00Z"), trip("b", "2026-03-02T09:01:00Z")]);
    const now_us = Date.UTC(2026, 2, 3) * 1000;
    const kept = await advance_kept({ database, days }, { "1m": 0.1, "5m": 0.1 }, now_us);
    assert.deepEqual(Object.values(kept), [Date.UTC(2026, 2, 2) * 1000, Date.UTC(2026, 2, 2) * 1000]);
    const removed = async () => {
      let rows = 0;
      for await (const piece of remove_unkept({ database, domain, days }, kept)) rows += piece.removed;
      return rows;
    };
    const windows = async () =>
      (await database.query("select bucket::text from published_windows order by bucket")).map(({ bucket }) => bucket);
    await removed();
    // Begun only now: what is not kept was never told.
    await log.publish_all(wanted);
    assert.deepEqual(await windows(), ["2026-03-02 09:00:00+00"]);
    await log.append([
      trip("c", "2026-03-02T09:02:00Z"),
      trip("d", "2026-03-01T09:02:00Z"),
      trip("e", "2026-03-03T09:00:00Z"),
    ]);
    await log.publish_all(wanted);
    assert.deepEqual(await windows(), ["2026-03-02 09:00:00+00", "2026-03-03 09:00:00+00"]);
    const later = await advance_kept({ database, days }, { "1m": 0.1, "5m": 0.1 }, Date.UTC(2026, 2, 5) * 1000);
    assert.equal(later["5m"], Date.UTC(2026, 2, 3) * 1000);
    // As a turn that was killed before it was sent leaves it.
    await database.execute("update publishing set sent = derived - 1");
    await removed();
    assert.equal((await windows()).length, 2, "what is not sent is still read");
    await database.execute("update publishing set sent = derived");
    await removed();
    assert.deepEqual(await windows(), ["2026-03-03 09:00:00+00"]);
    const told = log.written.filter(({ topic }) => topic === "aggregated.driver").map(({ value }) => JSON.parse(value!))
      .map(({ window_start, trip_count }) => [window_start, trip_count]);
    assert.ok(told.every(([start]) => !String(start).startsWith("2026-03-01")), JSON.stringify(told));
    const streams = [...log.topics.tables.get("enriched.driver")!.keys()];
    assert.equal(streams.length, 5, "streams are told whenever they were");
  },
});

tacho_test({
  name:
    "trades are published by ticker, side and venue: windows and streams say what the tables say, after corrections and busts",
  needs: ["postgres"],
  limit_ms: 120_000,
  async fn() {
    await using log = await PublishedLog.make(TRADES);
    await log.append(invented(TRADES, 1));
    const prefix = "trades.", entities = ["ticker", "side", "venue"];
    await log.publish_all(names(prefix, entities), prefix);
    const [busted] = await log.database.query<{ busted: number }>(
      "select count(*)::int as busted from trades where status = 'busted'",
    );
    assert.ok(busted!.busted > 0);
    for (const entity of entities) {
      const rows = await log.database.query<Record<string, string | number>>(
        `select coalesce(${entity}, 'unknown') as key,
          to_char(date_bin('5 minutes', executed_at, 'epoch') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000000Z"') as start,
          count(*)::int as count, sum(volume)::float8 as volume, round(sum(price_micros * volume::numeric) / 1000000.0, 2)::float8 as turnover
        from trades where status = 'executed' group by 1, 2`,
      );
      const told = log.topics.tables.get(`${prefix}aggregated.${entity}`)!;
      const windows = [...told].filter(([, { trade_count }]) => trade_count !== 0).map(([key, value]) =>
        [key, value.trade_count, value.total_volume, value.total_turnover].join()
      );
      const expected = rows.map(({ key, start, count, volume, turnover }) =>
        [JSON.stringify([key, start]), count, volume, turnover].join()
      );
      assert.deepEqual(windows.sort(), expected.sort(), entity);
      const streams = await expected_streams(log.database, log.domain, entity);
      const enriched = log.topics.tables.get(`${prefix}enriched.${entity}`)!;
      assert.deepEqual([...enriched.keys()].sort(), [...streams.keys()].sort(), entity);
    }
  },
});
