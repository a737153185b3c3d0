import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { free_port } from "../support/free_port.ts";
import { shared_postgres } from "../support/postgres.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** A reader of the log that outlives the program: it goes on where it was, and has every event once, in order. */

const TRIPS = 300, KILLS = 2;
const TOKEN = "a-token-of-tests-only", AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

/** Follows the log until the signal, whatever happens to the server, and notes each position that it is told. */
async function follow(url: string, seen: number[], signal: AbortSignal): Promise<void> {
  let after = 0, log_id = "";
  while (!signal.aborted) {
    const of_log = log_id === "" ? "" : `&log_id=${log_id}`;
    try {
      const response = await fetch(`${url}api/v1/events?follow=ndjson&after=${after}${of_log}`, {
        signal,
        headers: AUTHORIZED,
      });
      if (response.status !== 200) {
        const said = await response.text();
        assert.equal(response.status, 503, said);
        continue;
      }
      let rest = "";
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines.map((each) => JSON.parse(each))) {
          after = line.position ?? line.through;
          if (line.position !== undefined) seen.push(line.position);
          else log_id = line.log_id;
        }
      }
    } catch (error) {
      // The server is away; a line that was cut is told again.
      if (error instanceof assert.AssertionError) throw error;
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }
}

/** Posts a trip's event until the server has it. */
async function post(url: string, i: number): Promise<void> {
  const trip_id = `T-${i}`, occurred_at = new Date(Date.UTC(2026, 2, 1) + i * 1_000).toISOString();
  const body = JSON.stringify({ event_id: `e-${i}`, type: "trip.completed", trip_id, occurred_at, fare: "10.00" });
  await until(`event ${i} is posted`, async () => {
    try {
      const headers = { ...AUTHORIZED, "content-type": "application/json" };
      const response = await fetch(`${url}api/v1/events`, { method: "POST", headers, body });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false;
    }
  }, 60_000);
}

tacho_test({
  name: "a reader that follows the log through kill -9 and restarts has every event once, in order",
  needs: ["postgres"],
  limit_ms: 180_000,
  async fn() {
    const { url: DATABASE_URL } = await (await shared_postgres()).create_database();
    const port = free_port(), url = `http://127.0.0.1:${port}/`;
    const env = { DATABASE_URL, PORT: String(port), TACHO_TOKEN: TOKEN };
    const seen: number[] = [], done = new AbortController();
    let program = await TachoProgram.serve("start", { env });
    const following = follow(url, seen, done.signal);
    try {
      const posting = (async () => {
        for (let i = 0; i < TRIPS; i++) await post(url, i);
      })();
      for (let kill = 1; kill <= KILLS; kill++) {
        await until("the reader is in the middle", () => seen.length >= kill * TRIPS / (KILLS + 1), 60_000);
        await program[Symbol.asyncDispose]();
        program = await TachoProgram.serve("start", { env });
      }
      await posting;
      const database = await open_database({ url: DATABASE_URL, data_dir: null, connections: 1 });
      const [row] = await database.query<{ position: string }>("select position from log_head");
      await database.close();
      assert.equal(Number(row!.position), TRIPS);
      await until("the reader has all", () => seen.length >= TRIPS, 30_000);
    } finally {
      done.abort();
      await following;
      await program[Symbol.asyncDispose]();
    }
    assert.deepEqual(seen, Array.from({ length: TRIPS }, (_, i) => i + 1));
  },
});
