import assert from "node:assert/strict";
import {
  put_rule,
  read_changes,
  read_rules,
  read_states,
  remove_rule,
  silence_rule,
  write_file_rules,
} from "../../src/alerts/mod.ts";
import { tacho_test } from "../support/available.ts";
import { changes_of, keeper_of, minute_us, Payments, put_rules } from "../support/alerted_log.ts";
import { with_payments } from "../support/told_payments.ts";
import { with_domain_log } from "../support/domain_log.ts";
import type { OpenedDatabase } from "../../src/database/mod.ts";

const ADA = { by: "Ada", most: 3, fresh: false };
const FEW = { name: "few", figure: "captured", window: "1m", below: 5 };

/** A test over a log of payments, in a database of its own. */
const alerts_test = (name: string, fn: (database: OpenedDatabase) => Promise<void>) =>
  tacho_test({ name, needs: ["postgres"], fn: () => with_payments(fn) });

alerts_test(
  "a rule fires when a window is beyond it, goes on in a program that was started anew, and is resolved",
  async (database) => {
    const payments = new Payments(database), clock = { at: 12, receivers: ["ops", "desk"] };
    await put_rules(database, FEW);
    const keeper = keeper_of(database, clock);
    await keeper.look();
    assert.deepEqual(await read_states(database), [], "a log without events has no windows");
    await payments.take_in([8, 9], [9, 9], [10, 2], [12, 1]);
    await keeper.look();
    assert.deepEqual(await changes_of(database), ["few ok>firing window"]);
    const [change] = await read_changes(database, 1);
    assert.deepEqual([change!.window, change!.figure], [{ from_us: minute_us(10), to_us: minute_us(11) }, 2]);
    assert.deepEqual(keeper.standing().rules, [{ name: "few", phase: "firing", since_us: minute_us(10) }]);
    await keeper.look();
    const another = keeper_of(database, clock);
    await another.look();
    assert.equal((await read_changes(database, 9)).length, 1, "nothing is told twice");
    await payments.take_in([11, 9], [13, 9], [14, 1]);
    clock.at = 14;
    await another.look();
    assert.deepEqual((await changes_of(database)).slice(1), [
      "few firing>resolved window",
      "few resolved>firing window",
    ]);
    const told = await database.query(
      "select receiver, count(*)::int as n from alert_deliveries group by 1 order by 1",
    );
    assert.deepEqual(told, [{ receiver: "desk", n: 3 }, { receiver: "ops", n: 3 }]);
  },
);

alerts_test(
  "a catch-up of old windows tells nobody; what still holds when it has come to now is told then, with since when",
  async (database) => {
    await put_rules(database, FEW);
    const keeper = keeper_of(database, { at: 1_000, receivers: ["ops"] });
    const payments = new Payments(database);
    await payments.take_in([0, 9], [1, 1], [2, 9], [3, 1], [6, 9], [30, 1]);
    await keeper.look();
    assert.equal((await changes_of(database)).some((each) => /firing|resolved/.test(each)), false);
    assert.deepEqual(await database.query("select 1 from alert_deliveries"), []);
    await payments.take_in([990, 1]);
    await keeper.look();
    const [fired] = await read_changes(database, 1);
    assert.deepEqual([fired!.from, fired!.to], ["pending", "firing"]);
    assert.ok(fired!.window!.to_us >= minute_us(1_000 - 15));
    assert.ok(fired!.since_us! < minute_us(900));
  },
);

alerts_test(
  "late events end what fires and would not have, and are not looked for in closed windows",
  async (database) => {
    await put_rules(database, FEW);
    const clock = { at: 13, receivers: ["ops"] }, payments = new Payments(database);
    await payments.take_in([8, 9], [9, 9], [10, 2], [11, 9], [12, 1]);
    await keeper_of(database, clock).look();
    assert.deepEqual(await changes_of(database), ["few ok>firing window"]);
    await payments.take_in([10, 7]);
    await keeper_of(database, clock).look();
    assert.deepEqual((await changes_of(database)).slice(1), ["few firing>resolved corrected"]);
    await payments.take_in([12, 9], [13, 9], [14, 9], [15, 9], [16, 9], [17, 9], [18, 9], [19, 9], [20, 9]);
    clock.at = 20;
    await keeper_of(database, clock).look();
    const before = await changes_of(database);
    const [state] = await read_states(database);
    assert.ok(state!.course.anchor_us > minute_us(11), "minute 10 is closed");
    await database.execute(
      "update transaction_cells set captured = 0 where grain = '1m' and dimension = 'none' and bucket = $1::timestamptz",
      [
        new Date(minute_us(10) / 1_000).toISOString(),
      ],
    );
    await keeper_of(database, clock).look();
    assert.deepEqual(await changes_of(database), before);
  },
);

