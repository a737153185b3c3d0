import assert from "node:assert/strict";
import { type Database, open_database, snapshot } from "../../src/database/mod.ts";
import { ALIAS } from "../../src/domains/mod.ts";
import {
  DEFAULT_H3_RESOLUTION,
  discard_held,
  forget_person,
  messages_naming,
  Overtaken,
  read_aliases,
  read_head,
  settle_deployment,
} from "../../src/event_log/mod.ts";
import { export_table, FolderPlace } from "../../src/export/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { find_for_receipt, ReceiptCheck, sign_when_due, write_receipt } from "../../src/proof/mod.ts";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { make_retry } from "../support/held_messages.ts";
import { tables_holding } from "../support/held_text.ts";
import { make_http_side } from "../support/http_side.ts";
import { make_intake_side } from "../support/intake_side.ts";
import { CHAIN_START, follow_chain } from "../support/oracle/mod.ts";
import { shared_postgres, start_postgres } from "../support/postgres.ts";
import { test_key } from "../support/signing.ts";
import { trips_board } from "../support/trip_board.ts";
import { whole_trip } from "../support/trip_events.ts";
import {
  feed,
  LIMITS,
  message,
  migrated,
  TEST_DOMAIN,
  TEST_TIME_ZONE,
  trip_pipeline,
} from "../support/trip_pipeline.ts";
import { batch_of, verified } from "../support/verified_log.ts";

/** A log whose persons can be forgotten: what it holds of them, before and after. */

const ID = "P-needle-4711", DRIVER = "D-needle-0815";
const PERSONS = { passenger_id: ID, driver_id: DRIVER };
/** Three trips of the passenger, of whom two with the driver, and one of somebody else; names stand where nothing reads them, too. */
const TRIPS = [
  ...whole_trip("A", PERSONS),
  ...whole_trip("B", { passenger_id: ID, more: { passenger_id: ID } }),
  ...whole_trip("C", { ...PERSONS, passenger_id: "P-2" }),
  ...whole_trip("D", PERSONS),
];
const messages = (values: readonly unknown[], from = 0) => values.map((value, i) => message(from + i, value));
const faulty = (id: string) => JSON.stringify({ ...whole_trip("F")[0], passenger_id: id, occurred_at: "yesterday" });

const FORGET = { dimension: "passenger", person_id: ID, by: "Ada", reason: "asked for it" };
const names = ({ value }: { readonly value: Uint8Array | null }) =>
  value !== null && new TextDecoder().decode(value).includes(ID);
const forget = async (database: Database, wanted = FORGET) =>
  await forget_person(
    database,
    { ...wanted, names },
    await messages_naming(database, { names }),
    Date.UTC(2026, 2, 2) * 1000,
  );

/** A pipeline that goes on from the log. */
async function going_on(database: Database) {
  const pipeline = trip_pipeline(database);
  pipeline.forget(await read_head(database));
  return pipeline;
}

const forgettable = (database: Database) =>
  settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD", forgettable: true });

interface Log {
  readonly database: Database;
  readonly superuser: Database;
}

function log_test(name: string, fn: (log: Log) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url, superuser_url } = await (await shared_postgres()).create_database(migrated);
      const database = await open_database({ url, data_dir: null, connections: 4 });
      const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
      try {
        await forgettable(database);
        await fn({ database, superuser });
        const { faults, only_counted } = await verified(database);
        assert.deepEqual([faults, only_counted], [[], 0]);
        assert.equal((await follow_chain((sql) => database.query(sql), CHAIN_START)).fault, null);
      } finally {
        await superuser.close();
        await database.close();
      }
    },
  });
}

const account = (database: Database) =>
  database.query(
    "select messages_read::int as read, position::int, duplicates::int, quarantined::int, held::int from log_head",
  );

