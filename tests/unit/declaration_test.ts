import assert from "node:assert/strict";
import { declaration_of, without_log } from "../../src/domains/mod.ts";
import { PAYMENT_BOARD } from "../../src/domains/payments/board.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { TRADE_BOARD } from "../../src/domains/trades/board.ts";
import { trips_board } from "../support/trip_board.ts";

/** What is told of a board: that every name in it is one of the board's. */

const declared = declaration_of(trips_board);
const dimensions = declared.dimensions.map(({ name }) => name);
const cards = trips_board.cards.map(({ name }) => name);
const named = (template: string) =>
  [...template.matchAll(/\{(\w+)(?:\?\d*)?\}/g)].map(([, name = ""]) => name)
    .filter((name) => !["currency", "step", "moment", "share", "per_minute"].includes(name));

Deno.test("what a declaration names is on the board: dimensions, cards, series, fields of the list", () => {
  assert.deepEqual(dimensions, trips_board.dimensions.map(({ name }) => name).slice(1), "all but the whole");
  const read = [...trips_board.breakdowns, ...trips_board.states_breakdowns].map(({ dimension }) => dimension);
  assert.deepEqual([...declared.panels].sort(), read.sort());
  for (
    const { name, figure = name, base, share_with, spark = [], beside = [], beneath = [], seen = [], top, greatest }
      of declared.cards
  ) {
    const figures = [figure, base, share_with, greatest?.measure, ...[...beside, ...beneath, ...seen].flatMap(named)];
    for (const each of top === undefined ? figures : []) {
      assert.ok(each === undefined || cards.includes(each), `${name}: ${each}`);
    }
    for (const column of spark) assert.ok(declared.series.includes(`${column}`), `${name}: ${column}`);
    for (const dimension of top ?? []) assert.ok(declared.panels.includes(dimension), `${name}: ${dimension}`);
  }
  for (const chart of declared.charts) {
    for (const line of chart.lines) assert.ok(declared.series.includes(line.name), `${chart.name}: ${line.name}`);
    assert.ok("by" in chart || declared.compared_series.includes(chart.compared), chart.name);
    const parts = "by" in chart ? Object.values(chart.candles ?? {}) : [];
    for (const part of parts) assert.ok(declared.series.includes(part), `${chart.name}: ${part}`);
  }
  const fields = trips_board.lines.fields.map((field) => field.name);
  const { list } = declared;
  for (const column of list.columns) {
    assert.ok(fields.includes("key" in column ? column.key : column.number), column.label);
    assert.ok(!("key" in column) || dimensions.includes(column.key), column.label);
  }
  for (const field of [list.id, list.time, list.mark]) assert.ok(fields.includes(field), field);
  assert.ok(dimensions.includes(declared.first_filter) && dimensions.includes(list.mark));
});

Deno.test("a chart that says by which time it is says so last, so that a board by arrival can say otherwise", () => {
  for (const { words } of [trips_board, PAYMENT_BOARD, TRADE_BOARD]) {
    const subs = words.charts.flatMap(({ sub, picture_sub = sub }) => [sub, picture_sub]);
    const by_time = subs.filter((sub) => / by /.test(sub));
    assert.ok(by_time.length > 0);
    for (const sub of by_time) assert.match(sub, /^[^,]+, by [a-z ]+ time$/);
  }
});

Deno.test("a board has eight cards at most, one of them the main one", () => {
  const { cards } = trips_board.words;
  const words_of = (cards: typeof trips_board.words.cards) => ({
    ...trips_board,
    words: { ...trips_board.words, cards },
  });
  const plain = cards.map(({ main: _, ...card }) => card);
  for (const wrong of [[...cards, ...cards.slice(1, 3)], plain, [...plain, cards[0]!, cards[0]!].slice(-3), []]) {
    assert.throws(() => declaration_of(words_of(wrong)), /declare the board: expected one main card of 8 at most, got/);
  }
});

Deno.test("cards and panels of any number fill their rows", () => {
  const of = (cards: number, panels: number) => {
    const words = {
      ...trips_board.words,
      cards: trips_board.words.cards.slice(0, cards),
      panels: Array.from({ length: panels }, (_, i) => trips_board.words.panels[i % 7]!),
    };
    const { card_columns, panel_spans } = declaration_of({ ...trips_board, words });
    return [card_columns, panel_spans.join()];
  };
  assert.deepEqual(of(8, 7), [4, "4,4,4,3,3,3,3"]);
  assert.deepEqual(of(5, 6), [3, "4,4,4,4,4,4"]);
  assert.deepEqual(of(4, 2), [4, "6,6"]);
  assert.deepEqual(of(1, 5), [1, "6,6,4,4,4"]);
});

Deno.test("a dimension without words is called by its name, and who is read from states alone is told", () => {
  const label = (name: string) => declared.dimensions.find((each) => each.name === name)?.label;
  assert.deepEqual(["payment_method", "dropoff_zone", "driver"].map(label), [
    "payment method",
    "drop-off zone",
    "driver",
  ]);
  assert.deepEqual(declared.dimensions.filter(({ from_states }) => from_states).map(({ name }) => name), ["driver"]);
});

Deno.test("over tables that a Flink job writes a map says why it has no hexagons, and what would give it zones", () => {
  const { board } = trips_domain({ currency: "USD" });
  const area = { name: "Downtown", rings: [[0, 0, 1, 0, 1, 1]] };
  const zones = { areas: new Map([["8", area]]), backdrop: [], names: new Map<string, string>() };
  const lacks = "No hexagons here: a Flink job writes this database, and SQL cannot make H3 cells.";
  const alone = declaration_of(without_log(board, true)).map;
  assert.deepEqual(alone?.places, []);
  assert.equal(alone?.lacks, `${lacks} Zones are shown where TACHO_ZONES gives their areas.`);
  const zoned = declaration_of({ ...without_log(board, true), zones }).map;
  assert.deepEqual([zoned?.lacks, zoned?.places.map(({ kind }) => kind)], [lacks, ["zone", "zone"]]);
  // A log that counts by no cell has chosen so, and other domains have no places.
  assert.equal(declaration_of(board).map, undefined);
  assert.equal(declaration_of(without_log(board, false)).map, undefined);
  assert.equal("lacks" in declared.map!, false);
});
