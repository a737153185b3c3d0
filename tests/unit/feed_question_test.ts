import assert from "node:assert/strict";
import { trips_board } from "../support/trip_board.ts";
import { type Filter, type View, window_at } from "../../src/feed/figures/view.ts";
import {
  cells_question,
  sources_of,
  states_fault,
  states_question,
  too_long_words,
} from "../../src/feed/figures/question.ts";
import type { Domain } from "../../src/domains/mod.ts";
import { payments_domain } from "../../src/domains/payments/mod.ts";
import { trades_domain } from "../../src/domains/trades/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";

const UTC = days_in("UTC");
const where = (...dimensions: string[]): Filter =>
  dimensions.map((dimension) => ({ dimension, keys: ["a"], excluded: false }));

Deno.test("cells answer no filter, and one dimension by grains that it keeps; states all else", () => {
  assert.deepEqual(sources_of({ board: trips_board }, { filter: [] }, { grain: "1m", from_s: 0 }), {
    cards: "cells",
    breakdowns: "cells",
  });
  assert.deepEqual(sources_of({ board: trips_board }, { filter: where("city") }, { grain: "1m", from_s: 0 }), {
    cards: "cells",
    breakdowns: "states",
  });
  assert.deepEqual(
    sources_of({ board: trips_board }, { filter: where("pickup_zone") }, { grain: "1m", from_s: 0 }).cards,
    "states",
    "zones keep no minutes",
  );
  assert.deepEqual(
    sources_of({ board: trips_board }, { filter: where("pickup_zone") }, { grain: "5m", from_s: 0 }).cards,
    "cells",
  );
  assert.deepEqual(
    sources_of({ board: trips_board }, { filter: where("driver") }, { grain: "1h", from_s: 0 }).cards,
    "states",
  );
  assert.deepEqual(
    sources_of({ board: trips_board }, { filter: where("status", "city") }, { grain: "1h", from_s: 0 }).cards,
    "states",
  );
});

Deno.test("states answer what begins before the cells of its grain that are kept, whatever cells answer later", () => {
  const asked = { board: trips_board, days: UTC, kept: { "1m": 86_400e6, "5m": 3_600e6 } };
  const source = (grain: "1m" | "5m" | "1h" | "1d", from_s: number) =>
    sources_of(asked, { filter: [] }, { grain, from_s }).cards;
  assert.deepEqual([source("1m", 86_400), source("1m", 86_340)], ["cells", "states"]);
  assert.deepEqual([source("5m", 3_600), source("5m", 3_300)], ["cells", "states"]);
  assert.deepEqual([source("1h", 0), source("1d", 0)], ["cells", "cells"]);
  const view: View = { range: "custom", from_s: 86_340, to_s: 86_460, filter: [], compare: "weekday" };
  const watched = { view, window: window_at(view, 0, UTC) };
  assert.equal(cells_question(asked, watched), null);
  const { wants } = states_question(asked, watched);
  assert.deepEqual([wants.series, wants.cards!.length], [true, trips_board.cards.length]);
});

Deno.test("series and cards are computed from states over 31 days at most; cells go on", () => {
  const fault = (days: number, filter: Filter) => {
    const view: View = { range: "custom", from_s: 0, to_s: days * 86_400, filter, compare: "weekday" };
    return states_fault(view, window_at(view, 0, UTC), trips_board);
  };
  assert.equal(fault(31, where("driver")), null);
  assert.equal(
    fault(32, where("driver"))?.detail,
    "expected a shorter range: what is filtered by several dimensions, by driver, by passenger, and what crosses a filter, is computed over at most 31 days",
  );
  assert.equal(fault(400, where("city")), null);
  // 31 local days in autumn, widened to whole hours.
  const view: View = {
    range: "custom",
    from_s: 1,
    to_s: 31 * 86_400 + 3_601,
    filter: where("driver"),
    compare: "weekday",
  };
  assert.equal(states_fault(view, window_at(view, 0, UTC), trips_board), null);
});

Deno.test("what is said of a range that is too long names the dimensions of its own domain", () => {
  const said = (domain: Domain) => /filtered (.+), and what/.exec(too_long_words(domain.board))?.[1];
  assert.equal(said(payments_domain({ currency: "USD", h3_resolution: 8 })), "by several dimensions, by payer");
  assert.equal(said(trades_domain({ currency: "USD", h3_resolution: 8 })), "by several dimensions");
});

Deno.test("cells and states are asked each part of a board once, by whatever filter, range and grain", () => {
  const board = trips_board, asked = { board, days: UTC };
  const filters = [[], ...board.dimensions.slice(1).map(({ name }) => where(name)), where("city", "driver")];
  for (const filter of filters) {
    for (const range of ["15m", "6h", "7d"] as const) {
      const view: View = { range, to_s: null, filter, compare: "weekday" }, window = window_at(view, 0, UTC);
      const cells = cells_question(asked, { view, window })?.wants,
        states = states_question(asked, { view, window }).wants;
      const both = (part: "cards" | "breakdowns") => [...cells?.[part] ?? [], ...states[part] ?? []];
      const named = (cards: typeof board.cards) => cards.map(({ name }) => name).sort();
      assert.deepEqual(named(both("cards") as typeof board.cards), named(board.cards), JSON.stringify([filter, range]));
      assert.deepEqual(both("breakdowns"), [...board.breakdowns, ...board.states_breakdowns]);
      assert.notEqual(cells?.series ?? false, states.series ?? false, "one of both has the series");
    }
  }
});

Deno.test("states are asked nothing of a window that is too long for them, cells all that they keep", () => {
  const view: View = { range: "custom", from_s: 0, to_s: 40 * 86_400, filter: where("city"), compare: "weekday" };
  const watched = { view, window: window_at(view, 0, UTC) };
  assert.deepEqual(states_question({ board: trips_board, days: UTC }, watched).wants, {});
  assert.equal(cells_question({ board: trips_board, days: UTC }, watched)?.wants.series, true);
});
