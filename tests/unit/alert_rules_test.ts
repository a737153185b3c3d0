import assert from "node:assert/strict";
import { message_of } from "../../src/alerts/outbox.ts";
import { read_alerts_of, read_rules_file } from "../../src/alerts/rules_file.ts";
import { read_rule } from "../../src/alerts/rule.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { read_rules_file as read, read_smtp_url } from "../../src/alerts/mod.ts";

const BOARDS = Object.fromEntries(DOMAINS.map((each) => [each.name, each.make({ currency: "USD" }).board]));
const trips = BOARDS.trips!, payments = BOARDS.payments!, trades = BOARDS.trades!;
const rule = (more: Record<string, unknown> = {}) => ({ name: "few", figure: "completed", below: 10, ...more });
/** The faults of a rule, one a line. */
function faults(json: unknown, board = trips): string[] {
  const found = read_rule(board, json, ["rules", "trips", 0]);
  return found.ok ? [] : found.faults.map(({ place, message }) => `${place}: ${message}`);
}

Deno.test("a rule that says little has what is usual", () => {
  const found = read_rule(trips, rule());
  assert.ok(found.ok);
  assert.deepEqual(found.rule, {
    name: "few",
    figure: "completed",
    window: "5m",
    filter: [],
    comparison: "below",
    threshold: 10,
    clear: 10,
    for_us: 0,
    wait_us: 60e6,
    lag_us: 900e6,
    idle_us: null,
    silence_until_us: null,
    send_to: null,
    note: null,
  });
});

/** What is told of a rule over prices that fires. */
function told(comparison: Record<string, number>, figure: number, then: number | null = null): string {
  const message = message_of(trades, { domain: "trades", log_id: "L" }, {
    ...{ id: 1, rule: "few", definition: { name: "few", figure: "average_price", ...comparison } },
    ...{ from: "pending", to: "firing", why: "window", since_us: null, noticed_us: 0, then, change: null, figure },
    window: { from_us: 0, to_us: 300e6 },
  });
  return message.text.slice("trades few fires: average_price ".length);
}

Deno.test("a threshold is told as it was written, and a figure on its side of it", () => {
  assert.equal(told({ above: 0.00002 }, 0.000021), "above 0.00002, is 0.000021");
  assert.equal(told({ below: 0.004 }, 0.003), "below 0.004, is 0.003");
  assert.equal(told({ above: 12.341 }, 12.341_2), "above 12.341, is 12.3412");
  assert.equal(told({ below: 0.000_001 }, 0), "below 0.000001, is 0");
  assert.equal(told({ above: 1_000 }, 1_234.567_89), "above 1,000, is 1,234.57");
  assert.equal(
    told({ rises: 0.001 }, 12.341_2, 12.341),
    "0.001 % above a week before, is 12.3412 (12.34 a week before)",
  );
  assert.equal(told({ score: 5 }, 0.004, 0.001), "5 times as far from usual as is usual, is 0.004 (usually 0.001)");
});

Deno.test("any figure and any measure of any domain can be ruled, but how things are now", () => {
  for (const board of Object.values(BOARDS)) {
    for (const figure of Object.keys(board.figures)) {
      assert.deepEqual(faults(rule({ figure }), board), [], figure);
    }
    for (const { name, kind } of board.measures) {
      if (kind !== "sketch") assert.deepEqual(faults(rule({ figure: name }), board), [], name);
    }
  }
  assert.match(faults(rule({ figure: "in_progress" }))[0]!, /how things are now is of no window$/);
});