alerts_test("of programs that look at once each step is written by one", async (database) => {
  await put_rules(database, FEW, { ...FEW, name: "fewer", below: 3, for: "2m" });
  const payments = new Payments(database), clock = { at: 3, receivers: ["ops"] };
  const keepers = [1, 2, 3].map(() => keeper_of(database, clock));
  await payments.take_in([-3, 9], [-2, 9], [-1, 9], [0, 9], [1, 9]);
  for (const [minute, many] of [[0, 9], [1, 1], [2, 1], [3, 9], [4, 2], [5, 4], [6, 9], [7, 1]] as const) {
    await payments.take_in([minute + 2, many]);
    clock.at = minute + 3;
    await Promise.all(keepers.map((keeper) => keeper.look()));
  }
  const changes = await changes_of(database);
  for (const rule of ["few ", "fewer "]) {
    const own = changes.filter((each) => each.startsWith(rule));
    // Each change goes on from where the one before it ended.
    own.slice(1).forEach((each, i) =>
      assert.equal(/ (\w+)>/.exec(each)![1], />(\w+)/.exec(own[i]!)![1], own.join("\n"))
    );
  }
  assert.equal(changes.filter((each) => /^few .*>firing/.test(each)).length, 2, changes.join("\n"));
  assert.equal(changes.filter((each) => /^fewer .*>firing/.test(each)).length, 1, changes.join("\n"));
});

alerts_test("a rule that is changed or removed while it fires is over for whoever was told", async (database) => {
  await put_rules(database, FEW, { ...FEW, name: "gone" });
  const payments = new Payments(database), keeper = keeper_of(database, { at: 12, receivers: ["ops"] });
  await payments.take_in([8, 9], [9, 9], [10, 2], [11, 2], [12, 1]);
  await keeper.look();
  await put_rules(database, { ...FEW, below: 1 });
  await keeper.look();
  const changes = await changes_of(database);
  assert.deepEqual(changes.filter((each) => !each.endsWith("window")), [
    "few firing>resolved changed",
    "gone firing>resolved removed",
  ]);
  assert.deepEqual((await read_states(database)).map(({ rule, course }) => [rule, course.state.phase]), [[
    "few",
    "ok",
  ]]);
  await keeper.look();
  assert.deepEqual(await changes_of(database), changes);
});

alerts_test(
  "a silenced rule tells nobody, and one that is silenced while it fires is resolved when it is over",
  async (database) => {
    await put_rules(database, FEW, { ...FEW, name: "quiet" });
    const payments = new Payments(database),
      clock = { at: 12, receivers: ["ops"] },
      keeper = keeper_of(database, clock);
    await database.transaction((tx) => silence_rule(tx, "quiet", minute_us(14), "Ada"));
    await payments.take_in([8, 9], [9, 9], [10, 2], [12, 1]);
    await keeper.look();
    assert.deepEqual(await changes_of(database), ["few ok>firing window", "quiet ok>silenced window"]);
    await database.transaction((tx) => silence_rule(tx, "few", minute_us(99), "Ada"));
    await keeper.look();
    assert.deepEqual((await changes_of(database)).slice(2), ["few firing>silenced corrected"]);
    await payments.take_in([11, 2], [13, 2], [14, 2], [16, 1]);
    clock.at = 16;
    await keeper.look();
    assert.deepEqual((await changes_of(database)).slice(3), ["quiet silenced>firing window"], "its silence has ended");
    await payments.take_in([15, 9], [16, 9], [17, 1]);
    clock.at = 17;
    await keeper.look();
    assert.deepEqual((await changes_of(database)).slice(4).filter((each) => each.includes("resolved ")), [
      "few silenced>resolved window",
      "quiet firing>resolved window",
    ]);
    const told = await database.query<{ rule: string }>("select rule from alert_deliveries order by change_id");
    assert.deepEqual(told.map(({ rule }) => rule), ["few", "quiet", "few", "quiet"]);
    assert.deepEqual((await read_rules(database)).map(({ changed_by }) => changed_by), ["Ada", "Ada"]);
  },
);

alerts_test(
  "a rule that the declaration does not know any more is in trouble, and holds up no other",
  async (database) => {
    await put_rules(database, FEW);
    await database.execute(`insert into alert_rules (name, definition, origin, version, changed_by)
    values ('alien', '{"name": "alien", "figure": "moons", "above": 1}', 'page', 1, 'Ada')`);
    const keeper = keeper_of(database, { at: 12 });
    await new Payments(database).take_in([8, 9], [9, 9], [10, 2], [12, 1]);
    await keeper.look();
    assert.match(keeper.standing().troubles.get("alien")!, /^figure: expected one of .* got "moons"$/);
    assert.deepEqual(await changes_of(database), ["few ok>firing window"]);
  },
);

