import assert from "node:assert/strict";
import { run_chaos } from "../chaos/chaos.ts";
import type { Kind } from "../chaos/schedule.ts";
import { tacho_test } from "../support/available.ts";

/** A short run of what `deno task chaos` does for hours: the same code, a fixed seed. */

const SEED = Number(Deno.env.get("TACHO_TEST_SEED") ?? 20_260_301);
const CAUSES = [
  "program_killed",
  "broker_killed",
  "database_killed",
  "connection_terminated",
  "partition_and_member_added",
] as const satisfies readonly Kind[];

tacho_test({
  name:
    "killed program, broker and database, a connection cut in mid-transaction, a rebalance: after every round the oracle agrees",
  needs: ["postgres", "kafka"],
  limit_ms: 300_000,
  async fn() {
    const { tally, agreed } = await run_chaos({
      seed: SEED,
      rounds: CAUSES.length,
      kinds: CAUSES,
      most: 1,
      messages: [300, 500],
      say: console.log,
      signal: new AbortController().signal,
    });
    assert.ok(agreed, "see above");
    for (const cause of CAUSES) assert.equal(tally.count(cause), 1, cause);
    assert.equal(tally.rounds, CAUSES.length);
    assert.ok(tally.events > 1_000 && tally.duplicates > 0 && tally.quarantined > 0, tally.json(SEED, 0, agreed));
  },
});
