import assert from "node:assert/strict";
import fc from "fast-check";
import {
  advance,
  after_window,
  type AlertState,
  begin_at,
  BEGINNING,
  type Change,
  type Course,
  ended,
  is_told,
  value_of_rule,
  type WindowValue,
} from "../../src/alerts/machine.ts";
import type { Rule } from "../../src/alerts/rule.ts";

/** A rule over minutes that fires above 10. */
const rule_with = (change: Partial<Rule> = {}): Rule => ({
  name: "busy",
  figure: "completed",
  window: "1m",
  filter: [],
  comparison: "above",
  threshold: 10,
  clear: 10,
  for_us: 0,
  wait_us: 0,
  lag_us: 900e6,
  idle_us: null,
  silence_until_us: null,
  send_to: null,
  note: null,
  ...change,
});
const MINUTE = 60e6;
const window = (i: number, value: number | null): WindowValue => ({
  from_us: i * MINUTE,
  to_us: (i + 1) * MINUTE,
  figure: value,
  then: null,
  value,
});
const windows = (values: readonly (number | null)[], from = 0) => values.map((value, i) => window(from + i, value));
const ALWAYS = { fresh_us: -Infinity, settled_us: -Infinity };
/** The phases after each of some values. */
function phases(rule: Rule, values: readonly (number | null)[], fresh = true): string {
  let state = BEGINNING;
  return windows(values).map((each) => (state = after_window(rule, state, each, fresh)).phase).join(" ");
}
const told = (changes: readonly Change[]) => changes.map(({ from, to, why }) => `${from}>${to} ${why}`);

Deno.test("a rule fires above its threshold, and is resolved and then ok when it is over", () => {
  assert.equal(phases(rule_with(), [10, 11, 12, 10, 3]), "ok firing firing resolved ok");
  assert.equal(phases(rule_with({ comparison: "below" }), [10, 9, 10]), "ok firing resolved");
});

Deno.test("it is pending until windows were beyond for so long without a break", () => {
  const rule = rule_with({ for_us: 3 * MINUTE });
  assert.equal(phases(rule, [11, 11, 11, 10]), "pending pending firing resolved");
  assert.equal(phases(rule, [11, 11, 10, 11, 11, 11]), "pending pending ok pending pending firing");
});

Deno.test("with hysteresis it is over at the clear threshold alone", () => {
  assert.equal(phases(rule_with({ clear: 5 }), [7, 11, 7, 6, 5, 7]), "ok firing firing firing resolved ok");
  const below = rule_with({ comparison: "below", clear: 20 });
  assert.equal(phases(below, [12, 9, 12, 19, 20, 12]), "ok firing firing firing resolved ok");
});

Deno.test("what is not known begins nothing and ends nothing", () => {
  assert.equal(phases(rule_with(), [null, 11, null, 9, null]), "ok firing firing resolved ok");
  assert.equal(phases(rule_with({ for_us: 2 * MINUTE }), [11, null, 11, 11]), "pending ok pending firing");
});

Deno.test("in silence nobody is told, and what lasts longer is told when it ends", () => {
  const rule = rule_with({ silence_until_us: 3 * MINUTE });
  assert.equal(phases(rule, [11, 11, 11, 11, 9]), "silenced silenced silenced firing resolved");
  assert.equal(phases(rule, [11, 9, 3]), "silenced ok ok");
});

Deno.test("a silence that begins while it fires is followed by that it is over", () => {
  const rule = rule_with();
  const firing = after_window(rule, BEGINNING, window(0, 11), true);
  const silent = { ...rule, silence_until_us: 9 * MINUTE };
  const state = after_window(silent, firing, window(1, 11), true);
  assert.deepEqual(state, { phase: "silenced", since_us: 0, told: true });
  assert.equal(after_window(silent, state, window(2, 3), true).phase, "resolved");
});

Deno.test("a window that is not fresh lets nothing begin to fire, and lets what fires go on and end", () => {
  assert.equal(phases(rule_with(), [11, 11, 9], false), "pending pending ok");
  const firing: AlertState = { phase: "firing", since_us: 0, told: true };
  assert.equal(after_window(rule_with(), firing, window(1, 11), false).phase, "firing");
  assert.equal(after_window(rule_with(), firing, window(1, 9), false).phase, "resolved");
});

Deno.test("a catch-up tells nobody before it has come to windows that are fresh", () => {
  const values = [11, 9, 11, 11, 11, 11];
  const { changes } = advance(rule_with(), begin_at(0), windows(values), {
    fresh_us: 6 * MINUTE,
    settled_us: 6 * MINUTE,
  });
  assert.deepEqual(told(changes), [
    "ok>pending window",
    "pending>ok window",
    "ok>pending window",
    "pending>firing window",
  ]);
  assert.equal(changes.at(-1)!.window!.to_us, 6 * MINUTE);
  assert.equal(changes.at(-1)!.since_us, 2 * MINUTE, "it says since when");
});

Deno.test("late events end what they show never to have been, and begin what they show to be", () => {
  const rule = rule_with({ comparison: "below", threshold: 5, clear: 5 });
  const first = advance(rule, begin_at(0), windows([9, 3]), ALWAYS);
  assert.deepEqual(told(first.changes), ["ok>firing window"]);
  const second = advance(rule, first.course, windows([9, 6]), ALWAYS);
  assert.deepEqual(told(second.changes), ["firing>resolved corrected"]);
  assert.equal(second.course.through_us, 2 * MINUTE);
  const third = advance(rule, second.course, windows([9, 4, 2]), ALWAYS);
  assert.deepEqual(told(third.changes), ["resolved>firing corrected"]);
  assert.equal(third.course.state.since_us, MINUTE);
});

