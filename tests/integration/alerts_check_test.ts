import assert from "node:assert/strict";
import {
  read_alerts_of,
  read_rule,
  read_rules_file,
  read_windows,
  replay_rule,
  unseen_keys,
} from "../../src/alerts/mod.ts";
import { snapshot } from "../../src/database/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { as_message, at, PAYMENTS_DOMAIN, type Told, with_payments } from "../support/told_payments.ts";

const DOMAIN = { board: PAYMENTS_DOMAIN.board, days: days_in("UTC") };
const DAY = 24 * 60;

/** One captured payment of 10.00. */
const captured = (minute: number, i: number, merchant: string): Told => ({
  payment: `P-${minute}-${i}`,
  id: "c1",
  kind: "captured",
  minute,
  cents: 1_000,
  named: { merchant, currency: "USD" },
  discount: null,
});
const SILENT = { signal: new AbortController().signal, seen: () => {} };
const rule_of = (json: Record<string, unknown>) => {
  const read = read_rule(DOMAIN.board, { name: "a", ...json });
  assert.ok(read.ok, JSON.stringify(read));
  return read.rule;
};

/** How many are captured in a minute: 5 as usual and 1 in minutes 60 to 69 of the second week; nothing in minutes 90 to 99 of it. */
const of_minute = (minute: number, week: number) =>
  week === 0 ? 5 : minute >= 90 && minute < 100 ? 0 : minute >= 60 && minute < 70 ? 1 : 5;

tacho_test({
  name: "a replay says when rules would have fired, against constants and a week before, of everything and of a key",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const told = [0, 1].flatMap((week) =>
        Array.from({ length: 121 }, (_, minute) =>
          Array.from({ length: of_minute(minute, week) }, (_, i) =>
            captured(week * 7 * DAY + minute, i, i === 0 ? "Kiosk" : "Bäcker"))).flat()
      );
      const source = new MemorySource("payments", [told.map(as_message)]);
      const running = start_ingest(database, source, {
        domain: PAYMENTS_DOMAIN,
        time_zone: "UTC",
        now_ms: () =>
          Date.parse(at(8 * DAY)),
      });
      await running.caught_up();
      await running.stop();
      const replayed = async (json: Record<string, unknown>) => {
        const { changes, unknown } = await replay_rule(database, DOMAIN, rule_of(json), 2 * 3_600e6, SILENT);
        const times = changes.map(({ to, window }) => [to, (window!.to_us / 1_000 - Date.parse(at(7 * DAY))) / 60_000]);
        return { times, unknown };
      };
      // Windows of five minutes: 60–65, 65–70 have 5, 90–95 and 95–100 have none, all others 25.
      assert.deepEqual(await replayed({ figure: "captured", below: 10 }), {
        times: [["firing", 65], ["resolved", 75], ["ok", 80], ["firing", 95], ["resolved", 105], ["ok", 110]],
        unknown: 0,
      });
      assert.deepEqual((await replayed({ figure: "captured", below: 3, for: "10m" })).times, [
        ["pending", 95],
        ["firing", 100],
        ["resolved", 105],
        ["ok", 110],
      ]);
      assert.deepEqual((await replayed({ figure: "captured_sum_micros", below: 60_000_000 })).times.slice(0, 1), [
        ["firing", 65],
      ], "a measure in its own unit");
      assert.deepEqual(
        (await replayed({ figure: "value", below: 60 })).times.slice(0, 1),
        [["firing", 65]],
        "a figure",
      );
      assert.deepEqual(
        (await replayed({ figure: "captured", falls: 50 })).times,
        [["firing", 65], ["resolved", 75], ["ok", 80], ["firing", 95], ["resolved", 105], ["ok", 110]],
        "a week before there were 25 in each",
      );
      const of_few = await replayed({ figure: "captured", falls: 50, window: "1m" });
      assert.deepEqual(of_few.times, [], "a week before there were 5: too few for a percent");
      assert.equal(of_few.unknown, 119, "the last minute is waited for");
      const of_key = { figure: "captured", filter: { merchant: ["Kiosk"] }, window: "5m" };
      assert.deepEqual((await replayed({ ...of_key, below: 1 })).times.slice(0, 1), [["firing", 95]]);
      const crossed = { ...of_key, filter: { merchant: ["Kiosk"], payment_method: ["unknown"] } };
      assert.deepEqual((await replayed({ ...crossed, below: 1 })).times.slice(0, 1), [["firing", 95]], "from states");
      const mean = await replayed({ figure: "average_value", above: 20 });
      assert.deepEqual([mean.times, mean.unknown], [[], 2], "a mean of nothing is not known");
      const silent = await replayed({ figure: "captured", below: 10, silence_until: at(7 * DAY + 75) });
      assert.deepEqual(silent.times, [["silenced", 65], ["ok", 75], ["firing", 95], ["resolved", 105], ["ok", 110]]);
      assert.deepEqual(await unseen_keys(database, DOMAIN, rule_of({ ...of_key, below: 1 })), []);
      const unseen = { figure: "captured", below: 1, filter: { merchant: ["Kiosk", "Kiosque"], city: ["unknown"] } };
      assert.deepEqual(await unseen_keys(database, DOMAIN, rule_of(unseen)), [{
        dimension: "merchant",
        keys: ["Kiosque"],
      }]);
    }),
});

tacho_test({
  name: "every figure and measure of a domain can be read by every window, of an empty log and of one with payments",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const { board } = DOMAIN;
      const read_all = async () => {
        const read: Record<string, number | null> = {};
        for (const figure of [...Object.keys(board.figures), "captured_sum_micros"]) {
          for (const window of ["1m", "5m", "1h", "1d"]) {
            for (const comparison of ["above", "rises", "score"]) {
              const rule = rule_of({ figure, window, [comparison]: 1, lag: "7d" });
              const from_us = Date.parse("2026-03-01T00:00:00Z") * 1_000;
              const one = {
                from_us,
                to_us: from_us + { "1m": 60e6, "5m": 300e6, "1h": 3_600e6, "1d": 86_400e6 }[window]!,
              };
              const [seen] = await snapshot(database, (reading) => read_windows(reading, DOMAIN, rule, [one]));
              if (window === "1d" && comparison === "above") read[figure] = seen!.figure;
              if (comparison !== "above") assert.equal(seen!.value, null, "nothing is known of a week before");
            }
          }
        }
        return read;
      };
      const empty = await read_all();
      assert.equal(empty.captured, 0);
      assert.equal(empty.average_value, null);
      assert.equal(empty.value_p95, null);
      const told = [0, 1, 2].map((i) => captured(10, i, "Kiosk"));
      const source = new MemorySource("payments", [told.map(as_message)]);
      const running = start_ingest(database, source, {
        domain: PAYMENTS_DOMAIN,
        time_zone: "UTC",
        now_ms: () => Date.parse(at(8 * DAY)),
      });
      await running.caught_up();
      await running.stop();
      const some = await read_all();
      assert.deepEqual([some.captured, some.value, some.average_value, some.captured_sum_micros], [3, 30, 10, 30e6]);
      assert.ok(Math.abs(some.value_p95! - 10) < 0.3);
    }),
});

Deno.test("the file of the documentation is a file of alerts", () => {
  const [, json] = /```json\n([\s\S]*?)\n```/.exec(
    Deno.readTextFileSync(new URL("../../docs/alerts.md", import.meta.url)),
  )!;
  const read = read_rules_file(json!, ["trips", "payments", "trades"]);
  assert.ok(read.ok, JSON.stringify(read));
  assert.deepEqual(read_alerts_of(DOMAIN.board, "payments", read.file).ok, true);
});
