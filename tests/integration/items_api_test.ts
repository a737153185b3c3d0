import assert from "node:assert/strict";
import fc from "fast-check";
import { open_database } from "../../src/database/mod.ts";
import type { DomainBoard } from "../../src/domains/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import { format_filter, past_states } from "../../src/feed/figures/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { invented, log_template, make_log } from "../support/generated_log.ts";
import { type HttpSide, json_of, make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import { random_filter, random_span, trip_event } from "../support/random_trips.ts";
import { trips_board } from "../support/trip_board.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

/** What a figure is made of adds up to it, to the smallest unit, whatever is looked at; each item is there once. */

const BROKER_MS = Date.UTC(2026, 2, 9, 12);

interface Told {
  readonly value: string | null;
  readonly sum: string;
  readonly over: number | null;
  readonly total_items: number;
  readonly items: { readonly id: string; readonly at: string; readonly value: string; readonly over: number | null }[];
  readonly next_offset: number | null;
}

/** Millionths, exactly. */
function micros(text: string): bigint {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(text)!;
  return BigInt(`${sign}${whole}${fraction.padEnd(6, "0")}`);
}

/** All items, page by page, the last time that it was told what all of them are. */
async function all_items(side: HttpSide, query: string, most: number) {
  const items: Told["items"] = [];
  let told: Told | null = null;
  for (let offset: number | null = 0; offset !== null; offset = told.next_offset) {
    told = await json_of(side.get(`/api/v1/kpis/items?${query}&limit=${most}&offset=${offset}`)) as Told;
    items.push(...told.items);
  }
  return { ...told!, items };
}

/** Holds every figure of a board against what it is made of. */
async function agree(side: HttpSide, board: DomainBoard, base: string, view: string): Promise<number> {
  const { cards } = await json_of(side.get(`${base}/api/v1/board?${view}`));
  let held = 0;
  for (const card of board.cards) {
    const name = "now" in card ? card.name : card.figure;
    const figure = "now" in card ? null : board.figures[name]!;
    const answer = await side.get(`${base}/api/v1/kpis/items?${view}&figure=${name}`);
    if (answer.status === 400) {
      const { errors: [{ path, detail }] } = await answer.json();
      assert.ok(path === "figure" && / has no items: it|has no items: a percentile/.test(detail), detail);
      assert.ok(figure?.kind !== "mean", name);
      continue;
    }
    await answer.body?.cancel();
    const told = await all_items(side, `${view}&figure=${name}`, 7);
    const where = `${name} of ${view}`, value = cards[card.name] as number | null;
    assert.equal(new Set(told.items.map(({ id }) => id)).size, told.items.length, where);
    assert.equal(told.items.length, told.total_items, where);
    const sum = told.items.reduce((sum, item) => sum + micros(item.value), 0n);
    // A millisecond is no decimal of a minute: each item is rounded to a millionth.
    const rounded = figure?.unit === "min" ? told.items.length / 2 : 0;
    assert.ok(Math.abs(Number(sum - micros(told.sum))) <= rounded, `${where}: ${sum} ${told.sum}`);
    const over = told.items.reduce((sum, item) => sum + (item.over ?? 0), 0);
    if (figure?.kind === "mean") {
      assert.equal(over, told.over, where);
      const scale = figure.unit === "percent" ? 100 : 1;
      const mean = over === 0 ? null : Number(micros(told.sum)) * scale / 1e6 / over;
      assert.ok(
        mean === value || Math.abs(mean! - value!) <= 6e-7 * Math.max(rounded === 0 ? 1 : 2, Math.abs(value!)),
        `${where}: ${mean} ${value}`,
      );
    } else assert.equal(Number(told.sum), value, where);
    const values = told.items.map((item) => micros(item.value));
    assert.ok(values.every((each, i) => i === 0 || each <= values[i - 1]!), `${where}: the greatest first`);
    held++;
  }
  return held;
}

tacho_test({
  name: "the items of any figure of random trips add up to it, under any filter, of any range, now and then",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const events = fc.array(trip_event, { minLength: 30, maxLength: 150 });
    const views = fc.array(fc.tuple(random_span, random_filter), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(events, views, async (all, asked) => {
        const { url } = await (await shared_postgres()).create_database(migrated);
        const database = await open_database({ url, data_dir: null, connections: 2 });
        try {
          const messages = all.map((each, offset) => message(offset, each, BROKER_MS));
          const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
          await feed(trip_pipeline(database, () => BROKER_MS), [batch]);
          const side = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
          side.time.now = BROKER_MS;
          const { position } = await read_head(database);
          for (const [i, [span, filter]] of asked.entries()) {
            // Of more than a month nothing is computed.
            const from_s = span.range === "custom" ? Math.max(span.from_s, span.to_s! - 30 * 86_400) : null;
            const time = (s: number | null) => new Date(s! * 1_000).toISOString();
            const pairs = from_s === null
              ? [`range=${span.range}`, ...span.to_s === null ? [] : [`to=${time(span.to_s)}`]]
              : [`from=${time(from_s)}`, `to=${time(span.to_s)}`];
            if (filter.length > 0) pairs.push(format_filter(filter));
            if (i === 1) pairs.push(`as_of_position=${Math.floor(position / 2)}`);
            if (i === 2) pairs.splice(0, pairs.length, "order=arrival", "last=40");
            assert.ok(await agree(side, trips_board, "", pairs.join("&")) >= 10);
          }
        } finally {
          await database.close();
        }
      }),
      { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 4), endOnFailure: true },
    );
  },
});

