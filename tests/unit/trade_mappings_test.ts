import assert from "node:assert/strict";
import { TRADES, trades_domain } from "../../src/domains/trades/mod.ts";
import { decode_batches } from "../../src/ingest/mod.ts";
import { BuiltinMapping } from "../../src/mapping/mod.ts";
import { message, placed, READ_MS, TERMS } from "../support/trip_pipeline.ts";

/** What the built-in mappings of trades make of executions as feeds write them. */

const EXECUTION = { trade_id: "e-1", ticker: "AAPL", price: 123.45, volume: 500, timestamp: "2026-03-01T10:00:00Z" };

for (const json of TRADES.mappings) {
  const { name } = json as { name: string };
  Deno.test(`${name}: a side is known however it is written; what is none is refused, with what it said`, () => {
    const made = new BuiltinMapping(json, TRADES).mapping({ business_zone: "UTC" });
    assert.ok(made.ok);
    const decode = (side: unknown) => {
      const messages = [{ ...message(1, { ...EXECUTION, side }, READ_MS - 5_000), topic: "orders" }];
      const batch = placed({ topic: "orders", partition: 0, from_offset: 0, next_offset: 9, messages });
      const mappings = new Map([["orders", made.value]]);
      return decode_batches(trades_domain({ currency: "USD" }), TERMS, [batch], mappings)[0]!.outcome;
    };
    const sides = [
      ...["buy", "BUY", "Buy", " buy ", "b", "B"].map((said) => [said, "buy"] as const),
      ...["sell", "SELL", "Sell", "s", "S"].map((said) => [said, "sell"] as const),
      ["", ""],
      [null, null],
      [undefined, undefined],
    ] as const;
    for (const [said, side] of sides) {
      const outcome = decode(said);
      assert.ok("event" in outcome, JSON.stringify(outcome));
      assert.equal(JSON.parse(String(outcome.event.data)).side, side, JSON.stringify(said));
    }
    for (const said of ["hold", "buy sell", 1, true]) {
      const outcome = decode(said);
      assert.ok("fault" in outcome, JSON.stringify(outcome));
      assert.match(outcome.fault.detail, /expected buy or sell/, JSON.stringify(said));
    }
  });
}
