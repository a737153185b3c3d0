import assert from "node:assert/strict";
import { format_line, printable, printable_json } from "../../src/runtime/mod.ts";

const NOW = Date.UTC(2026, 2, 1, 10);

Deno.test("a line says when, how grave, what, and its fields", () => {
  const fields = { version: 3, name: "trips", ok: true, at: [1, 2] };
  assert.equal(
    format_line(NOW, "info", "migrated", fields),
    "2026-03-01T10:00:00.000Z info  migrated version=3 name=trips ok=true at=[1,2]",
  );
  assert.equal(format_line(NOW, "error", "stopped"), "2026-03-01T10:00:00.000Z error stopped");
});

Deno.test("fields stay apart: what has spaces, quotes or line breaks is quoted; what is absent is left out", () => {
  const line = format_line(NOW, "warn", "x", {
    a: 'two "words"',
    b: "line\nbreak level=error",
    c: "",
    d: null,
    e: undefined,
    f: "k=v",
  });
  assert.ok(!line.includes("\n"));
  assert.equal(
    line.slice(line.indexOf(" x") + 3),
    String.raw`a="two \"words\"" b="line\nbreak level=error" c="" f="k=v"`,
  );
});

Deno.test("an error shows as its message", () => {
  assert.match(format_line(NOW, "warn", "x", { reason: new Error("it broke") }), / reason="it broke"$/);
});

/** What moves a terminal's cursor, forges a line, turns text around or is half a character. */
const HOSTILE = [
  "\x1b[2J\x1b[1;31m",
  "a\r2026-03-01T10:00:00.000Z error forged",
  "\x9b31m",
  "\x7f\b\x00",
  "\u2028\u2029\u0085",
  "user\u202egnp.exe\u2066\u2069\u200f\u200b\ufeff",
  "\u{e0041}",
  "\ud800",
];

Deno.test("no text of others moves the cursor, forges a line or turns text around: not as message, field, error or key of JSON", () => {
  for (const text of HOSTILE) {
    const reason = new Error(text), nested = { [text]: [text] };
    const line = format_line(NOW, "warn", text, { id: text, joined: `x${text}`, reason, nested });
    assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    const json = printable_json(JSON.stringify({ [text]: text }, null, 2));
    assert.doesNotMatch(json.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    assert.deepEqual(JSON.parse(json), { [text]: text });
  }
  assert.equal(printable("Łódź 🚗 ü"), "Łódź 🚗 ü");
  assert.equal(printable("a\x1b[1m"), String.raw`a\u{1b}[1m`);
});
