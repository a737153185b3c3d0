import assert from "node:assert/strict";
import { run_fuzz } from "../fuzz/fuzz_run.ts";
import { tacho_test } from "../support/available.ts";

const SEED = Number(Deno.env.get("TACHO_TEST_SEED") ?? 20_260_301);
const MESSAGES = 20_000;

/** What the messages must have met on the way; the others are common or rare. */
const MET = [
  "decode malformed_json",
  "decode malformed_utf8",
  "decode empty_value",
  "decode invalid_field",
  "decode number_out_of_range",
  "decode text_not_storable",
  "decode time_in_future",
  "decode too_deep",
  "decode too_large",
  "plan identity_conflict",
  "plan stream_full",
];

tacho_test({
  name: "fuzzed messages: the program neither ends nor stops, and what it made of each is what the oracle makes of it",
  needs: ["postgres", "kafka"],
  limit_ms: 300_000,
  async fn() {
    console.log(`seed ${SEED}`);
    const report = await run_fuzz({ messages: MESSAGES, seed: SEED, batch_messages: 2_000, most_mib: 1_024 });
    console.log(JSON.stringify(report));
    const share = (count: number) => count / MESSAGES;
    assert.ok(share(report.admitted) > 0.4, `${report.admitted} admitted`);
    assert.ok(share(report.quarantined) > 0.2, `${report.quarantined} quarantined`);
    assert.ok(report.duplicates > 100, `${report.duplicates} duplicates`);
    assert.deepEqual(MET.filter((reason) => !(reason in report.reasons)), []);
    assert.deepEqual(Object.keys(report.reasons).filter((reason) => reason.startsWith("append")), []);
  },
});
