import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { tables_holding } from "../support/held_text.ts";
import { shared_postgres } from "../support/postgres.ts";
import { is_ready, run_tacho, run_verb, TachoProgram, task_command } from "../support/tacho_program.ts";
import { whole_trip } from "../support/trip_events.ts";
import { until } from "../support/until.ts";

/** A person is forgotten while two programs run, through the command line. */

const ID = "P-needle-4711", PAYER = "C-needle-0815";
const TOKEN = "a token of sixteen characters";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
const FORGETTABLE = { TACHO_TOKEN: TOKEN, TACHO_FORGETTABLE: "true", TACHO_DOMAINS: "trips,payments" };

async function post(url: string, values: readonly unknown[]): Promise<string[]> {
  const response = await fetch(`${url}api/v1/events`, {
    method: "POST",
    headers: { ...AUTHORIZED, "content-type": "application/x-ndjson" },
    body: values.map((each) => JSON.stringify(each)).join("\n"),
  });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer.results.map(({ status }: { status: string }) => status);
}

/** How many trips the totals of a passenger have; null where there are none. */
async function trips_of(url: string, passenger: string): Promise<number | null> {
  const response = await fetch(`${url}metrics/passenger/${passenger}`, { headers: AUTHORIZED });
  const { trip_count } = await response.json();
  return response.status === 404 ? null : trip_count;
}

const payment = (id: string) => ({
  event_id: "a",
  payment_id: id,
  type: "payment.captured",
  occurred_at: "2026-03-01T10:00:00Z",
  amount: "5",
  payer_id: PAYER,
});

tacho_test({
  name:
    "tacho forget, while two programs take events in: both go on under new aliases, nothing holds the id, verify agrees, an export makes the same log",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const server = await shared_postgres();
    const { url, superuser_url } = await server.create_database(), other = await server.create_database();
    const made = new GuardedFolder("forget");
    await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
    const env = { DATABASE_URL: url, ...FORGETTABLE };
    await using one = await TachoProgram.serve("start", { env });
    await until("the first log is open", () => is_ready(one.url), 60_000);
    // Another instance need not be told: the log says it.
    await using two = await TachoProgram.serve("start", { env: { ...env, TACHO_FORGETTABLE: "" } });
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    try {
      for (const { url } of [one, two]) await until("both logs are open", () => is_ready(url), 60_000);
      const trip = (id: string) => whole_trip(id, { passenger_id: ID });
      assert.deepEqual(await post(one.url, trip("A")), ["admitted", "admitted", "admitted"]);
      assert.deepEqual(await post(two.url, trip("B")), ["admitted", "admitted", "admitted"]);
      assert.deepEqual(await post(two.url, [{ ...trip("C")[0], occurred_at: "yesterday" }]), ["quarantined"]);
      await post(`${one.url}payments/`, [payment("X")]);
      assert.deepEqual(await tables_holding(superuser, ID), ["persons", "quarantine"]);
      assert.deepEqual(await tables_holding(superuser, PAYER), ["payments.persons"]);
      assert.equal(await trips_of(two.url, ID), 2);

      const asked = ["forget", "--passenger", ID, "--by", "ada", "--reason", "asked for it"];
      const rehearsed = await run_verb([...asked, "--dry-run"], { env });
      assert.match(
        rehearsed.stdout,
        /^would forget: passenger ~[\w-]{22}; 1 messages of the quarantine name it: 1\n$/,
      );
      assert.deepEqual(await tables_holding(superuser, ID), ["persons", "quarantine"]);
      const [, alias] = /passenger (~\S{22})/.exec(rehearsed.stdout)!;
      const done = await run_verb(asked, { env });
      assert.equal(
        done.stdout,
        `forgotten in batch 4, 5: passenger ${alias}; 1 messages of the quarantine erased\n`,
      );
      assert.ok(!`${rehearsed.stderr}${done.stderr}${done.stdout}${one.output}${two.output}`.includes(ID));
      assert.deepEqual(await tables_holding(superuser, ID), []);
      assert.equal(await trips_of(two.url, ID), null);
      assert.equal(await trips_of(two.url, alias!), 2);
      assert.match((await run_verb(asked, { env })).stdout, /^nothing to forget: /);

      // What came before is known, whoever comes back is somebody new; of both programs.
      assert.deepEqual(await post(one.url, trip("A")), ["duplicate", "duplicate", "duplicate"]);
      assert.deepEqual(await tables_holding(superuser, ID), []);
      assert.deepEqual(await post(two.url, trip("D")), ["admitted", "admitted", "admitted"]);
      assert.deepEqual(await post(one.url, trip("E")), ["admitted", "admitted", "admitted"]);
      assert.equal(await trips_of(two.url, ID), 2);
      const back = await run_verb(asked, { env });
      assert.match(back.stdout, /^forgotten in batch \d+: passenger ~\S{22}; 0 messages/);
      assert.ok(!back.stdout.includes(alias!));

      const payer = ["forget", "--domain", "payments", "--payer", PAYER, "--by", "ada", "--reason", "asked for it"];
      assert.match((await run_verb(payer, { env })).stdout, /^forgotten in batch 2: payer ~\S{22}; 0 messages/);
      assert.deepEqual(await tables_holding(superuser, PAYER), []);
      for (const domain of ["trips", "payments"]) {
        assert.match((await run_verb(["verify", "--domain", domain], { env })).stdout, /^consistent: /);
      }

      const out = await run_tacho([], {
        env,
        command: [...task_command("export"), "ndjson", "--out", `${made.path}/log`],
      });
      assert.equal(out.code, 0, out.stderr);
      const files = [...Deno.readDirSync(`${made.path}/log`)].map(({ name }) => `${made.path}/log/${name}`)
        .filter((path) => /events-\d/.test(path));
      assert.ok(files.length > 0 && files.every((path) => !Deno.readTextFileSync(path).includes(ID)));
      const again = { DATABASE_URL: other.url, TACHO_FORGETTABLE: "true" };
      assert.match(
        (await run_verb(["replay", "--to", "log", ...files], { env: again })).stderr,
        / 12 admitted, 0 there/,
      );
      const copied = await open_database({ url: other.url, data_dir: null, connections: 1 });
      try {
        const chain = "select array_agg(content_hash::text order by batch) as hashes from batches where admitted > 0";
        assert.deepEqual(await copied.query(chain), await superuser.query(chain));
        assert.deepEqual(await copied.query("select from persons"), []);
      } finally {
        await copied.close();
      }
    } finally {
      await superuser.close();
    }
  },
});