const WRONG: readonly (readonly [what: string, json: unknown, fault: RegExp])[] = [
  ["no object", 7, /^rules\.trips\[0\]: .*expected object/],
  ["an unknown member", rule({ treshold: 5 }), /^rules\.trips\[0\]\.treshold: no such member; known are name, figure,/],
  ["__proto__", JSON.parse('{"name":"a","figure":"completed","below":1,"__proto__":{}}'), /__proto__/],
  ["an unknown figure", rule({ figure: "sales" }), /^rules\.trips\[0\]\.figure: expected one of trips, .*got "sales"$/],
  ["a figure by an inherited name", rule({ figure: "constructor" }), /figure: expected one of/],
  ["an unknown dimension", rule({ filter: { town: ["A"] } }), /\.filter\.town: expected one of status, .*got "town"/],
  ["a key that a dimension cannot have", rule({ filter: { status: ["done"] } }), /\.filter\.status\[0\]: .*got "done"/],
  ["no keys", rule({ filter: { city: [] } }), /\.filter\.city: expected at least one key/],
  ["a bare key", rule({ filter: { city: "A" } }), /\.filter\.city: expected a list of keys, got "A"/],
  ["a blank key", rule({ filter: { city: [" "] } }), /\.filter\.city: expected keys of 1 to 200 characters/],
  [
    "both sides of a dimension",
    rule({ filter: { city: ["A"], not_city: ["B"] } }),
    /\.filter\.not_city: expected either/,
  ],
  ["no comparison", { name: "a", figure: "trips" }, /expected one of above, below, rises, falls, score, got none/],
  ["two comparisons", rule({ above: 5 }), /got above and below/],
  ["a threshold as text", rule({ below: "5" }), /\.below: expected a number, got "5"/],
  ["a threshold that is no number", JSON.parse('{"name":"a","figure":"trips","below":1e999}'), /\.below: /],
  ["a clear on the wrong side", rule({ clear: 9 }), /\.clear: expected at least 10, where it is over, got 9/],
  ["a percentage below zero", { name: "a", figure: "trips", falls: -30 }, /\.falls: expected percent above 0, got -30/],
  ["a score that is none", { name: "a", figure: "trips", score: 0 }, /\.score: expected a score of 1 or more, got 0/],
  ["a score in words", { name: "a", figure: "trips", score: "high" }, /\.score: expected a number, got "high"/],
  ["half a window", rule({ for: "7m" }), /\.for: expected a multiple of the window, 5m/],
  [
    "no length of time",
    rule({ for: "soon" }),
    /\.for: expected a length of time from 0s to 7d such as 10m, got "soon"/,
  ],
  ["a window that is none", rule({ window: "2m" }), /\.window: expected one of 1m, .*got "2m"/],
  ["a lag that no window is within", rule({ lag: "1m", wait: "5m" }), /\.lag: expected longer than wait/],
  [
    "a silence without a zone",
    rule({ silence_until: "2026-03-01 12:00" }),
    /\.silence_until: expected an RFC 3339 time/,
  ],
  ["a currency where there is one", rule({ currency: "EUR" }), /\.currency: expected none/],
  ["a name for a path", rule({ name: "../etc" }), /\.name: expected a name of at most 64 small letters/],
  ["a long note", rule({ note: "x".repeat(501) }), /\.note: expected at most 500 characters/],
  [
    "a percentile by two keys",
    rule({ figure: "fare_p95", filter: { city: ["A", "B"] } }),
    /\.filter: expected of a percentile one key of none, .*city.* at most/,
  ],
];

for (const [what, json, expected] of WRONG) {
  Deno.test(`a rule is refused with its place: ${what}`, () => {
    const found = faults(json);
    assert.ok(found.some((each) => expected.test(each)), found.join("\n"));
  });
}

Deno.test("all that is wrong with a rule is told at once", () => {
  const found = faults(rule({ figure: "sales", filter: { town: ["A"], status: ["done"] }, clear: 1, for: "7m" }));
  assert.equal(found.length, 5, found.join("\n"));
});

Deno.test("amounts of a domain by currency are of the one that is named, or of the usual one", () => {
  const found = read_rule(payments, { name: "a", figure: "value", above: 5, currency: "EUR" });
  assert.ok(found.ok);
  assert.equal(found.rule.currency, "EUR");
  assert.ok(
    faults({ name: "a", figure: "value", above: 5, currency: "euro" }, payments)[0]!.includes("three upper-case"),
  );
  const usual = read_rule(payments, { name: "a", figure: "value", above: 5 });
  assert.equal(usual.ok && usual.rule.currency, "USD");
});

const NAMES = DOMAINS.map(({ name }) => name);
/** The faults of a file with rules of trades and receivers. */
function file_faults(text: string): string[] {
  const found = read_rules_file(text, NAMES);
  if (!found.ok) return found.faults.map(({ place, message }) => `${place}: ${message}`);
  const rules = read_alerts_of(trades, "trades", found.file);
  return rules.ok ? [] : rules.faults.map(({ place, message }) => `${place}: ${message}`);
}

