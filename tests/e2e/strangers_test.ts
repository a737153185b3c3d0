import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { hold } from "../support/hold.ts";
import { shell } from "../support/shell.ts";
import { assert_within } from "../support/slowness.ts";
import { type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** What others do to the program over HTTP, and what goes on all the while: ingest, the probes, the answers to who holds the token. */

const TOKEN = "a token of sixteen characters";
const BEARER = { authorization: `Bearer ${TOKEN}` };
const encoder = new TextEncoder(), decoder = new TextDecoder();

async function serve(name: string): Promise<{ program: ServingProgram; database_url: string }> {
  const env = { ...await make_deployment(name), TACHO_TOKEN: TOKEN };
  const program = await TachoProgram.serve("start", { env });
  await until("the program is ready", async () => (await fetch(`${program.url}readyz`)).status === 200);
  return { program, database_url: env.DATABASE_URL };
}

/** Posts a request of a trip; gives the status and how long that took, milliseconds. */
async function post_event(program: ServingProgram, id: string): Promise<{ status: number; ms: number }> {
  const begun_ms = performance.now();
  const answer = await fetch(`${program.url}api/v1/events`, {
    method: "POST",
    headers: { ...BEARER, "content-type": "application/json" },
    body: JSON.stringify({ event_id: id, trip_id: id, type: "trip.requested", occurred_at: new Date().toISOString() }),
  });
  await answer.body?.cancel();
  return { status: answer.status, ms: performance.now() - begun_ms };
}

/** Sends the beginning of a request, each on a connection of its own, so often; gives the connections, and how long that took, milliseconds. */
async function begin_requests(program: ServingProgram, count: number, beginning: string) {
  const port = Number(new URL(program.url).port), begun_ms = performance.now();
  const connections: Deno.TcpConn[] = [];
  for (let i = 0; i < count; i++) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(encoder.encode(beginning));
    connections.push(connection);
  }
  return { connections, took_ms: performance.now() - begun_ms };
}

/** The statuses that connections are answered with, each with how often. */
async function statuses_of(connections: readonly Deno.TcpConn[]): Promise<Record<string, number>> {
  const statuses = await Promise.all(connections.map(async (connection) => {
    const buffer = new Uint8Array(2_048);
    const read = await connection.read(buffer);
    return /^HTTP\/1\.1 (\d{3})/.exec(decoder.decode(buffer.subarray(0, read ?? 0)))?.[1] ?? "none";
  }));
  return Object.fromEntries(
    Object.entries(Object.groupBy(statuses, (status) => status)).map(([s, all]) => [s, all!.length]),
  );
}

async function resident_mib(program: ServingProgram): Promise<number> {
  const pages = await shell("read the program's memory", 'cut -d" " -f2 "/proc/$1/statm"', String(program.pid));
  return Number(pages) * 4_096 / 2 ** 20;
}

