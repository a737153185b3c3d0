import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { column_measures, days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_http_side } from "../support/http_side.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import {
  as_message,
  at,
  NAMES,
  PAYMENTS_DOMAIN,
  some_payments,
  type Told,
  with_payments,
} from "../support/told_payments.ts";
import { fill, killed_after } from "../support/upgraded_trips.ts";
import { verified } from "../support/verified_log.ts";

const MEASURES = column_measures(PAYMENTS_DOMAIN.measures).map(({ name }) => name);
type Cell = Record<string, number>;

/** A payment in the end, by requirements alone: what a later event names wins, of equal times the one of the greater id. */
function truth_of(events: readonly Told[]) {
  const sorted = events.toSorted((a, b) => a.minute - b.minute || (a.id < b.id ? -1 : 1));
  const last = (kind: Told["kind"]) => sorted.findLast((each) => each.kind === kind)?.minute ?? null;
  const amount = (kind: Told["kind"]) =>
    sorted.findLast((each) => each.kind === kind && each.cents !== null)?.cents ?? null;
  const name = (field: (typeof NAMES)[number]) =>
    sorted.findLast(({ named }) => (named[field] ?? null) !== null)?.named[field] ?? null;
  const refunds = sorted.filter(({ kind }) => kind === "refunded");
  const captured = last("captured"), declined = last("declined"), authorized = last("authorized");
  const value = captured === null ? null : amount("captured") ?? amount("authorized");
  const back = refunds.reduce((sum, { cents }) => sum + cents!, 0);
  const status = last("charged_back") !== null
    ? "charged_back"
    : captured !== null
    ? refunds.length === 0 ? "captured" : value !== null && back >= value ? "refunded" : "partially_refunded"
    : declined !== null
    ? "declined"
    : authorized !== null
    ? "authorized"
    : "waiting";
  return {
    ...{ captured, declined, authorized, charged_back: last("charged_back"), refunds, value, status, name },
    authorized_value: amount("authorized"),
    discount: sorted.findLast(({ discount }) => discount !== null)?.discount ?? 0,
    currency: name("currency") ?? "USD",
  };
}

/** What the cells of a grain have to say, by dimension, currency, key and bucket: folded here anew, from what was told. */
function expected_cells(told: readonly Told[], minutes: number, of_payers: boolean): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const events of Map.groupBy(told, ({ payment }) => payment).values()) {
    const truth = truth_of(events);
    const keys = of_payers ? { payer: truth.name("payer_id") } : {
      none: "all",
      status: truth.status,
      merchant: truth.name("merchant"),
      category: truth.name("category"),
      city: truth.name("city"),
      location: truth.name("location"),
      payment_method: truth.name("payment_method"),
      risk_flag: truth.name("risk_flag"),
    };
    const add = (minute: number | null, adds: Cell) => {
      if (minute === null) return;
      const bucket = minutes === Infinity ? "all" : at(Math.floor(minute / minutes) * minutes);
      for (const [dimension, key] of Object.entries(keys)) {
        const name = `${dimension} ${truth.currency} ${key ?? "unknown"} ${bucket}`;
        const cell = cells.get(name) ?? Object.fromEntries(MEASURES.map((measure) => [measure, 0]));
        cells.set(name, cell);
        for (const [measure, value] of Object.entries(adds)) cell[measure]! += value;
      }
    };
    const { captured, declined, authorized, value } = truth;
    const known = [captured, declined, authorized].filter((minute) => minute !== null);
    add(known.length === 0 ? null : Math.min(...known), { payments: 1 });
    add(authorized, { authorized: 1, authorized_sum_micros: truth.authorized_value ?? 0 });
    add(captured, {
      captured: 1,
      amount_count: value === null ? 0 : 1,
      captured_sum_micros: value ?? 0,
      discount_sum_micros: truth.discount,
      flagged: truth.name("risk_flag") === "yes" ? 1 : 0,
      conflicts: declined === null ? 0 : 1,
    });
    if (captured === null) add(declined, { declined: 1 });
    for (const { minute, cents } of truth.refunds) {
      add(minute, captured === null ? { refunds_waiting: 1 } : { refunds: 1, refunds_sum_micros: cents! });
    }
    add(truth.charged_back, { charged_back: 1 });
  }
  return cells;
}

const in_cents = (row: Readonly<Record<string, unknown>>): Cell =>
  Object.fromEntries(MEASURES.map((name) => [name, Number(row[name] ?? 0) / (name.endsWith("micros") ? 10_000 : 1)]));