log_test(
  "ids stand in two tables alone, and after forgetting in none; the log, its proof and all figures stay",
  async ({ database, superuser }) => {
    const pipeline = await going_on(database);
    await feed(pipeline, [batch_of(messages([...TRIPS, faulty(ID), faulty("P-2")]), 0, 14)]);
    await database.execute("analyze");
    assert.deepEqual(await tables_holding(superuser, ID), ["persons", "quarantine"]);
    assert.deepEqual(await tables_holding(superuser, DRIVER), ["persons"]);
    const alias = (await read_aliases(database, "passenger", [ID, "P-2"])).get(ID)!;
    assert.match(alias, ALIAS);
    assert.deepEqual(
      await database.query("select trip_id from trips where passenger_id = $1 order by 1", [alias]),
      [{ trip_id: "A" }, { trip_id: "B" }, { trip_id: "D" }],
    );
    const tables = ["events", "trips", "trip_cells", "trip_totals", "trip_sketches", "source_cursors"];
    const all = async () => {
      const rows = await Promise.all(
        tables.map((table) => database.query(`select t::text as row from ${table} t order by 1`)),
      );
      return rows;
    };
    const before = await all(), counted = await account(database);

    const done = await forget(database);
    assert.deepEqual(done, { alias, erased: 1, batches: [2, 3] });
    await database.execute("analyze");
    assert.deepEqual(await tables_holding(superuser, ID), []);
    assert.deepEqual(await tables_holding(superuser, DRIVER), ["persons"]);
    assert.deepEqual(await all(), before);
    assert.deepEqual(await account(database), [{ ...counted[0], held: 1 }]);
    // On record: who, why and which alias; of the message its place, hash and size.
    assert.deepEqual(
      await database.query("select kind, note - 'quarantine' as note from batches where batch > 1 order by batch"),
      [
        { kind: "forgotten", note: { by: "Ada", dimension: "passenger", reason: "asked for it" } },
        { kind: "forgotten", note: { alias, by: "Ada", dimension: "passenger", reason: "asked for it" } },
      ],
    );
    assert.deepEqual(
      await database.query(
        `select message_offset::int as at, status, reason, path, detail, message_value, erased_bytes::int as bytes,
        message_hash = message_hash(null, '{}', convert_to($1, 'UTF8')) as same from quarantine where erased_bytes is not null`,
        [faulty(ID)],
      ),
      [{
        at: 12,
        status: "discarded",
        reason: "malformed_time",
        path: null,
        detail: "erased: it named a person who was forgotten",
        message_value: null,
        bytes: faulty(ID).length + 2,
        same: true,
      }],
    );
    // A second time there is nothing to do.
    assert.deepEqual(await forget(database), { alias: null, erased: 0, batches: [] });
  },
);

log_test(
  "what came before and comes again is the same event, whoever of it was forgotten; who comes back has a new alias",
  async ({ database, superuser }) => {
    const again = async (from: number) => {
      const batch = batch_of(messages([...TRIPS, faulty(ID)], from), 0, 13);
      const pipeline = await going_on(database);
      const cursors = new Cursors();
      cursors.reset(
        from === 0 ? [] : [{ topic: "trips", partition: 0, next_offset: from, cluster_id: "test", gap: null }],
      );
      await feed(pipeline, [{ ...batch, from_offset: from, next_offset: from + 13 }], cursors);
      const [head] = await account(database);
      return head;
    };
    assert.deepEqual(await again(0), { read: 13, position: 12, duplicates: 0, quarantined: 1, held: 1 });
    assert.deepEqual(await again(13), { read: 26, position: 12, duplicates: 12, quarantined: 2, held: 2 });
    const first = (await forget(database)).alias!;
    assert.deepEqual(await again(26), { read: 39, position: 12, duplicates: 24, quarantined: 3, held: 1 });
    assert.deepEqual(await tables_holding(superuser, ID), ["quarantine"]);
    // The same message at the same place stays erased; what differs in anything else is no repeat.
    assert.equal((await forget(database)).erased, 1);
    const other = { ...TRIPS[0], city: "Chicago" };
    const pipeline = await going_on(database), cursors = new Cursors();
    cursors.reset([{ topic: "trips", partition: 0, next_offset: 39, cluster_id: "test", gap: null }]);
    const later = messages([other, ...whole_trip("E", PERSONS)], 39);
    await feed(pipeline, [{ ...batch_of(later, 0, 4), from_offset: 39, next_offset: 43 }], cursors);
    assert.deepEqual((await account(database))[0], { read: 43, position: 15, duplicates: 24, quarantined: 4, held: 1 });
    const [row] = await database.query("select passenger_id from trips where trip_id = 'E'");
    const alias = (await read_aliases(database, "passenger", [ID])).get(ID)!;
    assert.deepEqual([row!.passenger_id, alias === first], [alias, false]);
  },
);

