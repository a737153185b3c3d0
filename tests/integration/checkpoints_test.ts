import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { Faults, read_cursors, read_head } from "../../src/event_log/mod.ts";
import { FolderPlace } from "../../src/export/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import {
  check_checkpoints,
  type CheckedCheckpoints,
  deliver,
  LogRewritten,
  outside_place,
  type PublicKeys,
  sign_when_due,
  webhook,
} from "../../src/proof/mod.ts";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { database_test } from "../support/read_side.ts";
import { test_key, type TestKey } from "../support/signing.ts";
import { feed, message, migrated, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";
import { batch_of, MESSAGES, verified } from "../support/verified_log.ts";

const DAY = Date.UTC(2026, 2, 1, 12);
const never = new AbortController().signal;
const NEVER_DUE = { batches: 1e9, ms: 1e12 };

/** Appends batches of so many of the messages. */
const append = async (database: Database, from: number, to: number, each: number, messages = MESSAGES) => {
  const batches = [];
  for (let at = from; at < to; at += each) batches.push(batch_of(messages, at, Math.min(at + each, to)));
  const cursors = new Cursors(() => read_cursors(database));
  await cursors.refresh();
  await feed(trip_pipeline(database), batches, cursors);
};
const checkpoints_of = (database: Database) =>
  database.query<{ batch: string; statement: string }>("select batch, statement from log_checkpoints order by batch");

async function with_folder(work: (folder: string, place: FolderPlace) => Promise<void>): Promise<void> {
  const made = new GuardedFolder("checkpoints");
  try {
    await work(made.path, new FolderPlace(made.path, Date.now));
  } finally {
    await made.dispose();
  }
}

/** Holds a log against a folder. */
async function held(
  database: Database,
  place: FolderPlace,
  keys: PublicKeys,
): Promise<CheckedCheckpoints & { readonly told: readonly string[] }> {
  const { log_id } = await read_head(database), faults = new Faults();
  const check = { database, domain: "trips", log_id, place, keys, faults, signal: never, progress: () => {} };
  return { ...await check_checkpoints(check), told: faults.told() };
}

database_test(
  "a checkpoint is signed when it is due by batches, by time or asked for, and never twice",
  async (database) => {
    const { key } = await test_key();
    const sign = async (pace: Parameters<typeof sign_when_due>[3], ms = 0) =>
      (await sign_when_due(database, "trips", key, pace, DAY + ms))?.checkpoint.batch ?? null;
    assert.equal(await sign(null), null);
    await append(database, 0, 2, 1);
    assert.equal(await sign(NEVER_DUE), 2);
    assert.equal(await sign(null), null);
    await append(database, 2, 4, 1);
    assert.equal(await sign({ batches: 3, ms: 10_000 }, 9_999), null);
    assert.equal(await sign({ batches: 3, ms: 10_000 }, 10_000), 4);
    await append(database, 4, 7, 1);
    assert.equal(await sign({ batches: 3, ms: 10_000 }, 10_001), 7);
    await append(database, 7, 8, 1);
    assert.equal(await sign(NEVER_DUE, 10_002), null);
    assert.equal(await sign(null, 10_002), 8);
    const { log_id } = await read_head(database);
    const rows = await checkpoints_of(database);
    assert.deepEqual(rows.map(({ batch }) => batch), ["2", "4", "7", "8"]);
    const said = JSON.parse(rows[2]!.statement);
    const [{ link }] = await database.query("select encode(link, 'hex') as link from batches where batch = 7") as [
      { link: string },
    ];
    const { link: of_statement, ...rest } = said;
    assert.equal(of_statement, link);
    assert.deepEqual(rest, {
      batch: 7,
      domain: "trips",
      key: key.id,
      log_id,
      position: 7,
      signed_at: "2026-03-01T12:00:10.001Z",
      tacho_checkpoint: 1,
    });
  },
  { both: true },
);

tacho_test({
  name: "several instances that sign one log leave neither doubles nor gaps, while it is appended to",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const instances = await Promise.all([1, 2, 3].map(() => open_database({ url, data_dir: null, connections: 2 })));
    const { key } = await test_key();
    try {
      let appended = false;
      const signing = instances.map(async (database) => {
        let signed = 0;
        while (!appended) {
          if (await sign_when_due(database, "trips", key, { batches: 4, ms: 1e12 }, DAY) !== null) signed++;
        }
        return signed;
      });
      try {
        // In rounds, so that signers who are slower than appends sign more than once.
        for (let from = 0; from < MESSAGES.length; from += 6) {
          const to = Math.min(from + 6, MESSAGES.length);
          await append(instances[0]!, from, to, 1);
          await until("what is due is signed", async () => {
            const [newest] = (await checkpoints_of(instances[0]!)).slice(-1);
            return to - Number(newest?.batch ?? 0) < 4;
          });
        }
      } finally {
        appended = true;
      }
      const signed = await Promise.all(signing);
      await Promise.all(instances.map((database) => sign_when_due(database, "trips", key, null, DAY)));
      const batches = (await checkpoints_of(instances[0]!)).map(({ batch }) => Number(batch));
      assert.ok(signed.reduce((sum, each) => sum + each) <= batches.length);
      assert.equal(batches.at(-1), MESSAGES.length);
      // Each comes at least four batches after the one before, but for the last, which was asked for.
      const steps = batches.slice(1, -1).map((batch, i) => batch - batches[i]!);
      assert.ok(steps.length >= 4 && steps.every((step) => step >= 4), String(batches));
    } finally {
      for (const each of instances) await each.close();
    }
  },
});