const with_any = (cells: Map<string, Cell>, measures = MEASURES): Map<string, Cell> =>
  new Map(
    [...cells].map(([name, cell]) =>
      [name, Object.fromEntries(measures.map((measure) => [measure, cell[measure]!]))] as const
    )
      .filter(([, cell]) => Object.values(cell).some((value) => value !== 0)).sort(([a], [b]) => a < b ? -1 : 1),
  );

async function found_cells(database: Database, grain: string): Promise<Map<string, Cell>> {
  const rows = await database.query(
    `select dimension, currency, key, to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') as bucket, ${
      MEASURES.join(", ")
    } from transaction_cells where grain = $1`,
    [grain],
  );
  return new Map(rows.map((row) => {
    const bucket = grain === "all" ? "all" : row.bucket;
    return [`${row.dimension} ${row.currency} ${row.key} ${bucket}`, in_cents(row)];
  }));
}

/** The captured amounts of each bucket, ascending, by dimensions that keep percentiles. */
function expected_amounts(told: readonly Told[], minutes: number): Map<string, number[]> {
  const amounts = new Map<string, number[]>();
  for (const events of Map.groupBy(told, ({ payment }) => payment).values()) {
    const { captured, value, currency, name } = truth_of(events);
    if (captured === null || value === null) continue;
    const bucket = at(Math.floor(captured / minutes) * minutes);
    for (const dimension of ["none", "merchant", "category", "city", "payment_method"] as const) {
      const cell = `${dimension} ${currency} ${dimension === "none" ? "all" : name(dimension) ?? "unknown"} ${bucket}`;
      amounts.set(cell, [...amounts.get(cell) ?? [], value].sort((a, b) => a - b));
    }
  }
  return amounts;
}

/** Percentiles as SQL tells them from the sketches: of each cell that has any how many values, the median and the 95th, in cents. */
async function found_percentiles(database: Database, grain: string): Promise<Map<string, number[]>> {
  const rows = await database.query(
    `select dimension, currency, key, to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') as bucket,
       (select sum(count) from unnest(counts) count) as values, quantile(bins, counts, 0.5) as p50, quantile(bins, counts, 0.95) as p95
     from transaction_sketches where sketch = 'amount_micros' and grain = $1 and cardinality(bins) > 0`,
    [grain],
  );
  return new Map(rows.map((row) => [
    `${row.dimension} ${row.currency} ${row.key} ${row.bucket}`,
    [Number(row.values), Number(row.p50) / 10_000, Number(row.p95) / 10_000],
  ]));
}

async function expect_percentiles(database: Database, told: readonly Told[]): Promise<void> {
  for (const [grain, minutes] of [["1m", 1], ["5m", 5], ["1h", 60]] as const) {
    const found = await found_percentiles(database, grain), expected = expected_amounts(told, minutes);
    assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort(), grain);
    for (const [cell, amounts] of expected) {
      const [values, ...percentiles] = found.get(cell)!;
      assert.equal(values, amounts.length, `${grain} ${cell}`);
      for (const [i, p] of [50, 95].entries()) {
        const exact = amounts[Math.ceil(p * amounts.length / 100) - 1]!;
        assert.ok(Math.abs(percentiles[i]! - exact) <= 0.02 * exact, `${grain} ${cell}: p${p} of ${amounts}`);
      }
    }
  }
}

async function take_in(database: Database, told: readonly Told[], batch_messages: number): Promise<void> {
  const source = new MemorySource("payments", [told.map(as_message)]);
  const running = start_ingest(database, source, { domain: PAYMENTS_DOMAIN, time_zone: "UTC", batch_messages });
  try {
    await running.caught_up();
  } finally {
    await running.stop();
  }
}

const audit = { domain: PAYMENTS_DOMAIN, days: days_in("UTC") };