const START_S = Date.UTC(2026, 2, 2, 11) / 1_000;

for (const declared of DOMAINS) {
  tacho_test({
    name: `${declared.name}: the items of every figure of a board add up to it, as a file, too`,
    needs: ["postgres"],
    limit_ms: 240_000,
    async fn() {
      const { url } = await (await shared_postgres()).create_database(log_template(declared));
      const database = await make_log(url, declared, invented(declared, 0.5), 100);
      try {
        const domain = declared.make({ currency: "USD", h3_resolution: null }), { board } = domain;
        const side = await make_http_side(database, { board, name: declared.name, past: past_states(domain) });
        side.time.now = (START_S + 7_200) * 1_000;
        const { position } = await read_head(database);
        const to = new Date((START_S + 1_800) * 1_000).toISOString();
        const usd = board.by_currency === undefined ? "" : "&currency=USD";
        for (
          const view of [
            `range=1h&to=${to}${usd}`,
            `range=6h&to=${to}&as_of_position=${Math.floor(position / 2)}${usd}`,
          ]
        ) {
          assert.ok(await agree(side, board, "", view) > 0);
        }
        const figure = board.breakdown_row.amount, query = `range=1h&to=${to}&figure=${figure}${usd}`;
        const told = await all_items(side, query, 500);
        const csv = await side.get(`/api/v1/kpis/items?${query}&format=csv&limit=100000`);
        const [head = "", ...rows] = (await csv.text()).trim().split("\r\n");
        assert.ok(head.startsWith(`${board.stream_column},at,value,over,`), head);
        const values = rows.map((row) => row.split(",")[2]!);
        assert.deepEqual(values, told.items.map(({ value }) => value));
        assert.ok(values.length > 5, declared.name);
      } finally {
        await database.close();
      }
    },
  });
}

tacho_test({
  name: "what is made of no items is said to be, and what is asked wrongly",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 2 });
    try {
      const side = await make_http_side(database);
      for (
        const [query, path, words] of [
          ["", "figure", "expected"],
          ["figure=nothing", "figure", "expected one of"],
          ["figure=fare_p95", "figure", "percentile"],
          ["figure=active_drivers", "figure", "each once"],
          ["figure=max_fare", "figure", "one stream"],
          ["figure=revenue&sort=up", "sort", "-value"],
          ["figure=revenue&limit=501", "limit", "at most 500"],
          ["figure=revenue&format=csv&limit=100001", "limit", "100000"],
          ["figure=revenue&from=2025-12-01T00:00:00Z&to=2026-03-01T00:00:00Z", "to", "shorter"],
          ["figure=revenue&as_of_position=5", "as_of_position", "at most 0"],
        ] as const
      ) {
        const refused = await side.get(`/api/v1/kpis/items?${query}`);
        const { errors } = await refused.json();
        assert.deepEqual([refused.status, errors[0].path], [400, path], query);
        assert.ok(errors[0].detail.includes(words), errors[0].detail);
      }
      const empty = await json_of(side.get("/api/v1/kpis/items?figure=average_fare"));
      assert.deepEqual([empty.value, empty.sum, empty.over, empty.total_items, empty.items], [null, "0.00", 0, 0, []]);
    } finally {
      await database.close();
    }
  },
});
