import assert from "node:assert/strict";
import fc from "fast-check";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import { RANDOM_TIMES, trip_event } from "../support/random_trips.ts";
import { database_test } from "../support/read_side.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

/** A window that slides over a series: each point is what a board of that window says, computed or from cells. */

const BROKER_MS = Date.UTC(2026, 2, 9, 12);
/** Figures of a series, and the cards that say the same. */
const FIGURES = ["completed", "revenue", "average_fare", "max_fare", "min_fare", "average_waiting_min", "canceled"];
const SERIES = [["1h", "1m", 60], ["1h", "5m", 300], ["1h", "15m", 900], ["1h", "1h", 3_600], ["24h", "15m", 900], [
  "24h",
  "1h",
  3_600,
]] as const;
const FILTERS = ["", "city=Chicago", "city=Chicago&payment_method=card"] as const;

tacho_test({
  name:
    "what slides over an hour or a day is what boards of each of these windows say, of random trips, under any filter",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const asked = fc.array(
      fc.record({
        series: fc.constantFrom(...SERIES),
        figure: fc.constantFrom(...FIGURES),
        filter: fc.constantFrom(...FILTERS),
        at: fc.integer({ min: 0, max: 12 }),
      }),
      { minLength: 12, maxLength: 12 },
    );
    let told = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(trip_event, { minLength: 80, maxLength: 200 }), asked, async (all, questions) => {
        const { url } = await (await shared_postgres()).create_database(migrated);
        const database = await open_database({ url, data_dir: null, connections: 2 });
        try {
          const messages = all.map((each, offset) => message(offset, each, BROKER_MS));
          const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
          await feed(trip_pipeline(database, () => BROKER_MS), [batch]);
          const side = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
          side.time.now = BROKER_MS;
          const time = (s: number) => new Date(s * 1_000).toISOString();
          for (const { series: [rolling, grain, step_s], figure, filter, at } of questions) {
            // Six buckets from some hour around what happened, of which the windows reach before it.
            const from_s = Math.floor(RANDOM_TIMES.from_s / 3_600) * 3_600 + at * Math.max(step_s, 900),
              to_s = from_s + 6 * step_s;
            const query = `measure=${figure}&grain=${grain}&from=${time(from_s)}&to=${
              time(to_s)
            }&rolling=${rolling}&${filter}`;
            const answer = await json_of(side.get(`/api/v1/kpis/series?${query}`));
            assert.equal(answer.rolling, rolling);
            const points = new Map<number, unknown>(
              answer.points.map((point: { at: string; value: unknown }) => [Date.parse(point.at) / 1_000, point.value]),
            );
            assert.ok([...points.keys()].every((t) => t >= from_s && t < to_s && (t - from_s) % step_s === 0), query);
            for (let t = from_s; t < to_s; t += step_s) {
              const end_s = t + step_s, length_s = rolling === "1h" ? 3_600 : 86_400;
              const board = await json_of(
                side.get(`/api/v1/board?from=${time(end_s - length_s)}&to=${time(end_s)}&grain=${grain}&${filter}`),
              );
              const value = points.get(t), card = board.cards[figure];
              if (value === undefined) assert.ok(card === 0 || card === null, `${query} at ${time(t)}: ${card}`);
              else if (value === null || card === null) assert.equal(value, card, `${query} at ${time(t)}`);
              // Text against a number, of which the last bit may differ.
              else {assert.ok(
                  Math.abs(Number(value) / card - 1) < 1e-15 || Number(value) === card,
                  `${query} at ${time(t)}: ${value} ${card}`,
                );}
              told += value === undefined ? 0 : 1;
            }
          }
        } finally {
          await database.close();
        }
      }),
      { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 3), endOnFailure: true },
    );
    assert.ok(told > 40, `${told} points`);
  },
});

database_test("what does not roll is refused with the reason", async (database) => {
  const side = await make_http_side(database);
  const span = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";
  for (
    const [query, path, words] of [
      [`measure=fare_p95&grain=1h&${span}&rolling=24h`, "rolling", "a percentile is of one bucket"],
      [`measure=active_drivers&grain=1h&${span}&rolling=24h`, "rolling", "would count in each"],
      [`measure=revenue&grain=1d&${span}&rolling=24h`, "rolling", "got grain=1d"],
      [`measure=revenue&grain=1h&${span}&rolling=2h`, "rolling", "1h"],
      ["measure=revenue&grain=1h&order=arrival&rolling=1h", "rolling", "event_time"],
      [
        "measure=revenue&grain=1h&from=2026-01-29T00:00:00Z&to=2026-03-01T03:00:00Z&rolling=24h&driver=D1",
        "to",
        "shorter",
      ],
    ] as const
  ) {
    const refused = await side.get(`/api/v1/kpis/series?${query}`), { errors } = await refused.json();
    assert.deepEqual([refused.status, errors?.[0].path], [400, path], query);
    assert.ok(errors[0].detail.includes(words), errors[0].detail);
  }
});
