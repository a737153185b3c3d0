import assert from "node:assert/strict";
import { run_chaos } from "../chaos/chaos.ts";
import { CHAOS_DOMAINS } from "../chaos/domains.ts";
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
    assert.ok(
      tally.sum("events") > 1_000 && tally.sum("duplicates") > 0 && tally.sum("quarantined") > 0,
      tally.json(SEED, 0, agreed),
    );
  },
});

const SIDE_BY_SIDE = ["program_killed", "broker_killed", "database_killed"] as const satisfies readonly Kind[];

tacho_test({
  name:
    "all domains in one program, two instances: killed program, broker and database; each domain agrees with its own oracle after every round",
  needs: ["postgres", "kafka"],
  limit_ms: 180_000,
  async fn() {
    const { tally, agreed } = await run_chaos({
      seed: SEED,
      rounds: SIDE_BY_SIDE.length,
      domains: CHAOS_DOMAINS,
      kinds: SIDE_BY_SIDE,
      most: 1,
      messages: [150, 250],
      say: console.log,
      signal: new AbortController().signal,
    });
    assert.ok(agreed, "see above");
    for (const cause of SIDE_BY_SIDE) assert.ok(tally.count(cause) > 0, cause);
    assert.deepEqual([...tally.of.keys()].sort(), CHAOS_DOMAINS.map(({ name }) => name).sort());
    for (const [name, { events, duplicates, quarantined }] of tally.of) {
      assert.ok(events > 300 && duplicates > 0 && quarantined > 0, `${name}: ${tally.json(SEED, 0, agreed)}`);
    }
  },
});