log_test(
  "what one instance planned by an alias that another one forgot, or names a person that another was first to name, is planned anew",
  async ({ database }) => {
    const one = await going_on(database), other = await going_on(database);
    const plan = (pipeline: typeof one, trip: string, from: number | null, partition: number) =>
      pipeline.plan(
        [{
          topic: "trips",
          partition,
          from_offset: from ?? 0,
          next_offset: (from ?? 0) + 3,
          messages: messages(whole_trip(trip, PERSONS), from ?? 0),
        }],
        [{ topic: "trips", partition, from, to: (from ?? 0) + 3 }],
        "test",
      );
    const [planned, rival] = [await plan(one, "A", null, 0), await plan(other, "B", null, 1)];
    await one.append(planned);
    await assert.rejects(
      other.append(rival),
      (error) => error instanceof Overtaken && /2 are there already/.test(error.message),
    );
    other.forget(await read_head(database));
    await other.append(await plan(other, "B", null, 1));
    const in_the_way = await plan(one, "C", 3, 0);
    const { alias } = await forget(database);
    await assert.rejects(
      one.append(in_the_way),
      (error) => error instanceof Overtaken && /as of 1 forgotten/.test(error.message),
    );
    one.forget(await read_head(database));
    await one.append(await plan(one, "C", 3, 0));
    const rows = await database.query(
      "select passenger_id as alias, array_agg(trip_id order by trip_id) as trips from trips group by 1 order by 2",
    );
    assert.deepEqual(rows.map(({ trips }) => trips), [["A", "B"], ["C"]]);
    assert.equal(rows[0]!.alias, alias);
  },
);

log_test(
  "a log that has ids from before goes on: repeats are repeats, and the door is shut from then on",
  async ({ database, superuser }) => {
    // As if it had been begun without.
    await superuser.script(
      "set session_replication_role = replica; update log_head set forgotten = null, forgettable_from = null",
    );
    await feed(trip_pipeline(database), [batch_of(messages(whole_trip("A", PERSONS)), 0, 3)]);
    const planned_before = trip_pipeline(database);
    const later = messages([...whole_trip("A", PERSONS), ...whole_trip("B", PERSONS)], 3);
    const batch = { ...batch_of(later, 0, 6), from_offset: 3, next_offset: 9 };
    const advance = [{ topic: "trips", partition: 0, from: 3, to: 9 }];
    const ids = await planned_before.plan([batch], advance, "test");
    await forgettable(database);
    await assert.rejects(planned_before.append(ids), Overtaken);
    const pipeline = await going_on(database);
    await pipeline.append(await pipeline.plan([batch], advance, "test"));
    assert.deepEqual(await account(database), [{ read: 9, position: 6, duplicates: 3, quarantined: 0, held: 0 }]);
    const rows = await database.query<{ id: string }>("select passenger_id as id from trips order by trip_id");
    assert.deepEqual([rows[0]!.id, ALIAS.test(rows[1]!.id)], [ID, true]);
    const [head] = await database.query("select forgettable_from from log_head");
    assert.equal(head!.forgettable_from, "4");
    await assert.rejects(
      settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD", forgettable: false }),
      /TACHO_FORGETTABLE=false, which would write their ids/,
    );
    await assert.rejects(
      database.execute("update log_head set forgotten = null, forgettable_from = null"),
      /goes on with them/,
    );
  },
);