Deno.test("a closed window is not looked at again", () => {
  const rule = rule_with();
  const first = advance(rule, begin_at(0), windows([11, 11, 11]), { fresh_us: -Infinity, settled_us: 2 * MINUTE });
  assert.equal(first.course.anchor_us, 2 * MINUTE);
  assert.equal(first.course.anchor.phase, "firing");
  const again = advance(rule, first.course, windows([11], 2), ALWAYS);
  assert.deepEqual(again.changes, []);
  assert.deepEqual(again.course.state, first.course.state);
});

Deno.test("the windows that were looked at already do not begin anew what was told, however old they are by now", () => {
  const rule = rule_with();
  const first = advance(rule, begin_at(0), windows([11, 11]), ALWAYS);
  const later = advance(rule, first.course, windows([11, 11]), { fresh_us: 99 * MINUTE, settled_us: -Infinity });
  assert.deepEqual(later.changes, []);
});

Deno.test("one that is silenced after it was told to fire is still told to be over", () => {
  const first = advance(rule_with(), begin_at(0), windows([11]), ALWAYS);
  const silent = rule_with({ silence_until_us: 99 * MINUTE });
  const second = advance(silent, first.course, windows([11]), ALWAYS);
  assert.deepEqual(told(second.changes), ["firing>silenced corrected"]);
  assert.equal(second.course.state.told, true);
  const third = advance(silent, second.course, windows([11, 3]), ALWAYS);
  assert.deepEqual(told(third.changes), ["silenced>resolved window"]);
});

Deno.test("what a rule leaves behind is over for whoever was told that it fires, and for nobody else", () => {
  assert.equal(ended({ phase: "firing", since_us: 0, told: true }, "removed")?.to, "resolved");
  assert.equal(ended({ phase: "silenced", since_us: 0, told: true }, "changed")?.to, "resolved");
  assert.equal(ended({ phase: "silenced", since_us: 0, told: false }, "changed"), null);
  assert.equal(ended({ phase: "pending", since_us: 0, told: false }, "removed"), null);
});

Deno.test("a change against a week before is in percent, of shares in points, and unknown of nothing", () => {
  const rises = { comparison: "rises" } as const, falls = { comparison: "falls" } as const;
  assert.equal(value_of_rule(rises, 150, 100, false), 50);
  assert.equal(value_of_rule(falls, 50, 100, false), 50);
  assert.equal(value_of_rule(falls, 150, 100, false), -50);
  assert.equal(value_of_rule(rises, 12, 10, true), 2);
  assert.equal(value_of_rule(rises, 5, 0, false), null);
  assert.equal(value_of_rule(rises, null, 10, false), null);
  assert.equal(value_of_rule({ comparison: "above" }, 5, null, false), 5);
});

const any_rule = fc.record({
  comparison: fc.constantFrom("above", "below", "rises", "falls"),
  clear: fc.integer({ min: -3, max: 3 }),
  for_us: fc.integer({ min: 0, max: 4 }).map((minutes) => minutes * MINUTE),
  silence_until_us: fc.option(fc.integer({ min: 0, max: 20 }).map((minutes) => minutes * MINUTE)),
}).map(({ clear, comparison, ...rest }) =>
  rule_with({ ...rest, comparison, clear: comparison === "below" ? 10 + Math.abs(clear) : 10 - Math.abs(clear) })
);
const any_values = fc.array(fc.option(fc.integer({ min: 5, max: 15 }), { freq: 6 }), { maxLength: 25 });

Deno.test("in whatever pieces windows come, the changes are the same", () => {
  fc.assert(fc.property(any_rule, any_values, fc.array(fc.nat(25)), fc.nat(6), (rule, values, cuts, back) => {
    const whole = advance(rule, begin_at(0), windows(values), ALWAYS);
    let course: Course = begin_at(0);
    const changes: Change[] = [];
    for (const to of [...cuts.filter((cut) => cut <= values.length).sort((a, b) => a - b), values.length]) {
      const from = course.anchor_us / MINUTE;
      const times = { fresh_us: -Infinity, settled_us: (to - back) * MINUTE };
      const next = advance(rule, course, windows(values).slice(from, to), times);
      changes.push(...next.changes);
      course = next.course;
    }
    assert.deepEqual(changes, whole.changes);
    assert.deepEqual(course.state, whole.course.state);
  }));
});

Deno.test("however windows are corrected, who is told hears of each end once, and in the end of what holds", () => {
  fc.assert(
    fc.property(any_rule, fc.array(any_values, { minLength: 1, maxLength: 6 }), (rule, looks) => {
      const values: (number | null)[] = [], heard: string[] = [];
      let course: Course = begin_at(0);
      for (const look of looks) {
        // Each look has other values for all windows of before, and some more.
        look.forEach((value, i) => values[i] = value);
        const next = advance(rule, course, windows(values), ALWAYS);
        heard.push(...next.changes.filter(is_told).map(({ to }) => to));
        course = next.course;
      }
      heard.forEach((each, i) => {
        if (each === "resolved") assert.equal(heard[i - 1], "firing", `nobody was told what is over: ${heard}`);
      });
      let state = BEGINNING;
      for (const each of windows(values)) state = after_window(rule, state, each, true);
      const holds = ["firing", "silenced"];
      assert.equal(holds.includes(course.state.phase), holds.includes(state.phase));
      if (holds.includes(state.phase)) assert.equal(course.state.phase, state.phase);
      assert.equal(heard.at(-1) === "firing", course.state.told, `${heard} ends in ${course.state.phase}`);
    }),
  );
});
