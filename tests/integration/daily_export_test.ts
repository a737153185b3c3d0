import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { open_database } from "../../src/database/mod.ts";
import {
  daily_name,
  dates_between,
  days_changed,
  type ExportPlace,
  write_day,
  yesterday,
} from "../../src/export/mod.ts";
import { in_currency } from "../../src/domains/mod.ts";
import { follow_days } from "../../src/verbs/exports.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { shared_postgres } from "../support/postgres.ts";
import { as_message, PAYMENTS_DOMAIN, some_payments, with_payments } from "../support/told_payments.ts";
import { trips_board } from "../support/trip_board.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** Documents of days: which are written when, and that no other is touched. */

const DAYS = days_in(TEST_TIME_ZONE);

/** A place in memory that counts what is written. */
class MemoryPlace implements ExportPlace {
  readonly shown = "memory";
  readonly texts = new Map<string, string>();
  readonly written: string[] = [];
  away: Error | null = null;
  read(name: string): Promise<string | null> {
    return this.away === null ? Promise.resolve(this.texts.get(name) ?? null) : Promise.reject(this.away);
  }
  write(name: string, text: string): Promise<void> {
    if (this.away !== null) return Promise.reject(this.away);
    this.texts.set(name, text);
    this.written.push(name);
    return Promise.resolve();
  }
  size(name: string): Promise<number | null> {
    return this.read(name).then((text) => text?.length ?? null);
  }
  begin(): Promise<never> {
    return Promise.reject(new Error("days are short"));
  }
  copy(): Promise<never> {
    return Promise.reject(new Error("days are read as they are"));
  }
  list(): Promise<never> {
    return Promise.reject(new Error("days are known by their names"));
  }
  taken(): string[] {
    return this.written.splice(0).map((name) => name.split("/")[1]!);
  }
  says(date: string): Record<string, unknown> {
    const { generated_at: _, ...said } = JSON.parse(this.texts.get(daily_name(date))!);
    return said;
  }
}

class Log {
  readonly #pipeline;
  readonly #cursors = new Cursors();
  #offset = 0;
  now_ms = Date.UTC(2026, 2, 10, 12);
  constructor(readonly database: Database) {
    this.#pipeline = trip_pipeline(database, () => this.now_ms);
  }
  async add(...events: readonly Record<string, unknown>[]): Promise<void> {
    const from_offset = this.#offset, messages = events.map((each, i) => message(from_offset + i, each));
    this.#offset += messages.length;
    await feed(this.#pipeline, [
      { topic: "trips", partition: 0, from_offset, next_offset: this.#offset, messages },
    ], this.#cursors);
  }
}
const completed = (trip_id: string, occurred_at: string, fare: string) => ({
  trip_id,
  event_id: `c ${trip_id}`,
  type: "trip.completed",
  occurred_at,
  fare,
});

function export_test(name: string, fn: (log: Log, place: MemoryPlace) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const database = await open_database({ url, data_dir: null, connections: 2 });
      try {
        await fn(new Log(database), new MemoryPlace());
      } finally {
        await database.close();
      }
    },
  });
}
const source_of = (log: Log, place: ExportPlace) => ({
  database: log.database,
  board: trips_board,
  days: DAYS,
  place,
  now_ms: () => log.now_ms,
});
const metrics = (sum: number, count: number, mean: number, max: number, min: number) => ({
  total_fare: sum,
  count_trips: count,
  average_fare: mean,
  max_fare: max,
  min_fare: min,
});

export_test(
  "a day's document has the figures of its business day; a second look leaves it as it is",
  async (log, place) => {
    const source = source_of(log, place);
    // Midnight of New York is 05:00 UTC.
    await log.add(completed("A", "2026-03-02T04:59:59Z", "10.005"), completed("B", "2026-03-02T05:00:00Z", "3.33"));
    assert.equal(await write_day(source, "2026-03-01"), "written");
    assert.deepEqual(place.says("2026-03-01"), {
      date: "2026-03-01",
      metrics: metrics(10.01, 1, 10.01, 10.01, 10.01),
      trip_count: 1,
    });
    const text = place.texts.get(daily_name("2026-03-01"));
    log.now_ms += 60_000;
    assert.equal(await write_day(source, "2026-03-01"), "unchanged");
    assert.equal(place.texts.get(daily_name("2026-03-01")), text);
    // A day without anything has zeros; what somebody else wrote there is replaced.
    place.texts.set(daily_name("2026-02-27"), "no JSON");
    assert.equal(await write_day(source, "2026-02-27"), "written");
    assert.deepEqual(place.says("2026-02-27"), { date: "2026-02-27", metrics: metrics(0, 0, 0, 0, 0), trip_count: 0 });
    for (const other of ["{}", "null", '{"date":"2026-02-27"}', text!]) {
      place.texts.set(daily_name("2026-02-27"), other);
      assert.equal(await write_day(source, "2026-02-27"), "written", other);
    }
  },
);

