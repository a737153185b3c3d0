import assert from "node:assert/strict";
import type { MappingContext } from "../../src/mapping/mod.ts";
import { index_lookup, parse_mapping } from "../support/trip_mapping.ts";
import reference from "../../docs/mappings.md" with { type: "text" };
import definition from "../../src/mapping/definition.ts" with { type: "text" };
import time_format from "../../src/mapping/time_format.ts" with { type: "text" };

/** The reference of the mapping language: it names every word, and each of its examples is run. */

const CONTEXT: MappingContext = {
  business_zone: "America/New_York",
  currency: "USD",
  lookups: new Map([["drivers", index_lookup([{ driver_id: "D1", kind: "SUV" }], "driver_id")]]),
};
const AT = "2026-03-01T10:00:00Z";
const EVENT = { type: "trip.completed", at: "at", data: {} };
/** A time that the zone is for. */
const LOCAL = { y: { from: "y", as: "time" } };
const BASE = {
  name: "own",
  zone: "Europe/Berlin",
  lookups: { drivers: { key: "driver_id" } },
  trip_id: "id",
  events: [EVENT],
};

/** What a mapping makes of a record: its first event, null for one that is skipped, or why it is refused. */
function first_of(changes: Record<string, unknown>, record: Record<string, unknown>) {
  const made = parse_mapping(JSON.stringify({ ...BASE, ...changes }), CONTEXT);
  assert.ok(made.ok, made.ok ? "" : `${JSON.stringify(changes)}: ${made.fault.detail}`);
  const mapped = made.value.map({ ..."trip_id" in changes ? {} : { id: "T" }, at: AT, ...record });
  return mapped.ok ? mapped.value[0] ?? null : mapped.fault.detail;
}

/** The rows of the tables whose header begins with a cell, as their cells. */
function rows_of(first: string, columns: number): string[][] {
  const rows = reference.split("\n").map((line) =>
    line.startsWith("|") ? line.split("|").slice(1, -1).map((cell) => cell.trim()) : null
  );
  const found: string[][] = [];
  let inside = false;
  for (const [i, cells] of rows.entries()) {
    if (cells === null) inside = false;
    else if (rows[i - 1] == null) inside = cells[0] === first && cells.length === columns;
    else if (inside && !/^-+$/.test(cells[0]!)) found.push(cells);
  }
  assert.ok(found.length > 4, `tables of ${first} have ${found.length} rows`);
  return found;
}
const code = (cell: string): string => /^(?:refused: )?`(.*)`$/.exec(cell)?.[1] ?? assert.fail(`no code: ${cell}`);
const json = (cell: string) => JSON.parse(code(cell));

Deno.test("mapping reference: each example of a value, a time, a condition and an id is what it says", () => {
  const check = (example: string, wanted: string, got: unknown, field: string) => {
    if (wanted.startsWith("refused: ")) return assert.ok(String(got).includes(code(wanted)), `${example}: ${got}`);
    assert.ok(typeof got === "object" && got !== null, `${example}: ${got}`);
    assert.deepEqual((got as Record<string, unknown>)[field], json(wanted), example);
  };
  for (const [value = "", record = "", is = ""] of rows_of("value", 3)) {
    check(value, is, first_of({ events: [{ ...EVENT, data: { x: json(value) } }] }, json(record)), "x");
  }
  for (const [time = "", record = "", is = ""] of rows_of("time", 3)) {
    check(time, is, first_of({ events: [{ ...EVENT, at: json(time), data: LOCAL }] }, json(record)), "occurred_at");
  }
  for (const [id = "", record = "", is = ""] of rows_of("id", 3)) {
    check(id, is, first_of({ trip_id: json(id) }, json(record)), "trip_id");
  }
  for (const [condition = "", holds = "", not = ""] of rows_of("condition", 3)) {
    const skip = { skip: json(condition) };
    assert.equal(first_of(skip, json(holds)), null, `${condition} holds for ${holds}`);
    assert.notEqual(first_of(skip, json(not)), null, `${condition} does not hold for ${not}`);
  }
});

Deno.test("mapping reference: each word at the top and of an event is used as its example says", () => {
  const words = rows_of("word", 3);
  for (const [word = "", , example = ""] of words) {
    const part = JSON.parse(`{${code(example)}}`) as Record<string, unknown>;
    const name = code(word);
    assert.ok(Object.hasOwn(part, name), `${word} in ${example}`);
    const whole = ["type", "at", "when", "data", "event_id", "keep_rest"].includes(name)
      ? { ...BASE, events: [{ ...EVENT, ...part }] }
      : { ...BASE, ...part };
    const made = parse_mapping(JSON.stringify(whole), CONTEXT);
    assert.ok(made.ok, made.ok ? "" : `${example}: ${made.fault.detail}`);
  }
});

Deno.test("mapping reference: the mapping that stands as an example makes the events that it says of the record", () => {
  const [mapping, record, events] = [...reference.matchAll(/```json\n([^]*?)```/g)].map(([, text]) =>
    JSON.parse(text!)
  );
  const made = parse_mapping(JSON.stringify(mapping), CONTEXT);
  assert.ok(made.ok, made.ok ? "" : made.fault.detail);
  assert.deepEqual(made.value.map(record), { ok: true, value: events });
});

Deno.test("mapping reference: every word of the language stands in it", () => {
  // Members of the schemas, values of their enumerations, and tokens of patterns, as the source declares them.
  const code_alone = definition.replaceAll(/\/\*\*?[^]*?\*\/|\/\/.*/g, "");
  const objects = [...code_alone.matchAll(/(?:strictObject\(|const (?:table|time_fields) = )\{([^]*?)\}/g)].map((
    [, text],
  ) => text!);
  const members = [
    ...definition.matchAll(/^ {2}([a-z_]+): /gm),
    ...objects.flatMap((text) => [...text.matchAll(/\b([a-z_]+): /g)]),
  ];
  const enums = [...code_alone.matchAll(/(?:z\.enum\(|NAMED_FORMATS = )\[([^\]]*)\]|z\.literal\(([^)]*)\)/g)];
  const texts = enums.flatMap(([, list, one]) => [...(list ?? one!).matchAll(/"([^"]+)"/g)]);
  const tokens = [...time_format.matchAll(/^ {2}([A-Za-z]+): \[$|^ {2}([A-Za-z]+): \["/gm)].map(([, long, short]) =>
    long ?? short!
  );
  const words = new Set([...members, ...texts].map(([, word]) => word!));
  // What the schema library is told, not the author of a mapping.
  words.delete("error");
  for (
    const wanted of [
      "skip",
      "blank",
      "below",
      "join",
      "with",
      "epoch_us",
      "quarantine",
      "schema_registry",
      "required",
      "per",
    ]
  ) {
    assert.ok(words.has(wanted), `the source is not read right: ${wanted} is not found`);
  }
  assert.equal(tokens.length, 16);
  const lacking = [...words].filter((word) => !new RegExp(`["\`]${RegExp.escape(word)}["\`]`).test(reference));
  assert.deepEqual([...lacking, ...tokens.filter((token) => !reference.includes(`\`${token}\``))], []);
});