alerts_test(
  "where nothing comes event time goes on with the clock for rules that say so, for a day at most",
  async (database) => {
    await put_rules(database, FEW, { ...FEW, name: "outage", idle: "2m" });
    const clock = { at: 12, receivers: ["ops"] }, keeper = keeper_of(database, clock);
    await new Payments(database).take_in([9, 9], [10, 9], [11, 9], [12, 9]);
    const recorded = (minute: number) =>
      database.execute("update log_head set recorded_at = $1::timestamptz", [
        new Date(minute_us(minute) / 1_000).toISOString(),
      ]);
    await recorded(12);
    await keeper.look();
    assert.deepEqual(await changes_of(database), []);
    clock.at = 17;
    await keeper.look();
    assert.deepEqual(await changes_of(database), ["outage ok>firing window"]);
    await database.execute("delete from alert_changes");
    await database.execute("delete from alert_states");
    clock.at = 12 + 25 * 60;
    await keeper_of(database, clock).look();
    assert.equal(
      (await changes_of(database)).some((each) => each.includes("firing")),
      false,
      "an old log is no outage",
    );
  },
);

alerts_test(
  "event time that is set back, and a state from the future, begin anew and tell nothing twice",
  async (database) => {
    await put_rules(database, FEW);
    const clock = { at: 12, receivers: ["ops"] };
    await new Payments(database).take_in([8, 9], [9, 9], [10, 2], [12, 1]);
    await keeper_of(database, clock).look();
    await database.execute(
      "update alert_states set looked_through = looked_through + interval '9 days', anchor = anchor + interval '9 days'",
    );
    await keeper_of(database, clock).look();
    assert.deepEqual(await changes_of(database), ["few ok>firing window"]);
    const [state] = await read_states(database);
    assert.equal(state!.course.through_us, minute_us(11));
  },
);

alerts_test(
  "rules of a file replace those of the one before, and rules of the page are left alone",
  async (database) => {
    const page = { name: "mine", figure: "declined", above: 1 };
    assert.equal(
      await database.transaction((tx) => put_rule(tx, { name: "mine", definition: page }, ADA)),
      "done",
    );
    await put_rules(database, FEW, { ...FEW, name: "other" });
    assert.equal(
      await database.transaction((tx) => put_rule(tx, { name: "few", definition: FEW }, ADA)),
      "of a file",
    );
    assert.equal(
      await database.transaction((tx) => put_rule(tx, { name: "x", definition: FEW }, ADA)),
      "too many",
    );
    assert.equal(await database.transaction((tx) => remove_rule(tx, "few")), "of a file");
    assert.equal(await database.transaction((tx) => remove_rule(tx, "none")), "absent");
    const before = await read_rules(database);
    await put_rules(database, FEW, { ...FEW, name: "other" });
    assert.deepEqual(await read_rules(database), before, "the same file changes nothing");
    await put_rules(database, { ...FEW, below: 7 });
    const rules = await read_rules(database);
    assert.deepEqual(rules.map(({ name, origin }) => [name, origin]), [["few", "file"], ["mine", "page"]]);
    assert.notEqual(rules[0]!.version, before[0]!.version);
    await database.transaction((tx) => write_file_rules(tx, [{ name: "mine", definition: page }]));
    assert.deepEqual((await read_rules(database)).map(({ name, origin }) => [name, origin]), [["mine", "file"]]);
  },
);

alerts_test("who only reads tells how rules stand and writes nothing", async (database) => {
  await put_rules(database, FEW);
  const clock = { at: 12 };
  await new Payments(database).take_in([8, 9], [9, 9], [10, 2], [12, 1]);
  const reader = keeper_of(database, { ...clock, read_only: true });
  await reader.look();
  assert.deepEqual(await read_states(database), []);
  await keeper_of(database, clock).look();
  await reader.look();
  assert.deepEqual(reader.standing().rules.map(({ phase }) => phase), ["firing"]);
});

tacho_test({
  name: "the embedded database keeps alerts, too",
  fn: () =>
    with_domain_log("payments", async (database) => {
      await put_rules(database, FEW);
      await new Payments(database).take_in([8, 9], [9, 9], [10, 2], [12, 1]);
      await keeper_of(database, { at: 12, receivers: ["ops"] }).look();
      assert.deepEqual(await changes_of(database), ["few ok>firing window"]);
    }, "embedded"),
});
