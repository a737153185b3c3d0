import assert from "node:assert/strict";
import {
  copy_text,
  type Database,
  is_outage,
  open_database,
  plain_array,
  snapshot,
  sqlstate,
  text_array,
  unnested,
  violated_constraint,
} from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";
import { shared_postgres } from "../support/postgres.ts";

/** What both adapters of the `Database` port must show, on a database of their own. */
async function open(kind: Database["kind"]): Promise<Database> {
  if (kind === "embedded") return open_embedded_copy();
  const { url } = await (await shared_postgres()).create_database();
  return open_database({ url, data_dir: null, connections: 4 });
}

async function with_database(kind: Database["kind"], work: (database: Database) => Promise<void>): Promise<void> {
  const database = await open(kind);
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

/** The suite; the embedded database takes seconds to make, so its cases share one. */
const SUITE: Record<string, (database: Database) => Promise<void>> = {
  async "values come as the port says"(database) {
    const [row] = await database.query(
      `select 9007199254740993::bigint as big, 12.50::numeric(38, 2) as exact, 7 as whole,
      1.5::double precision as real, 'ü' as text, true as flag, null as nothing, '\\x00ff'::bytea as bytes,
      '{"a":[1]}'::jsonb as json, '{"x y",NULL}'::text[] as texts, '{1,9007199254740993}'::bigint[]::text[] as bigs`,
    );
    const { bytes, ...rest } = row!;
    assert.ok(bytes instanceof Uint8Array);
    assert.deepEqual([...bytes], [0, 255]);
    assert.deepEqual(rest, {
      big: "9007199254740993",
      exact: "12.50",
      whole: 7,
      real: 1.5,
      text: "ü",
      flag: true,
      nothing: null,
      json: { a: [1] },
      texts: ["x y", null],
      bigs: ["1", "9007199254740993"],
    });
  },

  async "arrays stand side by side, as rows, null where one is shorter or none is given"(database) {
    const relation = unnested(["word", "number", "nothing"], ["text", "bigint", "text"]);
    const values = [text_array(["b", null, "a"]), plain_array([1, 2]), null];
    const rows = await database.query(`select word, number::integer, nothing from ${relation} u`, values);
    assert.deepEqual(rows, [
      { word: "b", number: 1, nothing: null },
      { word: null, number: 2, nothing: null },
      { word: "a", number: null, nothing: null },
    ]);
  },

  async "parameters go as they are given, to a named statement too, again and again"(database) {
    const statement = {
      name: "all_kinds",
      text: "select $1::text as t, $2::bigint as n, $3::boolean as b, $4::bytea as y, $5::text as z",
    };
    for (const text of ["it's", '"\\', "üñ🚗", ""]) {
      const [row] = await database.query(statement, [text, 42, false, new Uint8Array([0, 1, 255]), null]);
      assert.equal(row!.t, text);
      assert.deepEqual([row!.n, row!.b, row!.z], ["42", false, null]);
      assert.deepEqual([...row!.y as Uint8Array], [0, 1, 255]);
    }
  },

  async "time zone is UTC, whatever the server's is"(database) {
    const [row] = await database.query(
      "select current_setting('TimeZone') as zone, '2026-03-01T00:00:00Z'::timestamptz::text as at",
    );
    assert.deepEqual(row, { zone: "UTC", at: "2026-03-01 00:00:00+00" });
  },

  async "execute gives the number of rows changed"(database) {
    await database.script("create table counted (n integer); insert into counted values (1), (2), (3);");
    assert.equal(await database.execute("update counted set n = n + 1 where n > $1", [1]), 2);
    assert.equal(await database.execute("delete from counted where false"), 0);
  },

  async "a transaction commits what was done and gives the result"(database) {
    await database.script("create table kept (n integer)");
    const result = await database.transaction(async (tx) => {
      await tx.execute("insert into kept values (1)");
      const [row] = await tx.query<{ count: string }>("select count(*) from kept");
      return row!.count;
    });
    assert.equal(result, "1");
    assert.deepEqual(await database.query("select n from kept"), [{ n: 1 }]);
  },

  async "a transaction whose work throws is rolled back, with the error as it was"(database) {
    await database.script("create table gone (n integer)");
    const mine = new Error("mine");
    const failing = database.transaction(async (tx) => {
      await tx.execute("insert into gone values (1)");
      throw mine;
    });
    await assert.rejects(failing, (error) => error === mine);
    assert.deepEqual(await database.query("select n from gone"), []);
  },

  async "a statement that fails rolls its transaction back, and the next one works"(database) {
    await database.script("create table once (n integer constraint once_pkey primary key)");
    const failing = database.transaction(async (tx) => {
      await tx.execute("insert into once values (1)");
      await tx.execute("insert into once values (1)");
    });
    await assert.rejects(failing, (error) => {
      assert.deepEqual([sqlstate(error), violated_constraint(error), is_outage(error)], ["23505", "once_pkey", false]);
      return true;
    });
    assert.deepEqual(await database.query("select n from once"), []);
    assert.equal(await database.transaction((tx) => tx.execute("insert into once values (1)")), 1);
  },

  async "copy takes every character, empty text and null"(database) {
    await database.script("create table copied (n integer, t text, u text)");
    const texts = [
      "tab\there",
      "line\nbreak\r\n",
      "back\\slash \\N \\. \\t",
      "",
      "üñ🚗\u2028",
      " '\"{},; ",
      "\\.",
      "\\N",
      "\u0001\u007f",
    ];
    const text = texts.map((each, n) => `${n}\t${copy_text(each)}\t\\N\n`).join("");
    assert.equal(await database.transaction((tx) => tx.copy("copied", ["n", "t", "u"], text)), texts.length);
    const rows = await database.query("select t, u from copied order by n");
    assert.deepEqual(rows, texts.map((t) => ({ t, u: null })));
  },

  async "copy takes much at once, wherever it is cut, and no line at all"(database) {
    await database.script("create table bulk (n integer, t text)");
    const text = Array.from({ length: 30_000 }, (_, n) => `${n}\t${"🚗x".repeat(30)}\n`).join("");
    assert.equal(await database.transaction((tx) => tx.copy("bulk", ["n", "t"], text)), 30_000);
    assert.equal(await database.transaction((tx) => tx.copy("bulk", ["n", "t"], "")), 0);
    const [row] = await database.query(
      "select count(distinct n) as n, min(t) = max(t) as same, max(length(t)) as length from bulk",
    );
    assert.deepEqual(row, { n: "30000", same: true, length: 60 });
  },

  async "copy that is refused rolls the transaction back, with its SQLSTATE, and the next one works"(database) {
    await database.script("create table strict (n integer constraint positive check (n > 0))");
    for (const [text, state] of [["1\n-1\n", "23514"], ["x\n", "22P02"], ["1\t2\n", "22P04"]] as const) {
      await assert.rejects(database.transaction((tx) => tx.copy("strict", ["n"], text)), (error) => {
        assert.deepEqual([sqlstate(error), is_outage(error)], [state, false]);
        return true;
      });
    }
    assert.equal(await database.transaction((tx) => tx.copy("strict", ["n"], "1\n")), 1);
    assert.deepEqual(await database.query("select n from strict"), [{ n: 1 }]);
  },

  async "array literals carry every character, and null"(database) {
    const texts = ["", "NULL", "null", 'quote " and \\', "{a,b}", " x ", "tab\tline\n", "üñ🚗", null];
    const [row] = await database.query(
      "select $1::text[] as texts, $2::bigint[]::text[] as numbers, $3::text[] as nothing",
      [
        text_array(texts),
        plain_array([1, -9007199254740993n, null, "7"]),
        text_array([]),
      ],
    );
    assert.deepEqual(row, { texts, numbers: ["1", "-9007199254740993", null, "7"], nothing: [] });
  },

  async "a snapshot sees one moment, whatever is committed meanwhile, and gives the result"(database) {
    await database.script("create table moving (n integer); insert into moving values (1)");
    const numbers = "select n from moving order by n";
    let writing: Promise<unknown> = Promise.resolve();
    const seen = await snapshot(database, async (reading) => {
      const before = await reading.query(numbers);
      writing = database.execute("insert into moving values (2)");
      // The embedded database makes others wait until the snapshot ends.
      if (database.kind === "server") await writing;
      return [before, await reading.query(numbers)];
    });
    assert.deepEqual(seen, [[{ n: 1 }], [{ n: 1 }]]);
    await writing;
    assert.deepEqual(await database.query(numbers), [{ n: 1 }, { n: 2 }]);
  },

  async "a snapshot refuses to write, and the connection goes on"(database) {
    await database.script("create table unwritten (n integer)");
    await assert.rejects(
      snapshot(database, (reading) => reading.execute("insert into unwritten values (1)")),
      (error) => sqlstate(error) === "25006",
    );
    assert.equal(await database.execute("insert into unwritten values (1)"), 1);
  },

  async "a snapshot gives rows in pages, several selects at once, questions between them, each left when it is enough"(
    database,
  ) {
    const numbers = "select n from generate_series(1, $1::integer) n";
    const read = await snapshot(database, async (reading) => {
      const sizes: number[] = [], sums: string[] = [];
      const other = reading.pages<{ n: number }>(numbers, [1000], 10);
      for await (const page of reading.pages<{ n: number }>(numbers, [7], 3)) {
        sizes.push(page.length);
        const [{ sum } = { sum: "" }] = await reading.query<{ sum: string }>("select $1::bigint + 1 as sum", [
          page[0]!.n,
        ]);
        sums.push(sum);
        sizes.push((await other.next()).value?.length ?? 0);
      }
      for await (const page of reading.pages(numbers, [0], 3)) sizes.push(page.length);
      for await (const page of reading.pages(numbers, [6], 3)) sizes.push(page.length);
      return { sizes, sums };
    });
    assert.deepEqual(read, { sizes: [3, 10, 3, 10, 1, 10, 3, 3], sums: ["2", "5", "8"] });
    const failing = snapshot(database, async (reading) => {
      for await (const page of reading.pages("select 1 / (3 - n) as n from generate_series(1, 9) n", [], 1)) {
        assert.equal(page.length, 1);
      }
    });
    await assert.rejects(failing, (error) => sqlstate(error) === "22012");
    assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
  },

  async "what blames a statement's data is no outage; a missing table or right is"(database) {
    const states: [string, string, boolean][] = [
      ["select 1 / 0", "22012", false],
      ["select 'x'::integer", "22P02", false],
      ["select 9223372036854775807 + 1", "22003", false],
      ["select * from nowhere", "42P01", true],
      ["do $$ begin raise exception 'x' using errcode = '53100'; end $$", "53100", true],
      ["do $$ begin raise exception 'x' using errcode = '40P01'; end $$", "40P01", true],
    ];
    for (const [statement, state, outage] of states) {
      await assert.rejects(database.query(statement), (error) => {
        assert.deepEqual([statement, sqlstate(error), is_outage(error)], [statement, state, outage]);
        return true;
      });
    }
  },

  async "queries wait for each other where they have to: many at once all get their answers"(database) {
    const answers = await Promise.all(
      Array.from(
        { length: 30 },
        (_, n) =>
          n % 3 === 0
            ? database.transaction((tx) => tx.query("select $1::integer as n", [n]))
            : database.query("select $1::integer as n", [n]),
      ),
    );
    assert.deepEqual(answers.map(([row]) => row!.n), Array.from({ length: 30 }, (_, n) => n));
  },
};

for (const [name, work] of Object.entries(SUITE)) {
  tacho_test({ name: `${name} (server)`, needs: ["postgres"], fn: () => with_database("server", work) });
}
tacho_test({
  name: "the embedded database passes the same suite",
  fn: (context) =>
    with_database("embedded", async (database) => {
      for (const [name, work] of Object.entries(SUITE)) assert.ok(await context.step(name, () => work(database)));
    }),
});
