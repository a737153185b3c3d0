import assert from "node:assert/strict";
import { type Database, type OpenedDatabase, type Pieces } from "../../src/database/mod.ts";
import { CURRENCY, define_domain, type DomainDefinition, type Fields, TEXT } from "../../src/domains/mod.ts";
import { read_after } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { sketches_anew, stream_history } from "../../src/projection/mod.ts";
import { bill_events, BILL_TABLES, bill_truths, type Billed, bills, some_bills } from "../support/bill_domain.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { database_test } from "../support/read_side.ts";
import { verified } from "../support/verified_log.ts";

/** A zone whose days begin inside an hour of UTC: they are no unions of hours. */
const TIME_ZONE = "Asia/Kolkata";
const check = (database: Database) => verified(database, {}, { domain: bills, days: days_in(TIME_ZONE) });

/** Takes events of bills in as they come, some a batch. @param then what is done after each round */
async function take(
  database: OpenedDatabase,
  rounds: readonly (readonly Billed[])[],
  then: (round: number) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const source = new MemorySource("bills", [[]]);
  const running = start_ingest(database, source, { domain: bills, batch_messages: 25, time_zone: TIME_ZONE });
  try {
    for (const [i, round] of rounds.entries()) {
      source.put(0, bill_events(...round));
      await running.caught_up();
      await then(i);
    }
  } finally {
    await running.stop();
  }
}

interface Sum {
  bills: number;
  micros: bigint;
  amounts: number;
  least: bigint | null;
  most: bigint | null;
  withdrawn: number;
}

/** What bills add up to by currency, dimension, key and hour, or of all of time. */
function sums_of(billed: readonly Billed[]): Map<string, Sum> {
  const sums = new Map<string, Sum>();
  const add = (currency: string, dimension: string, key: string, minute: number, change: (sum: Sum) => void) => {
    for (const bucket of ["all", `hour ${Math.floor(minute / 60)}`, `minute ${minute}`]) {
      const name = `${bucket} ${currency} ${dimension}=${key}`;
      const sum = sums.get(name) ?? { bills: 0, micros: 0n, amounts: 0, least: null, most: null, withdrawn: 0 };
      change(sum);
      sums.set(name, sum);
    }
  };
  for (const { currency, sent, withdrawn, cents, shop } of bill_truths(billed)) {
    const status = withdrawn !== null ? "withdrawn" : sent !== null ? "sent" : "waiting";
    for (const [dimension, key] of [["none", "all"], ["shop", shop], ["status", status]] as const) {
      if (withdrawn !== null) add(currency, dimension, key, withdrawn, (sum) => sum.withdrawn++);
      if (sent === null || status !== "sent") continue;
      add(currency, dimension, key, sent, (sum) => {
        sum.bills++;
        if (cents === null) return;
        const micros = BigInt(cents) * 10_000n;
        sum.amounts++;
        sum.micros += micros;
        if (sum.least === null || micros < sum.least) sum.least = micros;
        if (sum.most === null || micros > sum.most) sum.most = micros;
      });
    }
  }
  return sums;
}

/** The same, as the cells have it; those of nothing are left out. */
async function cells_of(database: Database): Promise<Map<string, Sum>> {
  const rows = await database.query<Record<string, string | null>>(
    `select grain, extract(epoch from bucket - '2026-03-01T10:00:00Z'::timestamptz)::bigint as after_s, currency, dimension, key,
       bills, amount_sum_micros, amount_count, amount_min_micros, amount_max_micros, withdrawn
     from bill_cells where grain in ('all', '1h', '1m') and (bills > 0 or withdrawn > 0)`,
  );
  return new Map(rows.map((row) => {
    const after_s = Number(row.after_s);
    const bucket = { all: "all", "1h": `hour ${after_s / 3600}`, "1m": `minute ${after_s / 60}` }[row.grain!];
    return [`${bucket} ${row.currency} ${row.dimension}=${row.key}`, {
      bills: Number(row.bills),
      micros: BigInt(row.amount_sum_micros!),
      amounts: Number(row.amount_count),
      least: row.amount_min_micros === null ? null : BigInt(row.amount_min_micros!),
      most: row.amount_max_micros === null ? null : BigInt(row.amount_max_micros!),
      withdrawn: Number(row.withdrawn),
    }];
  }));
}

