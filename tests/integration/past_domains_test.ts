import assert from "node:assert/strict";
import { type Database, snapshot } from "../../src/database/mod.ts";
import { moment_at_position, read_head } from "../../src/event_log/mod.ts";
import {
  board_of_then,
  comparisons_of,
  past_states,
  read_past_board,
  read_whole_board,
  type Span,
  type View,
  type Watched,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { invented, log_template, make_log } from "../support/generated_log.ts";
import { shared_postgres } from "../support/postgres.ts";
import { said_board } from "../support/said_board.ts";

const DAYS = days_in("UTC");
const START_S = Date.UTC(2026, 2, 2, 11) / 1_000;
const HOURS = 1;
const NOW_MS = (START_S + 86_400) * 1_000;

/** Ranges that end within what was invented and past it, of each grain. */
const SPANS: readonly Span[] = [
  { range: "1h", to_s: START_S + 3_000 },
  { range: "6h", to_s: START_S + 2_000 },
  { range: "7d", to_s: START_S + 86_400 },
  { range: "custom", from_s: START_S - 50 * 86_400, to_s: START_S + 86_400 },
];

for (const declared of DOMAINS) {
  tacho_test({
    name:
      `${declared.name}: boards as of a position, without a filter and under one, are those of a log that ends there`,
    needs: ["postgres"],
    async fn() {
      const server = await shared_postgres(), values = invented(declared, HOURS);
      const logs: Database[] = [];
      const log_of = async (messages: readonly string[]): Promise<Database> => {
        const { url } = await server.create_database(log_template(declared));
        logs.push(await make_log(url, declared, messages, 100));
        return logs.at(-1)!;
      };
      try {
        const whole = await log_of(values), { position: head } = await read_head(whole);
        let of_cells = 0;
        for (const share of [0.35, 0.8]) {
          const growing = await log_of(values.slice(0, Math.floor(values.length * share)));
          const { position, watermark_us } = await read_head(growing);
          assert.ok(position > 100 && position < head);
          const domain = declared.make({ currency: "USD", h3_resolution: null });
          const { board } = domain, source = { database: growing, board, days: DAYS, lane_timeout_ms: 60_000 };
          const keyed = board.dimensions.find(({ name, grains }) =>
            grains.includes("1m") && ![board.whole.dimension, board.now.dimension].includes(name)
          )!;
          const [greatest] = await growing.query<{ key: string }>(
            `select key from ${board.tables.cells} cells where grain = 'all' and dimension = $1 order by last_position desc limit 1`,
            [keyed.name],
          );
          const filters = [[], [{ dimension: keyed.name, keys: [greatest!.key], excluded: false }]];
          for (const [span, filter] of SPANS.flatMap((span) => filters.map((filter) => [span, filter] as const))) {
            const currency = board.by_currency === undefined ? {} : { currency: board.by_currency };
            const view: View = { ...span, ...currency, filter, compare: "previous" };
            const watched: Watched = { view, window: window_at(view, NOW_MS, DAYS) };
            const then = await snapshot(whole, async (reading) => {
              const moment = await moment_at_position(reading, position);
              assert.equal(moment.watermark_us, watermark_us);
              const newest_event_ms = Math.floor(watermark_us! / 1_000),
                of = { position, newest_event_ms, now_ms: NOW_MS };
              const states = await past_states(domain)(reading, position, head);
              const comparisons = comparisons_of(watched.window, newest_event_ms, DAYS);
              if (await board_of_then(reading, { board, days: DAYS }, watched, states, comparisons) !== null) {
                of_cells++;
              }
              return await read_past_board(reading, { board, days: DAYS }, watched, states, of);
            });
            const now = await read_whole_board(source, watched, NOW_MS);
            assert.deepEqual(
              said_board(then, board, "UTC"),
              said_board(now, board, "UTC"),
              `${declared.name} as of ${position}, ${JSON.stringify(view)}`,
            );
          }
        }
        assert.equal(of_cells, 2 * 2 * SPANS.length, "cells say all of these boards");
      } finally {
        for (const log of logs) await log.close();
      }
    },
  });
}