tacho_test({
  name:
    "what could not be delivered is delivered later, in order; a new destination gets all; what is outside is not written anew",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    await using _ = { [Symbol.asyncDispose]: () => database.close() };
    const database = await open_database({ url, data_dir: null, connections: 2 });
    const { key } = await test_key(), got: number[] = [];
    let status = 500;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      const { checkpoint } = await request.json();
      if (status === 200) got.push(JSON.parse(checkpoint).batch);
      return new Response(null, { status });
    });
    const hook = webhook(`http://127.0.0.1:${server.addr.port}/secret`);
    try {
      for (const batch of [1, 2, 3]) {
        await append(database, batch - 1, batch, 1);
        await sign_when_due(database, "trips", key, null, DAY);
        await assert.rejects(deliver(database, hook, never), (error) => {
          assert.match(
            String(error),
            /^Error: send a checkpoint to the webhook at 127\.0\.0\.1:\d+: expected 2xx, got 500$/,
          );
          return true;
        });
      }
      status = 200;
      assert.deepEqual([await deliver(database, hook, never), await deliver(database, hook, never)], [3, 0]);
      await append(database, 3, 4, 1);
      await sign_when_due(database, "trips", key, null, DAY);
      assert.deepEqual([await deliver(database, hook, never), got], [1, [1, 2, 3, 4]]);
      await with_folder(async (folder, place) => {
        assert.equal(await deliver(database, outside_place(place), never), 4);
        const files = await place.list("checkpoints/trips");
        assert.match(files[3]!, /^checkpoints\/trips\/000000000004-[0-9a-f]{16}-[0-9a-f]{4}\.json$/);
        // Another log under the same place: its files stand beside these; a file that is there stays as it is.
        const before = Deno.statSync(`${folder}/${files[0]}`);
        await database.execute("delete from checkpoint_deliveries");
        assert.equal(await deliver(database, outside_place(place), never), 4);
        assert.deepEqual(Deno.statSync(`${folder}/${files[0]}`).mtime, before.mtime);
      });
      const [row] = await database.query(
        "select count(*)::int as n from checkpoint_deliveries where destination like '%secret%'",
      );
      assert.equal(row!.n, 0);
    } finally {
      await server.shutdown();
    }
    await assert.rejects(deliver(database, { ...hook, id: "webhook gone" }, never), (error) => {
      assert.doesNotMatch(String(error), /secret/);
      return true;
    });
  },
});