log_test(
  "what is set aside is retried under aliases; a rehearsal keeps none; an id that cannot be one is refused",
  async ({ database }) => {
    const far = { ...whole_trip("A", PERSONS)[0], occurred_at: "2026-03-01T13:30:00Z" };
    const listed = { ...whole_trip("B")[0], driver_id: [DRIVER] };
    await feed(await going_on(database), [batch_of(messages([far, listed]), 0, 2)]);
    assert.deepEqual(await database.query("select reason, path from quarantine order by 1"), [
      { reason: "time_in_future", path: "time" },
      { reason: "unforgettable", path: "driver_id" },
    ]);
    const raised = { ...LIMITS, future_limit_ms: 86_400_000 };
    await (await make_retry(database, raised, { dry_run: true })).run(new AbortController().signal);
    assert.deepEqual(await database.query("select from persons"), []);
    await (await make_retry(database, raised)).run(new AbortController().signal);
    assert.deepEqual(
      await database.query("select dimension, person_id from persons order by 1"),
      [{ dimension: "driver", person_id: DRIVER }, { dimension: "passenger", person_id: ID }],
    );
    assert.equal(await discard_held(database, { filter: {}, newest_id: 9, limit: 9, by: "Ada", reason: "test" }, 0), 1);
    assert.equal((await forget(database)).erased, 1);
  },
);

log_test(
  "what was erased stays erased when its very bytes come again: that is another attempt, and nothing is kept",
  async ({ database, superuser }) => {
    const post = async () => (await make_intake_side(database)).post(faulty(ID));
    const first = (await post()).body.results[0];
    assert.deepEqual([first.status, first.attempts], ["quarantined", 1]);
    assert.equal((await forget(database)).erased, 1);
    const again = (await post()).body.results[0];
    assert.deepEqual([again.status, again.quarantine_id, again.attempts], ["quarantined", first.quarantine_id, 2]);
    assert.deepEqual(await tables_holding(superuser, ID), []);
    assert.deepEqual(await database.query("select status, detail, message_value from quarantine"), [
      { status: "discarded", detail: "erased: it named a person who was forgotten", message_value: null },
    ]);
  },
);

log_test(
  "what is exported or proven of a person is asked for by its id, and tells its alias alone",
  async ({ database }) => {
    await feed(await going_on(database), [batch_of(messages(TRIPS), 0, 12)]);
    const alias = (await read_aliases(database, "driver", [DRIVER])).get(DRIVER)!;
    const domain = { ...TEST_DOMAIN, board: { ...TEST_DOMAIN.board, persons: ["driver", "passenger"] } };
    const of_log = { domain, log_id: (await read_head(database)).log_id };
    const signal = new AbortController().signal, progress = () => {};

    const folder = new GuardedFolder("persons");
    await using _folder = { [Symbol.asyncDispose]: () => folder.dispose() };
    const rows_of = async (what: "states" | "totals", key: string) => {
      const { name, rows } = await export_table({
        ...{ ...of_log, database, place: new FolderPlace(folder.path, Date.now), what, signal, progress },
        form: { format: "csv", packing: null },
        ...{ filters: [{ dimension: "driver", key }], grain: null, from_us: null, to_us: null },
      });
      assert.doesNotMatch(await Deno.readTextFile(`${folder.path}/${name}`), new RegExp(DRIVER));
      return rows;
    };
    for (const key of [DRIVER, alias]) {
      assert.deepEqual([await rows_of("states", key), await rows_of("totals", key)], [3, 1], key);
    }

    const { key, believed } = await test_key(), days = days_in(TEST_TIME_ZONE);
    await sign_when_due(database, domain.name, key, null, Date.UTC(2026, 2, 2));
    const wanted = { figure: "completed", day: "2026-03-01", filter: { driver: DRIVER } };
    const found = await snapshot(database, (reading) => find_for_receipt(reading, { domain, days }, wanted));
    const deployment = { currency: "USD", h3_resolution: DEFAULT_H3_RESOLUTION, time_zone: TEST_TIME_ZONE };
    const lines: string[] = [], write = (text: string) => Promise.resolve(void lines.push(text));
    const source = { ...of_log, database, days, deployment, complete: false, signal, progress, write };
    const { about: { figure } } = await write_receipt(source, found);
    assert.deepEqual([figure?.value, figure?.filter], ["3", { driver: alias }]);
    assert.doesNotMatch(lines.join(""), new RegExp(DRIVER));
    const check = new ReceiptCheck(believed, () => ({ domain: TEST_DOMAIN, days }));
    for (const line of lines.join("").split(/(?<=\n)/)) await check.take(line);
    assert.equal(check.end().about.figure?.value, "3");
  },
);

