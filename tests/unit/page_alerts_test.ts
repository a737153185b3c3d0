import assert from "node:assert/strict";
import { name_of, rule_of, state_words } from "../../static/alerts.js";
import { read_rule } from "../../src/alerts/mod.ts";
import { trips_board } from "../support/trip_board.ts";

const SAID = {
  name: "a",
  figure: "completed",
  window: "5m",
  comparison: "above",
  value: 5,
  clear: "",
  lasts: 0,
  filter: [] as unknown[],
  currency: undefined as string | undefined,
};

Deno.test("what the dialog makes is a rule that the server reads", () => {
  for (
    const change of [
      {},
      { comparison: "below", clear: "9", lasts: 10 },
      { comparison: "falls", window: "1h" },
      { comparison: "score", value: 4 },
      {
        filter: [{ dimension: "city", keys: ["A", "B"], excluded: true }, {
          dimension: "driver",
          keys: ["D"],
          excluded: false,
        }],
      },
    ]
  ) {
    const rule = rule_of({ ...SAID, ...change });
    const read = read_rule(trips_board, JSON.parse(JSON.stringify(rule)));
    assert.ok(read.ok, JSON.stringify(read));
    assert.equal(read.rule.filter.length, "filter" in change ? 2 : 0);
  }
  assert.equal(rule_of({ ...SAID, currency: "EUR" }).currency, "EUR");
});

Deno.test("a rule's name is made of its figure, and is another one where that is taken", () => {
  assert.equal(name_of("completed", "above", []), "completed-above");
  assert.equal(name_of("completed", "above", ["completed-above", "completed-above-2"]), "completed-above-3");
  assert.equal(name_of("Fare p95", "below", []), "fare-p95-below");
});

Deno.test("how a rule stands is said in words", () => {
  const tell = (ms: number) => `at ${ms}`;
  const rule = (state: unknown, more = {}) => ({ state, trouble: null, silence_until: null, definition: {}, ...more });
  const state = { phase: "firing", since: "1970-01-01T00:00:01Z", figure: 3.456, then: null };
  assert.equal(state_words(rule(null), 0, tell), "no window was looked at yet");
  assert.equal(state_words(rule(state), 0, tell), "firing since at 1000 · last 3.46");
  assert.equal(state_words(rule({ ...state, figure: null, since: null, phase: "ok" }), 0, tell), "ok · last not known");
  assert.equal(
    state_words(rule({ ...state, figure: 3, then: 6 }), 0, tell),
    "firing since at 1000 · last 3, 6 a week before",
  );
  assert.match(state_words(rule({ ...state, then: 6 }, { definition: { score: 4 } }), 0, tell), / 6 usually$/);
  const silent = { silence_until: "1970-01-01T00:01:00Z" };
  assert.match(state_words(rule(state, silent), 0, tell), / · silent until at 60000$/);
  assert.doesNotMatch(state_words(rule(state, silent), 60_000, tell), /silent/);
  assert.equal(state_words(rule(state, { trouble: "no such figure" }), 0, tell), "cannot be looked at: no such figure");
});