const by_name = <T>(sums: ReadonlyMap<string, T>) => [...sums].sort(([a], [b]) => a < b ? -1 : 1);

database_test(
  "several currencies: whatever the order, each cell holds what is of its currency, and nothing adds up two",
  async (database) => {
    await database.script(BILL_TABLES);
    const told = some_bills(7, 300);
    await take(database, [told.slice(0, 300), [...told.slice(200), ...told.slice(0, 50)]]);
    const expected = sums_of(told);
    assert.ok(["USD", "EUR", "JPY"].every((currency) => expected.get(`all ${currency} none=all`)!.bills > 20));
    assert.deepEqual(by_name(await cells_of(database)), by_name(expected));
    const totals = await database.query<Record<"currency" | "key" | "bills" | "micros", string>>(
      "select currency, key, bills, amount_sum_micros as micros from bill_totals where bills > 0 order by currency, key",
    );
    const payers = Map.groupBy(
      bill_truths(told).filter(({ sent, withdrawn }) => sent !== null && withdrawn === null),
      ({ currency, payer }) => `${currency} ${payer}`,
    );
    assert.deepEqual(
      totals.map(({ currency, key, bills, micros }) => [`${currency} ${key}`, Number(bills), Number(micros) / 10_000]),
      [...payers].sort(([a], [b]) => a < b ? -1 : 1)
        .map(([name, own]) => [name, own.length, own.reduce((sum, { cents }) => sum + (cents ?? 0), 0)]),
    );
    const { faults, cells } = await check(database);
    assert.deepEqual(faults, []);
    assert.ok(cells > expected.size);
  },
  { both: true },
);

database_test("several currencies: a bill whose currency is corrected moves whole, extremes too", async (database) => {
  await database.script(BILL_TABLES);
  const sent = (bill: string, amount: number, currency: string): Billed => ({
    bill,
    id: "a",
    kind: "sent",
    minute: 5,
    named: { amount, currency, shop: "North" },
  });
  const told = [sent("1", 10, "EUR"), sent("2", 30, "eur"), sent("3", 20, "USD")];
  const whole = () =>
    database.query(
      `select currency, bills::integer, (amount_sum_micros / 1000000)::integer as sum, (amount_min_micros / 1000000)::integer as least,
         (amount_max_micros / 1000000)::integer as most from bill_cells
       where grain = 'all' and dimension = 'shop' and key = 'North' order by currency`,
    );
  const corrected: Billed = { bill: "2", id: "b", kind: "corrected", minute: 9, named: { currency: "USD" } };
  const expected = [
    [
      { currency: "EUR", bills: 2, sum: 40, least: 10, most: 30 },
      { currency: "USD", bills: 1, sum: 20, least: 20, most: 20 },
    ],
    [
      { currency: "EUR", bills: 1, sum: 10, least: 10, most: 10 },
      { currency: "USD", bills: 2, sum: 50, least: 20, most: 30 },
    ],
  ];
  await take(database, [told, [corrected]], async (round) => assert.deepEqual(await whole(), expected[round]));
  assert.deepEqual((await check(database)).faults, []);

  const events = (await read_after(database, { after: 0, last: 100, types: null, limit: 100, bytes: 1 << 20 })).events
    .filter(({ stream_id }) => stream_id === "2");
  const history = stream_history(bills, days_in(TIME_ZONE), events);
  assert.ok(history.ok);
  const moved = history.steps[1]!.cells.filter(({ dimension }) => dimension !== "payer");
  assert.deepEqual(
    moved.map(({ currency, dimension, key, change }) => [currency, dimension, key, change.sum(0), change.sum(2)]),
    [
      ["EUR", "none", "all", -1, -30_000_000],
      ["USD", "none", "all", 1, 30_000_000],
      ["EUR", "status", "sent", -1, -30_000_000],
      ["USD", "status", "sent", 1, 30_000_000],
      ["EUR", "shop", "North", -1, -30_000_000],
      ["USD", "shop", "North", 1, 30_000_000],
    ],
  );
});