/** Nothing that tells persons tells an alias of one that is not forgotten, as JSON or as CSV, as of now or of then. */
async function hold_no_alias(get: (path: string) => Promise<Response>, range: string): Promise<void> {
  const lists = [
    "kpis/items?figure=revenue&",
    "kpis/keys?dimension=driver&",
    "segments?dimension=driver&",
    "unusual/items?",
  ];
  const paths = [
    ...lists.flatMap((list) =>
      ["", "&format=csv"].flatMap((form) =>
        ["", "&as_of_position=11"].map((then) => `/api/v1/${list}${range}${form}${then}`)
      )
    ),
    ...["", "&as_of_position=11"].map((then) => `/api/v1/board?${range}${then}`),
    `/api/v1/kpis/greatest?measure=max_fare&${range}`,
    "/api/v1/search?find=needle",
    "/api/v1/search?find=D",
  ];
  for (const path of paths) {
    const response = await get(path), text = await response.text();
    assert.ok(response.status === 200, `${path}: ${response.status} ${text}`);
    assert.doesNotMatch(text, new RegExp(ALIAS.source.slice(1, -1)), path);
  }
}

log_test(
  "the API finds a person by its id and tells it by its id, and by its alias once it is forgotten",
  async ({ database }) => {
    await feed(await going_on(database), [batch_of(messages(TRIPS), 0, 12)]);
    const board = { ...trips_board, persons: ["driver", "passenger"] };
    const { get } = await make_http_side(database, { board });
    // deno-lint-ignore no-explicit-any -- JSON that tests look into
    const json = async (path: string): Promise<any> => {
      const response = await get(path);
      return { status: response.status, etag: response.headers.get("etag"), body: await response.json() };
    };
    const range = "from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z";
    const of_person = (id: string) => ({
      totals: `/metrics/passenger/${encodeURIComponent(id)}`,
      keys: "/metrics/passenger",
      trips: `/api/v1/trips?passenger=${encodeURIComponent(id)}`,
      series: `/api/v1/kpis/series?measure=completed&grain=1h&${range}&dimension=passenger&key=${
        encodeURIComponent(id)
      }`,
      drivers: "/api/v1/kpis/breakdown?dimension=driver",
      board: `/api/v1/board?${range}&passenger=${encodeURIComponent(id)}`,
      trip: "/api/v1/trips/A",
      events: "/api/v1/events",
    });
    const told = async (id: string) =>
      Object.fromEntries(
        await Promise.all(Object.entries(of_person(id)).map(async ([name, path]) => [name, await json(path)] as const)),
      );
    const before = await told(ID);
    assert.equal(before.totals.body.trip_count, 3);
    assert.deepEqual(before.keys.body.keys.toSorted(), ["passenger:P-2", `passenger:${ID}`]);
    assert.deepEqual(before.trips.body.trips.map(({ trip_id }: { trip_id: string }) => trip_id), ["D", "B", "A"]);
    assert.equal(before.trips.body.trips[0].passenger_id, ID);
    assert.deepEqual(before.series.body.points.map(({ value }: { value: number }) => value), [3]);
    assert.equal(before.series.body.key, ID);
    assert.deepEqual(before.drivers.body.rows.map(({ key }: { key: string }) => key), [DRIVER, "unknown"]);
    assert.equal(before.board.body.cards.completed, 3);
    assert.deepEqual(before.board.body.filter, [{ dimension: "passenger", keys: [ID], excluded: false }]);
    assert.ok(
      before.board.body.breakdowns.some(({ rows }: { rows: { key: string }[] }) =>
        rows.some(({ key }) => key === DRIVER)
      ),
    );
    assert.equal(before.trip.body.driver_id, DRIVER);
    assert.ok(JSON.stringify(before.trip.body.changes).includes(ID));
    // The log is told as it is.
    assert.ok(!JSON.stringify(before.events.body).includes("needle"));
    await hold_no_alias(get, range);

    const { alias } = await forget(database);
    const after = await told(ID);
    for (const [name, { etag }] of Object.entries(after)) {
      if (before[name].status === 200) {
        assert.notEqual(etag, before[name].etag, name);
      }
    }
    assert.ok(!JSON.stringify([after.keys, after.trips, after.trip, after.events]).includes(ID));
    assert.equal(after.totals.status, 404);
    assert.deepEqual(after.trips.body.trips, []);
    assert.deepEqual(after.keys.body.keys.toSorted(), ["passenger:P-2", `passenger:${alias}`]);
    assert.equal(after.trip.body.passenger_id, alias);
    assert.equal(after.trip.body.driver_id, DRIVER);
    // Its alias is a key like any other.
    const by_alias = await told(alias!);
    assert.equal(by_alias.totals.body.trip_count, 3);
    assert.equal(by_alias.trips.body.trips.length, 3);
  },
);