for (const [seed, batch_messages, payments] of [[1, 7, 150], [2, 200, 150], [3, 1, 30]] as const) {
  tacho_test({
    name:
      `payments in any order, batches of ${batch_messages}: every cell is what was told of them, to the cent and by currency, and the log verifies`,
    needs: ["postgres"],
    fn: () =>
      with_payments(async (database) => {
        const told = some_payments(seed, payments);
        // Each message comes twice.
        await take_in(database, [...told, ...told], batch_messages);
        for (const [grain, minutes] of [["1m", 1], ["5m", 5], ["1h", 60], ["all", Infinity]] as const) {
          assert.deepEqual(
            with_any(await found_cells(database, grain)),
            with_any(expected_cells(told, minutes, false)),
            grain,
          );
        }
        await expect_percentiles(database, told);
        const kept = PAYMENTS_DOMAIN.dimensions.find(({ name }) => name === "payer")!.totals!;
        const totals = await database.query(
          `select dimension, currency, key, ${kept.join(", ")} from transaction_totals`,
        );
        assert.deepEqual(
          with_any(
            new Map(totals.map((row) => [`${row.dimension} ${row.currency} ${row.key} all`, in_cents(row)])),
            [...kept],
          ),
          with_any(expected_cells(told, Infinity, true), [...kept]),
        );
        const statuses = await database.query("select payment_id, status, currency from transactions");
        for (const { payment_id, status, currency } of statuses) {
          const truth = truth_of(told.filter(({ payment }) => payment === payment_id));
          assert.deepEqual([status, currency], [truth.status, truth.currency], String(payment_id));
        }
        assert.equal(new Set(statuses.map(({ status }) => status)).size, 7);
        assert.deepEqual((await verified(database, {}, audit)).faults, []);
        const [head] = await database.query("select position, duplicates, held from log_head");
        assert.deepEqual(head, { position: String(told.length), duplicates: String(told.length), held: "0" });
        // An analyst adds up refunds from the rows alone.
        const [refunds] = await database.query(
          `select count(*)::integer as refunds, sum(amount) / 10000 as cents from transactions,
             unnest(refunded_ats, refund_micros) as refund(at, amount) where captured_at is not null`,
        );
        const all = [...expected_cells(told, Infinity, false)].filter(([name]) => name.startsWith("none "));
        const sum = (measure: string) => all.reduce((total, [, cell]) => total + cell[measure]!, 0);
        assert.deepEqual(
          { refunds: Number(refunds!.refunds), cents: Number(refunds!.cents) },
          { refunds: sum("refunds"), cents: sum("refunds_sum_micros") },
        );
      }),
  });
}

tacho_test({
  name: "payments: a log from before the percentiles gets them, in pieces, by currency",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const told = some_payments(4, 150);
      await take_in(database, told, 50);
      await database.script(`
        delete from transaction_sketches;
        update schema_migrations set filled = false where name = 'payment_percentiles';`);
      await assert.rejects(fill(database, killed_after(3), audit), /^Error: killed$/);
      await fill(database, {}, audit);
      await expect_percentiles(database, told);
      assert.deepEqual((await verified(database, {}, audit)).faults, []);
      const [row] = await database.query("select filled from schema_migrations where name = 'payment_percentiles'");
      assert.equal(row?.filled, true);
    }),
});

tacho_test({
  name:
    "payments: every key is found, and listed where its own answer tells of it, payers and what was only declined too",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const told = some_payments(5, 250);
      const declined: Told = {
        ...{ payment: "P-declined", id: "d", minute: 1, kind: "declined", cents: 500, discount: null },
        named: { merchant: "Never", payer_id: "C-never", currency: "USD" },
      };
      const source = new MemorySource("payments", [[...told, declined].map(as_message)]);
      const running = start_ingest(database, source, { domain: PAYMENTS_DOMAIN, time_zone: "UTC" });
      await running.caught_up();
      await running.stop();
      const { get } = await make_http_side(database, { name: "payments", board: PAYMENTS_DOMAIN.board });
      const json = async (path: string, status = 200) => {
        const answer = await get(path), said = await answer.json();
        assert.equal(answer.status, status, `${path}: ${JSON.stringify(said)}`);
        return said;
      };
      const { keys: found } = await json("/api/v1/search?find=c-3");
      const truths = [...Map.groupBy(told, ({ payment }) => payment).values()].map(truth_of);
      const of_payer = truths.filter(({ captured, currency, name }) =>
        captured !== null && currency === "USD" && name("payer_id") === "C-3"
      );
      assert(of_payer.length > 0);
      assert.deepEqual(found, [{ dimension: "payer", key: "C-3", count: of_payer.length }]);
      for (const [entity, never] of [["payer", "C-never"], ["merchant", "Never"]] as const) {
        const { keys, count } = await json(`/metrics/${entity}`);
        assert(count > 2 && keys.length === count, `${entity}: ${count}`);
        for (const key of keys) await json(`/metrics/${entity}/${encodeURIComponent(key.slice(entity.length + 1))}`);
        assert(!keys.includes(`${entity}:${never}`), `${never} captured nothing`);
        await json(`/metrics/${entity}/${never}`, 404);
        assert.equal((await json(`/api/v1/search?find=${never.toLowerCase()}`)).keys[0].key, never);
      }
      const { errors: [{ path, detail }] } = await json("/api/v1/kpis/breakdown?dimension=payer", 400);
      assert.deepEqual([path, detail.split(";")[0]], ["dimension", "payer keeps no transactions of all of time"]);
      assert.equal((await json("/api/v1/kpis/breakdown?dimension=payer&order=arrival")).dimension, "payer");
    }),
});