const head_of = (path: string, more = "") =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n${more}\r\n`;
const HALF = "[".padEnd(16_000, " ");
/** In which a body has to be there. */
const BODY_MS = 10_000;

tacho_test({
  name: "a thousand slow strangers move neither memory nor the log, and keep nobody out; slow bodies end with 408",
  needs: ["postgres", "kafka"],
  async fn() {
    const { program } = await serve("strangers");
    await using _ = program;
    assert.equal((await post_event(program, "warm")).status, 200);
    const said = program.stderr.split("\n").length;
    // The heap's young generation grows to the 64 MiB that the task gives it, whoever asks, before anything is collected.
    for (let round = 0; round < 12; round++) {
      const { connections } = await begin_requests(program, 1_000, head_of("/api/v1/events") + HALF);
      await statuses_of(connections);
      for (const connection of connections) connection.close();
    }
    const before_mib = await resident_mib(program);
    const kinds: readonly (readonly [name: string, beginning: string, answered: Record<string, number>])[] = [
      ["half a head", "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\n", {}],
      ["no token", head_of("/api/v1/events") + HALF, { 401: 1_000 }],
      ["to open a session", head_of("/api/v1/session") + HALF, { 413: 1_000 }],
      ["nowhere", head_of("/nowhere") + HALF, { 404: 1_000 }],
      ["with the token", head_of("/api/v1/events", `Authorization: Bearer ${TOKEN}\r\n`) + HALF, { 408: 96, 503: 904 }],
    ];
    for (const [name, beginning, answered] of kinds) {
      const { connections, took_ms } = await begin_requests(program, 1_000, beginning);
      try {
        const begun_ms = performance.now();
        if (name !== "with the token") {
          const event = await post_event(program, name);
          assert.equal(event.status, 200, name);
          assert_within(5_000, event.ms, `an event beside 1,000 ${name}`);
        }
        assert.equal((await fetch(`${program.url}readyz`)).status, 200);
        if (Object.keys(answered).length > 0) {
          const statuses = await statuses_of(connections);
          // Where it takes long to come, the last come when the first are through, and wait in their place.
          const late = took_ms < BODY_MS / 2 ? 0 : (statuses[408] ?? 0) - (answered[408] ?? 0);
          const expected = late > 0
            ? { ...answered, 408: answered[408]! + late, 503: answered[503]! - late }
            : answered;
          assert.deepEqual(statuses, expected, name);
        }
        const ms = performance.now() - begun_ms;
        assert_within(2 * BODY_MS, ms, `the answers to 1,000 ${name}`);
        const more_mib = await resident_mib(program) - before_mib;
        console.log(`1,000 ${name}: ${Math.round(more_mib)} MiB more, answered within ${Math.round(ms)} ms`);
        assert.ok(more_mib < 64, `${name}: ${more_mib} MiB more than before`);
      } finally {
        for (const connection of connections) connection.close();
      }
    }
    assert.equal((await post_event(program, "after")).status, 200);
    const lines = program.stderr.split("\n").length - said;
    assert.ok(lines < 5, `${lines} lines in the log: ${program.stderr.slice(-2_000)}`);
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "readers that hang take nothing from ingest and the probes; too many of them are told when to come again",
  needs: ["postgres", "kafka"],
  async fn() {
    const { program, database_url } = await serve("readers");
    await using _ = program;
    const database = await open_database({ url: database_url, data_dir: null, connections: 2 });
    const series = "api/v1/kpis/series?measure=fare_p50&grain=1h&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";
    const get = async (path: string) => {
      const answer = await fetch(`${program.url}${path}`, { headers: BEARER });
      return { status: answer.status, retry_after: answer.headers.get("retry-after"), body: await answer.json() };
    };
    try {
      assert.equal((await get(series)).status, 200);
      // Percentiles are read from a table that requests of trips do not touch.
      const release = await hold(database, "lock table trip_sketches in access exclusive mode");
      try {
        const readers = Array.from({ length: 120 }, () => get(series));
        await until("they hang", async () => {
          const [row] = await database.query(
            `select count(*)::integer as n from pg_locks l join pg_database d on d.oid = l.database
              where d.datname = current_database() and not l.granted`,
          );
          return Number(row?.n) === 4;
        });
        for (let i = 0; i < 5; i++) {
          const begun_ms = performance.now();
          const probes = await Promise.all(
            ["livez", "readyz", "metrics"].map((path) =>
              fetch(`${program.url}${path}`, { headers: BEARER }).then(async (answer) => {
                await answer.body?.cancel();
                return answer.status;
              })
            ),
          );
          const ms = performance.now() - begun_ms;
          assert.deepEqual(probes, [200, 200, 200]);
          assert_within(1_000, ms, "probes beside readers that hang");
          const event = await post_event(program, `trip-${i}`);
          assert.equal(event.status, 200);
          assert_within(2_000, event.ms, "an event beside readers that hang");
        }
        const answers = await Promise.all(readers);
        const told = Object.groupBy(answers, ({ status, body }) => `${status} ${body.title}`);
        assert.deepEqual(Object.keys(told).sort(), ["503 Busy", "503 Took too long"]);
        assert.ok(told["503 Busy"]!.every(({ retry_after }) => retry_after === "2"));
        assert.equal((await fetch(`${program.url}readyz`)).status, 200, "our own readers are no outage");
      } finally {
        await release();
      }
      assert.equal((await get(series)).status, 200);
    } finally {
      await database.close();
    }
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "a probe is false on a read-only database and says so; strangers hear since when, and no address",
  needs: ["postgres", "kafka"],
  async fn() {
    const { program, database_url } = await serve("read_only");
    await using _ = program;
    const database = await open_database({ url: database_url, data_dir: null, connections: 1 });
    const probe = async (headers: Record<string, string> = {}) => {
      const answer = await fetch(`${program.url}readyz`, { headers });
      return { status: answer.status, text: await answer.text() };
    };
    try {
      const [{ name } = {}] = await database.query("select current_database() as name");
      const new_sessions = async (read_only: "on" | "off") => {
        await database.script("set default_transaction_read_only = off");
        await database.script(`alter database "${name}" set default_transaction_read_only = ${read_only}`);
        await database.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
        );
      };
      await new_sessions("on");
      const told = await until("the probe says so", async () => {
        const { status, text } = await probe(BEARER);
        return status === 503 && text.includes("is read-only since") && text;
      });
      assert.match(told, /default_transaction_read_only/);
      const stranger = await probe();
      assert.equal(stranger.status, 503);
      assert.match(stranger.text, /is read-only since \S+Z"/);
      await new_sessions("off");
      await until("it is ready again", async () => (await probe()).status === 200);
    } finally {
      await database.close();
    }
    assert.equal(await program.term(), 0);
  },
});