tacho_test({
  name:
    "the bytes leave the tables' files when these are rewritten; the write-ahead log holds them until its segments are used again",
  needs: ["postgres"],
  limit_ms: 120_000,
  async fn() {
    await using server = await start_postgres({ fsync: false, settings: { full_page_writes: "on" } });
    const { url, superuser_url } = await server.create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 2 });
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    const files_with = (folder: string): string[] => {
      const needle = new TextEncoder().encode(ID);
      const found: string[] = [];
      const look = (path: string) => {
        for (const { name, isDirectory } of Deno.readDirSync(path)) {
          const inner = `${path}/${name}`;
          if (isDirectory) look(inner);
          else if (includes(Deno.readFileSync(inner), needle)) found.push(inner.slice(server.data.length + 1));
        }
      };
      look(`${server.data}/${folder}`);
      return found;
    };
    try {
      await forgettable(database);
      await feed(await going_on(database), [batch_of(messages([...TRIPS, faulty(ID)]), 0, 13)]);
      await superuser.execute("checkpoint");
      assert.ok(files_with("base").length >= 2);
      await forget(database);
      await database.execute("vacuum persons, quarantine");
      await superuser.execute("checkpoint");
      const vacuumed = files_with("base");
      await database.execute("vacuum full persons, quarantine");
      await superuser.execute("checkpoint");
      assert.deepEqual(files_with("base"), []);
      assert.notDeepEqual(files_with("pg_wal"), []);
      console.log(`after vacuum alone the bytes are in ${vacuumed.length} files of tables and indexes`);
    } finally {
      await superuser.close();
      await database.close();
    }
  },
});

/** Whether bytes hold others. */
function includes(bytes: Uint8Array, needle: Uint8Array): boolean {
  for (let at = bytes.indexOf(needle[0]!); at >= 0; at = bytes.indexOf(needle[0]!, at + 1)) {
    if (needle.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}