const WRONG_FILES: readonly (readonly [what: string, text: string, fault: RegExp])[] = [
  ["no JSON", '{"rules": ', /^file: expected JSON: /],
  ["nothing", "", /^file: expected JSON: /],
  ["a list", "[]", /^file: .*expected object/],
  ["an unknown member", '{"rule": {}}', /^rule: no such member; known are rules, receivers$/],
  ["an unknown domain", '{"rules": {"orders": []}}', /^rules\.orders: expected one of trips, .*got "orders"$/],
  ["no list of rules", '{"rules": {"trades": {}}}', /^rules\.trades: expected a list of rules/],
  [
    "too many rules",
    JSON.stringify({ rules: { trades: Array(201).fill(0) } }),
    /^rules\.trades: expected at most 200 rules, got 201$/,
  ],
  [
    "two rules of a name",
    JSON.stringify({ rules: { trades: [1, 2].map((above) => ({ name: "a", figure: "trades", above })) } }),
    /^rules\.trades\[1\]\.name: there is a rule "a" before it$/,
  ],
  [
    "an unknown receiver",
    JSON.stringify({ rules: { trades: [{ name: "a", figure: "trades", above: 1, send_to: ["ops"] }] } }),
    /^rules\.trades\[0\]\.send_to\[0\]: expected one of no receivers, got "ops"$/,
  ],
  [
    "no URL",
    '{"receivers": {"ops": {"webhook": "ftp://host/"}}}',
    /^receivers\.ops\.webhook: expected https:\/\/host\/path$/,
  ],
  [
    "a URL with a password",
    '{"receivers": {"ops": {"webhook": "https://me:secret@host/"}}}',
    /^receivers\.ops\.webhook: /,
  ],
  [
    "no addresses",
    '{"receivers": {"ops": {"email": [], "from": "a@b.c"}}}',
    /^receivers\.ops\.email: expected at least one address/,
  ],
  [
    "an address with a line end",
    '{"receivers": {"ops": {"email": ["a@b.c\\r\\nBcc: e@f.g"], "from": "a@b.c"}}}',
    /^receivers\.ops\.email\[0\]: expected an e-mail address/,
  ],
  ["no sender", '{"receivers": {"ops": {"email": ["a@b.c"]}}}', /^receivers\.ops\.from: expected an e-mail address/],
  [
    "two kinds",
    '{"receivers": {"ops": {"email": ["a@b.c"], "from": "a@b.c", "webhook": "https://h/"}}}',
    /^receivers\.ops\.webhook: no such/,
  ],
  ["a receiver that is neither", '{"receivers": {"ops": {"pager": 1}}}', /^receivers\.ops\.pager: no such member/],
  [
    "a receiver's name",
    '{"receivers": {"Ops!": {"webhook": "https://host/"}}}',
    /^receivers\["Ops!"\]: expected a name/,
  ],
];

for (const [what, text, expected] of WRONG_FILES) {
  Deno.test(`a file of alerts is refused with the place: ${what}`, () => {
    const found = file_faults(text);
    assert.ok(found.some((each) => expected.test(each)), found.join("\n"));
  });
}

Deno.test("what is wrong with a receiver does not quote its address, which may hold a secret", () => {
  const secret = "hush-hush-hush";
  for (const url of [`https://me:${secret}@host/`, `ftp://host/${secret}`, `https://host/#${secret}`]) {
    assert.doesNotMatch(
      file_faults(JSON.stringify({ receivers: { ops: { webhook: url } } })).join(),
      new RegExp(secret),
    );
  }
});

Deno.test("an address of a mail server is read, or is none", () => {
  const none = null;
  assert.deepEqual(read_smtp_url("smtp://me:p%40ss@mail.test:2525"), {
    host: "mail.test",
    port: 2525,
    secure: false,
    auth: { user: "me", pass: "p@ss" },
  });
  assert.deepEqual(read_smtp_url("smtps://mail.test"), { host: "mail.test", port: 465, secure: true, auth: none });
  for (
    const wrong of [
      "mail.test",
      "http://mail.test",
      "smtp://",
      "smtp://me@mail.test",
      "smtp://a:%zz@mail.test",
      "smtp://h/x",
    ]
  ) {
    assert.equal(read_smtp_url(wrong), none, wrong);
  }
});

Deno.test("deep nesting is refused, not followed", () => {
  const deep = "[".repeat(50_000) + "]".repeat(50_000);
  assert.ok(file_faults(deep).length > 0);
  assert.ok(file_faults(`{"rules": {"trades": [${deep}]}}`).length > 0);
  assert.ok(read(`{"rules": {"trades": [{"filter": ${deep}}]}}`, NAMES).ok, "a rule's own faults are its reader's");
});