database_test("several currencies: verify names a cell and a total that lie under another one", async (database) => {
  await database.script(BILL_TABLES);
  await take(database, [some_bills(3, 40)]);
  await database.script(`
    update bill_cells set currency = 'GBP' where grain = 'all' and dimension = 'none' and currency = 'JPY';
    update bill_totals set currency = 'GBP' where currency = 'USD' and key = 'P-1';
    update bill_sketches set currency = 'GBP' where currency = 'EUR' and dimension = 'none' and grain = '1d';`);
  const { faults } = await check(database);
  const missing = (what: string) => `${what}: it is missing, the streams make it`;
  const all = "bill_cells all 1970-01-01T00:00:00.000Z";
  assert.ok(faults.includes(missing(`${all} JPY none=all`)), faults.join("\n"));
  assert.ok(faults.some((fault) => fault.startsWith(`${all} GBP none=all: `) && fault.includes("bills is ")));
  assert.ok(faults.some((fault) => fault.startsWith("bill_totals all 1970-01-01T00:00:00.000Z USD payer=P-1: ")));
  assert.ok(faults.some((fault) => fault.startsWith("bill_totals all 1970-01-01T00:00:00.000Z GBP payer=P-1: ")));
  const sketch =
    /^bill_sketches 1d 2026-02-28T18:30:00.000Z (EUR|GBP) none=all amount_micros: (it is missing|it holds)/;
  assert.deepEqual(faults.flatMap((fault) => sketch.exec(fault)?.slice(1) ?? []).sort(), [
    ...["EUR", "GBP", "it holds", "it is missing"],
  ]);
});

/** Does work in pieces to its end; gives how many it took. */
async function run(database: Database, work: Pieces): Promise<number> {
  let checkpoint: unknown = null, pieces = 0;
  do {
    ({ checkpoint } = await database.transaction((tx) => work.piece(tx, checkpoint)));
    pieces++;
  } while (checkpoint !== null);
  return pieces;
}

database_test("several currencies: sketches are made anew from the bills, each of its currency", async (database) => {
  await database.script(BILL_TABLES);
  await take(database, [some_bills(9, 120)]);
  const sketches = "select b::text as sketch from bill_sketches b where bins <> '{}' order by 1";
  const before = await database.query(sketches);
  assert.ok(["USD", "EUR", "JPY"].every((code) => before.some(({ sketch }) => String(sketch).includes(`,${code},`))));
  await database.script(
    "delete from bill_sketches where dimension = 'none'; update bill_sketches set counts = array_fill(7, array[cardinality(counts)])",
  );
  assert.ok(await run(database, sketches_anew({ domain: bills, days: days_in(TIME_ZONE) }, 20)) > 3);
  assert.deepEqual(await database.query(sketches), before);
});

database_test("several currencies: a declaration that lacks what they need is refused, with what is expected", () => {
  const definition: DomainDefinition<Fields> = {
    ...bills,
    name: "notes",
    by_currency: "USD",
    fields: { shop: { type: TEXT } },
    derived: { currency: { type: CURRENCY, get: () => "USD", always: true } },
    fold: (state) => state,
    facts: [],
    measures: [],
    tables: { ...bills.tables, sketches: null },
    dimensions: [{ name: "none", column: null, grains: ["all"] }],
    board: { ...bills.board, lines: { ...bills.board.lines, fields: [] }, figures: {}, cards: [] },
  };
  define_domain(definition);
  const refused = (change: Partial<DomainDefinition<Fields>>, expected: RegExp) =>
    assert.throws(() => define_domain({ ...definition, ...change }), expected);
  const { currency } = definition.derived;
  refused({ derived: {} }, /^Error: declare notes by currency: expected `currency` among what is derived/);
  refused({ derived: { currency: { ...currency!, always: false } } }, /which there always is$/);
  refused({ derived: { currency: { ...currency!, type: TEXT } } }, /of type CURRENCY/);
  refused({
    dimensions: [...definition.dimensions, { name: "currency", column: "currency", grains: ["all"] }],
  }, /expected no dimension `currency`/);
  refused(
    { measures: bills.measures, tables: { ...bills.tables, sketches: null } },
    /a table of sketches .*, got none/,
  );
  refused({ tables: bills.tables }, /got bill_sketches for none/);
  refused({ dimensions: [{ name: "none", column: null, grains: ["1h"] }] }, /cells of all that there is/);
  return Promise.resolve();
});
