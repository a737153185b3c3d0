import assert from "node:assert/strict";
import fc from "fast-check";
import { ALIAS, canonical_json, parse_json } from "../../src/domains/mod.ts";
import { draw_alias, with_aliases } from "../../src/ingest/aliases.ts";

/** Ids of persons in the data of events, and what stands for them. */

const KEY = '"driver_id":';
/** What stands for an id here: aliases need no escapes. */
const hex = (id: string) => `<${new TextEncoder().encode(id).toHex()}>`;

Deno.test("an alias is known by its form, and no two are the same", () => {
  const drawn = Array.from({ length: 1_000 }, () => draw_alias(1_780_000_000_000));
  assert.ok(drawn.every((alias) => ALIAS.test(alias)), drawn[0]);
  assert.equal(new Set(drawn).size, 1_000);
  // Those of one time lie together.
  assert.equal(new Set(drawn.map((alias) => alias.slice(0, 8))).size, 1);
  for (const id of ["", "~", "~abc", "D0413", `${drawn[0]}x`, drawn[0]!.slice(1)]) assert.ok(!ALIAS.test(id), id);
});

Deno.test("what stands under a name is replaced at any depth, however JSON writes it, and nothing else is", () => {
  const cases: readonly (readonly [given: unknown, expected: unknown])[] = [
    [{ driver_id: "D1", fare: "1" }, { driver_id: hex("D1"), fare: "1" }],
    [{ a: 1, driver_id: 17 }, { a: 1, driver_id: hex("17") }],
    [{ source: { driver_id: "D2", legs: [{ driver_id: "D1" }] }, driver_id: "D1" }, {
      source: { driver_id: hex("D2"), legs: [{ driver_id: hex("D1") }] },
      driver_id: hex("D1"),
    }],
    [{ driver_id: 'a "quoted", \\ one\n' }, { driver_id: hex('a "quoted", \\ one\n') }],
    [{ driver_id: "Ünal" }, { driver_id: hex("Ünal") }],
    // Blank is unknown; what is an alias stays.
    ...[null, "", "  ", true, draw_alias(0)].map((driver_id) => [{ driver_id }, { driver_id }] as const),
    // Texts that look like it.
    [{ note: '{"driver_id":"D1"}', other: ',"driver_id":"D1"' }, {
      note: '{"driver_id":"D1"}',
      other: ',"driver_id":"D1"',
    }],
    [{ a: "x,", driver_ids: "D1", "driver_id\\": 1 }, { a: "x,", driver_ids: "D1", "driver_id\\": 1 }],
    [{}, {}],
  ];
  for (const [given, expected] of cases) {
    assert.equal(with_aliases(canonical_json(given), KEY, hex), canonical_json(expected));
  }
  // What is not known yet stays.
  assert.equal(with_aliases('{"driver_id":"D1"}', KEY, () => null), '{"driver_id":"D1"}');
  for (const none of [["D1"], { id: "D1" }, "x".repeat(201)]) {
    assert.throws(
      () => with_aliases(canonical_json({ driver_id: none }), KEY, hex),
      /a list or an object|text of 201/,
    );
  }
});

Deno.test("of any data it is what replacing in the parsed value gives", () => {
  const name = fc.constantFrom("driver_id", "a", 'driver_id":', ',"driver_id', "\\");
  const leaf = fc.oneof(fc.string({ unit: "grapheme", maxLength: 8 }), fc.integer(), fc.constantFrom(true, null));
  const { data } = fc.letrec<{ data: unknown; value: unknown }>((tie) => ({
    data: fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    value: fc.oneof({ depthSize: "small" }, leaf, tie("data"), fc.array(leaf, { maxLength: 3 })),
  }));
  const replaced = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replaced);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => {
        if (typeof each === "object" && each !== null) return [key, replaced(each)];
        const is_id = key === "driver_id" &&
          (typeof each === "number" || typeof each === "string" && each.trim() !== "");
        return [key, is_id ? hex(String(each)) : each];
      }),
    );
  };
  const scalar_ids = (value: unknown): boolean =>
    typeof value !== "object" || value === null ||
    Object.entries(value).every(([key, each]) =>
      scalar_ids(each) && !(key === "driver_id" && typeof each === "object" && each !== null)
    );
  fc.assert(fc.property(data.filter(scalar_ids), (given) => {
    const text = canonical_json(given);
    assert.deepEqual(parse_json(with_aliases(text, KEY, hex)), parse_json(canonical_json(replaced(given))));
  }));
});
