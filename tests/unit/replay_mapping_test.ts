import assert from "node:assert/strict";
import { lookup_of, read_lookups } from "../../src/verbs/records/lookups.ts";
import { UsageError } from "../../src/verbs/shell.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { read_definition } from "../../src/mapping/mod.ts";

/** How verbs find what records are read by: tables of lookups on the command line. */

Deno.test("--lookup is name=file or name=file:column, whatever the path", () => {
  const cases: readonly (readonly [text: string, file: string, key: string | null])[] = [
    ["d=a.csv", "a.csv", null],
    ["d=a.csv:driver_id", "a.csv", "driver_id"],
    ["d=/x:y/a.csv", "/x:y/a.csv", null],
    ["d=/x:y/a.csv:the id", "/x:y/a.csv", "the id"],
    ["d=C:\\data\\a.csv", "C:\\data\\a.csv", null],
    ["d=C:\\data\\a.csv:k", "C:\\data\\a.csv", "k"],
    ["d=a=b.csv", "a=b.csv", null],
  ];
  for (const [text, file, key] of cases) assert.deepEqual(lookup_of(text), { name: "d", file, key });
  for (const text of ["", "d", "d=", "=a.csv", "a.csv:k"]) {
    assert.throws(() => lookup_of(text), (error) => error instanceof UsageError && error.message.includes(text));
  }
});

const form = (name: string, key: string) => {
  const event = {
    type: "trip.completed",
    at: "t",
    data: { vehicle_type: { lookup: "drivers", key: "driver", take: "type" } },
  };
  const read = read_definition({ name, lookups: { drivers: { key } }, trip_id: "id", events: [event] }, TRIPS);
  if (!read.ok) throw new Error(read.fault.detail);
  return read.value;
};

Deno.test("a table is indexed by the column that the mapping declares unless one is given", async () => {
  const file = await Deno.makeTempFile({ prefix: "tacho_lookup_", suffix: ".csv" });
  try {
    await Deno.writeTextFile(file, "driver_id,plate,type\nD1,P1,van\nD2,P2,sedan\n");
    const by_id = await read_lookups([lookup_of(`drivers=${file}`)], [form("a", "driver_id"), form("b", "driver_id")]);
    assert.equal(by_id.get("drivers")!.get("D2")!.type, "sedan");
    const by_plate = await read_lookups([lookup_of(`drivers=${file}:plate`)], [form("a", "driver_id")]);
    assert.equal(by_plate.get("drivers")!.get("P1")!.type, "van");

    const refused = async (tables: string[], forms: ReturnType<typeof form>[], expected: RegExp) => {
      const wrong = (error: unknown) => error instanceof UsageError && expected.test(error.message);
      await assert.rejects(read_lookups(tables.map(lookup_of), forms), wrong);
    };
    await refused([`driver=${file}`], [form("a", "driver_id")], /expected a table of the mapping \(drivers\)$/);
    await refused([`drivers=${file}`], [], /expected a table of the mapping \(it has none\)$/);
    await refused([`drivers=${file}`], [form("a", "id")], /expected the column "id", got driver_id, plate, type$/);
    await refused(
      [`drivers=${file}`],
      [form("a", "id"), form("b", "plate")],
      /expected drivers=file:column, as mappings have it by id and by plate$/,
    );
    await refused([`drivers=${file}`, `drivers=${file}:plate`], [form("a", "driver_id")], /the table drivers once$/);
  } finally {
    await Deno.remove(file);
  }
});