tacho_test({
  name:
    "tacho forget refuses what it cannot mean: no person, one of another domain, an id on record, a log that has ids",
  needs: ["postgres"],
  limit_ms: 120_000,
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url, TACHO_TOKEN: TOKEN };
    await run_verb(["migrate"], { env });
    const words = ["--by", "ada", "--reason", "asked for it"];
    for (
      const [said, ...args] of [
        [/expected --driver or --passenger, as the domain trips has it, got none/, ...words],
        [/got --driver and --passenger/, "--driver", "D1", "--passenger", "P1", ...words],
        [/expected --driver or --passenger, .*, got --payer/, "--payer", "C1", ...words],
        [
          /expected no person, as the domain trades has it, got --driver/,
          "--driver",
          "D1",
          "--domain",
          "trades",
          ...words,
        ],
        [/without the id/, "--driver", "D1", "--by", "ada", "--reason", "D1 asked"],
        [/expected an id, got none/, "--driver", "-", ...words],
        [
          /has the ids of persons as they came, .*; TACHO_FORGETTABLE=true keeps aliases from then on/,
          "--driver",
          "D1",
          ...words,
        ],
      ] as const
    ) {
      const ended = await run_tacho(["forget", ...args], { env });
      assert.deepEqual([ended.code, said.test(ended.stderr)], [2, true], ended.stderr);
    }
    // From when on it is on, what was there before is told.
    await using program = await TachoProgram.serve("start", { env });
    await post(program.url, whole_trip("A", { driver_id: "D1" }));
    await program.term();
    const later = { ...env, TACHO_FORGETTABLE: "true" };
    await using again = await TachoProgram.serve("start", { env: later });
    await post(again.url, whole_trip("B", { driver_id: "D1" }));
    const ended = await run_tacho(["forget", "--driver", "D1", ...words], { env });
    assert.equal(ended.code, 1, ended.stderr);
    assert.match(ended.stdout, /^forgotten in batch 3: driver ~/);
    assert.match(
      ended.stderr,
      /not forgotten: 1 trips have the id in the log, which does not change, from before position 4/,
    );
    await again.term();
    const off = await run_tacho(["verify"], { env: { ...env, TACHO_FORGETTABLE: "false" } });
    assert.deepEqual([off.code, /leave it out/.test(off.stderr)], [2, true], off.stderr);
  },
});
