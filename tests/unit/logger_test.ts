import assert from "node:assert/strict";
import { format_line } from "../../src/runtime/mod.ts";

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