export_test("days that a late event, a correction or a void changed are told, and no others", async (log, place) => {
  const source = source_of(log, place);
  await log.add(
    completed("A", "2026-03-01T12:00:00Z", "10"),
    completed("B", "2026-03-05T12:00:00Z", "20"),
    completed("C", "2026-03-10T11:00:00Z", "30"),
  );
  let since: Parameters<typeof days_changed>[1] = { position: 0, ended_ms: -Infinity };
  const told = async () => {
    const { dates, position, figures_id } = await days_changed(source, since);
    since = { position, figures_id, ended_ms: log.now_ms };
    return dates;
  };
  assert.deepEqual(await told(), ["2026-03-01", "2026-03-05"], "today has not ended");
  assert.deepEqual(await told(), []);
  await log.add(completed("D", "2026-03-05T23:00:00Z", "1"));
  assert.deepEqual(await told(), ["2026-03-05"]);
  await log.add({
    trip_id: "A",
    event_id: "f",
    type: "trip.fare_adjusted",
    occurred_at: "2026-03-08T00:00:00Z",
    fare: "7",
  });
  assert.deepEqual(await told(), ["2026-03-01"]);
  await log.add({ trip_id: "B", event_id: "v", type: "trip.voided", occurred_at: "2026-03-07T12:00:00Z" });
  assert.deepEqual(await told(), ["2026-03-05", "2026-03-07"]);
  // A duplicate changes nothing.
  await log.add(completed("D", "2026-03-05T23:00:00Z", "1"));
  assert.deepEqual(await told(), []);
  // Other figures were switched in: any day may say something else.
  await log.database.execute("update log_head set read_model = read_model + 1");
  assert.deepEqual(await told(), ["2026-03-01", "2026-03-05", "2026-03-07"]);
  // Two days end, one of them without anything.
  log.now_ms = Date.UTC(2026, 2, 12, 12);
  assert.deepEqual(await told(), ["2026-03-10", "2026-03-11"]);
});

export_test(
  "who follows writes all whole days, then what changes, and waits for a place that is away",
  async (log, place) => {
    await log.add(completed("A", "2026-03-01T12:00:00Z", "10"), completed("B", "2026-03-05T12:00:00Z", "20"));
    const end = new AbortController(), lines: string[] = [];
    const runtime = {
      clock: { now_ms: Date.now },
      random: () => 0,
      logger: { log: (_: string, said: string) => void lines.push(said) },
      signal: end.signal,
    };
    const following = follow_days(runtime, source_of(log, place), () => {});
    const ended = assert.rejects(following, (error) => error === end.signal.reason);
    await until("both days are written", () => place.written.length === 2);
    assert.deepEqual(place.taken(), ["2026-03-01", "2026-03-05"]);
    place.away = new Error("no route");
    await log.add(completed("C", "2026-03-05T13:00:00Z", "1"));
    await until("the outage is said", () => lines.length === 1);
    place.away = null;
    await until("the day is written", () => place.written.length === 1);
    assert.deepEqual(place.taken(), ["2026-03-05"]);
    assert.deepEqual(place.says("2026-03-05"), {
      date: "2026-03-05",
      metrics: metrics(21, 2, 10.5, 20, 1),
      trip_count: 2,
    });
    await until("its end is said", () => lines.length === 2);
    assert.deepEqual(lines, ["days cannot be exported; trying again", "days are exported again"]);
    end.abort(new Error("enough"));
    await ended;
  },
);

tacho_test({
  name:
    "days are named by the business time zone, also those on which clocks change, and one that it does not have is none",
  fn() {
    const apia = days_in("Pacific/Apia"), berlin = days_in("Europe/Berlin");
    // Samoa went across the date line: it had no 30th.
    assert.deepEqual(dates_between("2011-12-29", "2012-01-01", { days: apia }), [
      "2011-12-29",
      "2011-12-31",
      "2012-01-01",
    ]);
    assert.equal(yesterday({ days: apia }, Date.UTC(2011, 11, 30, 22)), "2011-12-29");
    assert.equal(yesterday({ days: berlin }, Date.UTC(2026, 2, 29, 21, 59)), "2026-03-28");
    assert.equal(yesterday({ days: berlin }, Date.UTC(2026, 2, 29, 22)), "2026-03-29");
    assert.equal(yesterday({ days: berlin }, Date.UTC(2026, 9, 25, 23)), "2026-10-25");
  },
});

tacho_test({
  name:
    "documents of another currency have its amounts, in a folder of their own: those of the deployment's stay as they are",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const told = some_payments(11, 150);
      const source = new MemorySource("payments", [told.map((each, i) => ({ ...as_message(each), offset: i }))]);
      const days = days_in("UTC"), now_ms = () => Date.UTC(2026, 2, 10);
      const running = start_ingest(database, source, { domain: PAYMENTS_DOMAIN, time_zone: "UTC", now_ms });
      try {
        await running.caught_up();
      } finally {
        await running.stop();
      }
      const place = new MemoryPlace(), of = { database, days, place, now_ms };
      const captured: Record<string, number> = {};
      for (const currency of ["USD", "EUR", "USD", "EUR"]) {
        const board = in_currency(PAYMENTS_DOMAIN.board, currency);
        const { dates } = await days_changed({ ...of, board }, { position: 0, ended_ms: -Infinity });
        for (const date of dates) {
          assert.equal(await write_day({ ...of, board }, date), currency in captured ? "unchanged" : "written");
        }
        assert.deepEqual(dates, ["2026-03-01"]);
        const [row] = await database.query<{ count: number; value: string }>(
          `select count(*)::int as count, round(sum(amount_micros) / 1000000.0, 2)::text as value
            from transactions where captured_at is not null and currency = $1`,
          [currency],
        );
        const name = `${currency === "USD" ? "" : `${currency}/`}daily/2026-03-01/metrics.json`;
        const { metrics, payment_count, currency: said } = JSON.parse(place.texts.get(name)!);
        assert.deepEqual([payment_count, metrics.total_value, said], [row!.count, Number(row!.value), currency]);
        captured[currency] = row!.count;
      }
      assert.ok(Object.values(captured).every((count) => count > 0));
      assert.deepEqual([...place.texts.keys()].sort(), [
        "EUR/daily/2026-03-01/metrics.json",
        "daily/2026-03-01/metrics.json",
      ]);
    }),
});