interface World {
  readonly database: Database;
  /** What a superuser may do. */
  readonly harm: (sql: string) => Promise<void>;
  readonly url: string;
  readonly folder: string;
  readonly place: FolderPlace;
  readonly key: TestKey;
}

/** Lends a log of 42 events in nine batches, with checkpoints after 2, 5, 7 and 9 that stand outside. */
async function with_checkpoints(work: (world: World) => Promise<void>): Promise<void> {
  const { url, superuser_url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 3 });
  const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
  const key = await test_key();
  try {
    let from = 0;
    for (const to of [10, 25, 35, MESSAGES.length]) {
      await append(database, from, to, 5);
      await sign_when_due(database, "trips", key.key, null, DAY + to);
      from = to;
    }
    await with_folder(async (folder, place) => {
      await deliver(database, outside_place(place), never);
      const harm = (sql: string) => superuser.script(`set session_replication_role = replica; ${sql}`);
      await work({ database, harm, url, folder, place, key });
    });
  } finally {
    await superuser.close();
    await database.close();
  }
}

tacho_test({
  name:
    "a log agrees with its checkpoints; each way not to be what was signed is told, with the stretch that was rewritten",
  needs: ["postgres"],
  fn: () =>
    with_checkpoints(async ({ database, harm, folder, place, key }) => {
      const well = await held(database, place, key.believed);
      assert.deepEqual([well.outside, well.kept, well.last?.batch, well.told], [4, 4, 9, []]);
      const [two, five] = await place.list("checkpoints/trips") as [string, string];
      const text = Deno.readTextFileSync(`${folder}/${five}`);
      const told_of = async (changed: string, keys = key.believed) => {
        Deno.writeTextFileSync(`${folder}/${five}`, changed);
        const { told } = await held(database, place, keys);
        Deno.writeTextFileSync(`${folder}/${five}`, text);
        return told;
      };
      // A key that nobody believes, a signature that is none, another log, a word more, half a file.
      const other = await test_key();
      assert.match(
        (await held(database, place, other.believed)).told[0]!,
        /000000000002-.* is signed by the key [0-9a-f]{16}, which is not among those given/,
      );
      const flipped = text.replace(/"signature":"(.)/, (_, digit) => `"signature":"${digit === "0" ? "1" : "0"}`);
      assert.match((await told_of(flipped)).join(), /000000000005-.*the checkpoint of batch 5, .* has a bad signature/);
      assert.match((await told_of(text.replace("trips", "tripz"))).join(), /has a bad signature/);
      assert.match((await told_of(text.slice(0, 50))).join(), /expected a checkpoint, got /);
      assert.match((await told_of(`${text} `)).join(), /another form of it/);
      // The owner of the key signs another log.
      await harm("update log_head set log_id = '00000000-0000-0000-0000-000000000000'");
      assert.match(
        (await held(database, place, key.believed)).told[0]!,
        /is of log [0-9a-f-]{36} \(trips\), this is 00000000-/,
      );
      await assert.rejects(sign_when_due(database, "trips", key.key, null, DAY), LogRewritten);
      const { checkpoint } = JSON.parse(text), { log_id } = JSON.parse(checkpoint);
      await harm(`update log_head set log_id = '${log_id}'`);
      // What was removed from the table, or was never there.
      await harm("delete from log_checkpoints where batch = 5");
      assert.match(
        (await held(database, place, key.believed)).told.join(),
        /^the checkpoint of batch 5, .* is outside and not in log_checkpoints$/,
      );
      await harm("update log_checkpoints set batch = 5 where batch = 7");
      assert.match(
        (await held(database, place, key.believed)).told.join(),
        /log_checkpoints, batch 5: what is signed there is of batch 7/,
      );
      await harm("update log_checkpoints set batch = 7 where batch = 5");
      Deno.removeSync(`${folder}/${two}`);
      assert.equal((await held(database, place, key.believed)).outside, 3);
      assert.match(
        (await held(database, new FolderPlace(`${folder}/none`, Date.now), key.believed)).told.join(),
        /^there is no checkpoint in .*none\/checkpoints\/trips$/,
      );
    }),
});

tacho_test({
  name:
    "an owner of the database who writes the log anew, with links, headers and cells that fit, is found out by the checkpoints outside, and the stretch told",
  needs: ["postgres"],
  fn: () =>
    with_checkpoints(async ({ database, place, key }) => {
      // All of it anew: one fare of batch 6 is another, everything after follows from it, and the log has its old name.
      const other_fare = MESSAGES.map((each) =>
        each.offset === 27
          ? message(27, {
            event_id: "c",
            trip_id: "T-7",
            type: "trip.completed",
            occurred_at: "2026-03-01T10:27:00Z",
            fare: 99,
            serial: "x",
          })
          : each
      );
      const { log_id } = await read_head(database);
      const { url, superuser_url } = await (await shared_postgres()).create_database(migrated);
      const anew = await open_database({ url, data_dir: null, connections: 3 });
      const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
      const harm = (sql: string) => superuser.script(`set session_replication_role = replica; ${sql}`);
      try {
        for (const [from, to] of [[0, 10], [10, 25], [25, 35], [35, MESSAGES.length]] as const) {
          await append(anew, from, to, 5, other_fare);
          await harm(`update log_head set log_id = '${log_id}'`);
          // Even the key may be in the owner's hands.
          await sign_when_due(anew, "trips", key.key, null, DAY + to);
        }
        assert.deepEqual((await verified(anew)).faults, []);
        const found = await held(anew, place, key.believed);
        const stretch =
          /^batches 6 to 7 \(position 26 to 35\) were rewritten: the checkpoint of batch 5, signed .*, agrees, the checkpoint of batch 7, signed .*, does not, nor do 1 after it$/;
        assert.ok(found.told.some((told) => stretch.test(told)), found.told.join("\n"));
        assert.match(
          found.told[0]!,
          /^the checkpoint of batch 7, .* is outside and not in log_checkpoints, nor are 1 others$/,
        );
        assert.equal(found.last?.batch, 5);
      } finally {
        await superuser.close();
        await anew.close();
      }
    }),
});

tacho_test({
  name:
    "a log whose end was cut off, or that was begun anew, is shorter than a checkpoint; nothing more is signed in a log that is not the one that was",
  needs: ["postgres"],
  fn: () =>
    with_checkpoints(async ({ database, harm, place, key }) => {
      await harm(`delete from events where position > 35; delete from batches where batch > 7;
        update log_head set batch = 7, position = 35, link = (select link from batches where batch = 7)`);
      assert.match(
        (await held(database, place, key.believed)).told.join(),
        /^the log ends with batch 7, the checkpoint of batch 9, signed .*, is past that: batches 8 to 9 are missing$/,
      );
      await assert.rejects(sign_when_due(database, "trips", key.key, null, DAY), /past the log's end, batch 7/);
      await harm("update batches set link = sha256(link) where batch = 2");
      assert.match(
        (await held(database, place, key.believed)).told[0]!,
        /^batches 1 to 2 \(position 1 to 10\) were rewritten: there is none before it that agrees, /,
      );
    }),
});

database_test("checkpoints cannot be changed or removed", async (database) => {
  const { key } = await test_key();
  await append(database, 0, 2, 1);
  await sign_when_due(database, "trips", key, null, DAY);
  for (
    const statement of [
      "update log_checkpoints set statement = ''",
      "delete from log_checkpoints",
      "truncate log_checkpoints",
    ]
  ) {
    await assert.rejects(database.execute(statement), /refused: the event log is append-only/);
  }
  assert.equal((await checkpoints_of(database)).length, 1);
});
