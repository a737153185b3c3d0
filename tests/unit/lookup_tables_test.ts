import assert from "node:assert/strict";
import type { SourceRecord } from "../../src/mapping/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { LookupBuilder, read_definition } from "../../src/mapping/mod.ts";
import { lookup_of, LookupTables } from "../../src/verbs/records/lookups.ts";
import { UsageError } from "../../src/verbs/shell.ts";

/** Tables of a program that serves: read again when their files change, and never half. */

const form_of = (name: string, key: string) => {
  const data = { vehicle_type: ["kind", { lookup: "drivers", key: "driver", take: "type" }] };
  const events = [{ type: "trip.completed", at: "t", data }];
  const read = read_definition({ name, lookups: { drivers: { key } }, trip_id: "id", events }, TRIPS);
  if (!read.ok) throw new Error(read.fault.detail);
  return read.value;
};
const FORM = form_of("own", "driver_id");

/** A table in a file that a test may change, on a clock that it may move. */
async function table_in(text: string) {
  const folder = await Deno.makeTempDir({ prefix: "tacho_tables_" });
  const file = `${folder}/drivers.csv`;
  await Deno.writeTextFile(file, text);
  let now_ms = 0;
  const said: string[] = [];
  const logger = {
    log: (level: string, message: string, fields = {}) => {
      const { reason } = fields as { reason?: Error };
      said.push(`${level} ${message}${reason === undefined ? "" : `: ${reason.message}`}`);
    },
  };
  const tables = await LookupTables.read([lookup_of(`drivers=${file}`)], [FORM], [], { now_ms: () => now_ms });
  const drivers = tables.of(FORM).get("drivers")!;
  return {
    file,
    tables,
    type_of: (driver: string) => drivers.get(driver)?.type,
    /** Looks at the file so often; gives what was said. */
    async look(times: number, meanwhile: () => void = () => {}): Promise<string[]> {
      said.length = 0;
      const { signal } = new AbortController();
      for (let i = 0; i < times; i++) await tables.look(meanwhile, signal, logger);
      return [...said];
    },
    pass_ms: (ms: number) => void (now_ms += ms),
    replace(text: string): void {
      Deno.writeTextFileSync(`${file}.new`, text);
      Deno.renameSync(`${file}.new`, file);
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
const drivers = (...types: string[]) =>
  `driver_id,name,type\n${types.map((type, i) => `D${i},Ann,${type}\n`).join("")}`;

Deno.test("a changed table is read once it was let alone, as a whole, whether replaced or written to in place", async () => {
  await using table = await table_in(drivers("van"));
  assert.deepEqual(await table.look(3), []);
  table.replace(drivers("suv", "van"));
  assert.deepEqual(await table.look(1), []);
  assert.equal(table.type_of("D0"), "van");
  assert.deepEqual(await table.look(1), ["info read a changed table"]);
  assert.deepEqual([table.type_of("D0"), table.type_of("D1"), table.tables.reloads], ["suv", "van", 1]);
  Deno.writeTextFileSync(table.file, drivers("bus"));
  assert.deepEqual(await table.look(2), ["info read a changed table"]);
  assert.deepEqual([table.type_of("D0"), table.type_of("D1")], ["bus", undefined]);
  assert.deepEqual(await table.look(3), []);
});

Deno.test("a file that is written to while it is read is not taken; one that another replaces meanwhile is", async () => {
  await using table = await table_in(drivers("van"));
  table.replace(drivers("suv"));
  const write_to = () => Deno.writeTextFileSync(table.file, drivers("half", "of", "it"));
  assert.deepEqual(await table.look(2, write_to), []);
  assert.equal(table.type_of("D0"), "van");
  await table.look(2);
  assert.equal(table.type_of("D0"), "half");
  table.replace(drivers("one"));
  assert.deepEqual(await table.look(2, () => table.replace(drivers("two"))), ["info read a changed table"]);
  assert.equal(table.type_of("D0"), "one");
  await table.look(2);
  assert.equal(table.type_of("D0"), "two");
});

Deno.test("a file that is another one at each look is read all the same", async () => {
  await using table = await table_in(drivers("van"));
  for (let i = 0; i < 12; i++) {
    table.replace(drivers(`suv${i}`));
    await table.look(1);
  }
  assert.ok(table.tables.reloads >= 2, `${table.tables.reloads} times`);
  assert.notEqual(table.type_of("D0"), "van");
});

Deno.test("what is no such table leaves the one from before, and is said once and in what is to be known", async () => {
  const faulty: readonly (readonly [(file: string) => void, RegExp])[] = [
    [(file) => Deno.removeSync(file), /open ".*drivers\.csv": No such file/],
    [(file) => (Deno.removeSync(file), Deno.mkdirSync(file)), /expected a file, got something else/],
    [(file) => Deno.writeTextFileSync(file, ""), /expected rows, got none$/],
    [(file) => Deno.writeTextFileSync(file, "driver_id,name,type\n"), /expected rows, got none$/],
    [(file) => Deno.writeTextFileSync(file, "id,type\nD0,suv\n"), /expected the column "driver_id", got id, type$/],
    [
      (file) => Deno.writeTextFileSync(file, `${drivers("suv")}D1\n`),
      /line 3: expected 3 values as in the header, got 1$/,
    ],
    [(file) => Deno.writeFileSync(file, Uint8Array.of(0x1f, 0x8b, 8, 0)), /\S/],
  ];
  for (const [spoil, wanted] of faulty) {
    await using table = await table_in(drivers("van"));
    table.pass_ms(5_000);
    spoil(table.file);
    const [said, ...others] = await table.look(5);
    assert.deepEqual(others, [], "once");
    assert.match(said!, /^warn a table cannot be read; the one from before stays: /);
    assert.match(said!, wanted);
    assert.deepEqual([table.type_of("D0"), table.tables.stale, table.tables.reloads], ["van", 1, 0]);
    const [check, ...more] = table.tables.checks();
    assert.deepEqual([check?.name, check?.ok, more], ["lookups", true, []]);
    assert.match(check!.reason!, /^the table drivers stays as it was since 1970-01-01T00:00:05\.000Z: /);
  }
});

Deno.test("a table whose file can be read again goes on with it; one that could not be is tried again though it is the same", async () => {
  await using table = await table_in(drivers("van"));
  Deno.renameSync(table.file, `${table.file}.away`);
  assert.equal((await table.look(3)).length, 1);
  Deno.renameSync(`${table.file}.away`, table.file);
  assert.deepEqual(await table.look(2), ["info a table can be read again, and is as it was"]);
  assert.deepEqual([table.tables.stale, table.tables.checks()], [0, []]);
  table.replace("x\n1\n");
  assert.equal((await table.look(3)).length, 1);
  table.replace(drivers("suv"));
  assert.deepEqual(await table.look(2), ["info read a changed table"]);
  assert.deepEqual([table.type_of("D0"), table.tables.stale], ["suv", 0]);
  table.replace(drivers("bus"));
  const fail = () => {
    throw new Error("the disk stumbled");
  };
  assert.deepEqual(await table.look(2, fail), [
    "warn a table cannot be read; the one from before stays: the disk stumbled",
  ]);
  assert.deepEqual(await table.look(3), []);
  table.pass_ms(60_001);
  assert.deepEqual(await table.look(1), ["info read a changed table"]);
  assert.deepEqual([table.type_of("D0"), table.tables.stale], ["bus", 0]);
});

Deno.test("tables of a configuration: the column that is given or that a mapping declares; wrong ones are refused at the start", async () => {
  await using table = await table_in("driver_id,plate,type\nD0,P0,van\nD0,P1,suv\n");
  const read = (texts: string[], chosen: ReturnType<typeof form_of>[], others: ReturnType<typeof form_of>[] = []) =>
    LookupTables.read(texts.map((text) => lookup_of(text)), chosen, others, { now_ms: () => 0 });
  const [by_id, by_plate, other] = [form_of("a", "driver_id"), form_of("b", "plate"), form_of("c", "license")];
  const both = await read([`drivers=${table.file}`], [by_id, by_plate], [other]);
  assert.equal(both.of(by_id).get("drivers")?.get("D0")?.type, "suv", "of several rows the last");
  assert.equal(both.of(by_plate).get("drivers")?.get("P0")?.type, "van");
  assert.deepEqual([...both.of(other).keys()], [], "the chosen mappings decide");
  const given = await read([`drivers=${table.file}:plate`], [by_id]);
  assert.equal(given.of(by_id).get("drivers")?.get("P1")?.type, "suv");
  const refused = async (texts: string[], wanted: RegExp, forms = [by_id]) => {
    await assert.rejects(
      () => read(texts, forms),
      (error) => error instanceof UsageError && wanted.test(error.message),
    );
  };
  await refused([`drivers=${table.file}.absent`], /^drivers=.*: open ".*absent": No such file/);
  await refused([`zones=${table.file}`], /^zones=.*: expected a table that a mapping declares \(drivers\)$/);
  await refused([`drivers=${table.file}:x`], /expected the column "x", got driver_id, plate, type$/);
  await refused([`drivers=${table.file}`, `drivers=${table.file}`], /expected the table drivers once$/);
  await refused([`drivers=${table.file}`], /expected the column "license"/, [other]);
});

Deno.test("a table keeps what mappings take, equal rows once, and finds what whole rows would", () => {
  const rows: SourceRecord[] = [
    { id: "1", type: "van", seats: 4, note: "x".repeat(100) },
    { id: 2, type: "van", seats: 4, note: "y" },
    { id: "3", type: "van", seats: "4" },
    { id: "4", type: "van" },
    { id: "5", type: null, seats: 7n },
    { id: "6", type: { a: 1 }, seats: [1] },
    { id: " 7 ", type: "a long name of a kind of vehicle" },
    { id: " ", type: "no key" },
    { type: "no key" },
  ];
  for (const columns of [["type", "seats"], ["type"]]) {
    const builder = new LookupBuilder("id", columns);
    for (const row of rows) builder.add(row);
    assert.equal(builder.size, 7);
    for (const row of rows.slice(0, 7)) {
      const found = builder.lookup.get(String(row.id).trim())!;
      assert.deepEqual(columns.map((name) => found[name]), columns.map((name) => row[name]));
    }
    assert.equal(builder.lookup.get("1"), builder.lookup.get("2"));
    assert.equal(builder.lookup.get("1")!.note, undefined);
  }
});
