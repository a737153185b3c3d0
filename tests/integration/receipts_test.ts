import assert from "node:assert/strict";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { type Database, snapshot } from "../../src/database/mod.ts";
import type { DeclaredDomain } from "../../src/domains/mod.ts";
import { in_currency } from "../../src/domains/mod.ts";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { fold_recorded, read_at, read_deployment, read_head } from "../../src/event_log/mod.ts";
import { figure_of, figure_text, figures_of_cells } from "../../src/feed/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import {
  type CheckedReceipt,
  find_for_receipt,
  ReceiptCheck,
  ReceiptWrong,
  sign_when_due,
  type Wanted,
  write_receipt,
} from "../../src/proof/mod.ts";
import { tacho_test } from "../support/available.ts";
import { invented, log_template, make_log, take_in } from "../support/generated_log.ts";
import { shared_postgres } from "../support/postgres.ts";
import { check_checkpoint, check_receipt } from "../support/proof_checker.ts";
import { test_key, type TestKey } from "../support/signing.ts";
import { message } from "../support/trip_pipeline.ts";

const never = new AbortController().signal;
const NOW = Date.UTC(2026, 2, 3);
const DAYS = days_in("UTC");
const DAY = "2026-03-02";

/** Lends the log of a domain with so many hours of events, and checkpoints every so many batches. */
async function with_signed_log(
  declared: DeclaredDomain,
  { hours, batch_messages, every }: { readonly hours: number; readonly batch_messages: number; readonly every: number },
  work: (database: Database, key: TestKey) => Promise<void>,
): Promise<void> {
  const { url } = await (await shared_postgres()).create_database(log_template(declared));
  const key = await test_key(), values = invented(declared, hours), step = every * batch_messages;
  const database = await make_log(url, declared, values.slice(0, step), batch_messages);
  try {
    const domain = declared.make((await read_deployment(database))!);
    const sign = () => sign_when_due(database, declared.name, key.key, null, NOW);
    await sign();
    for (let from = step; from < values.length; from += step) {
      const messages = values.slice(0, from + step).map((value, i) => message(i, value));
      await take_in(database, domain, declared.name, messages, batch_messages);
      await sign();
    }
    await work(database, key);
  } finally {
    await database.close();
  }
}

/** Writes a receipt as it stands. */
async function receipt_of(
  database: Database,
  declared: DeclaredDomain,
  wanted: Wanted,
  complete = false,
): Promise<string> {
  const deployment = (await read_deployment(database))!, domain = declared.make(deployment);
  const { log_id } = await read_head(database);
  const found = await snapshot(database, (reading) => find_for_receipt(reading, { domain, days: DAYS }, wanted));
  let text = "";
  await write_receipt(
    {
      database,
      domain,
      days: DAYS,
      log_id,
      deployment: {
        currency: deployment.currency,
        h3_resolution: deployment.h3_resolution,
        time_zone: deployment.time_zone,
      },
      complete,
      signal: never,
      write: (piece) => Promise.resolve(void (text += piece)),
      progress: () => {},
    },
    found,
  );
  return text;
}

/** Checks a receipt as `tacho verify --receipt` does. */
async function checked(text: string, { believed }: TestKey, declared: DeclaredDomain): Promise<CheckedReceipt> {
  const check = new ReceiptCheck(believed, ({ deployment }) => ({ domain: declared.make(deployment), days: DAYS }));
  for (const line of text.split(/(?<=\n)/)) await check.take(line);
  return check.end();
}

/** What the cells say of a figure of the day. */
async function of_cells(
  database: Database,
  declared: DeclaredDomain,
  name: string,
  filter: Readonly<Record<string, string>>,
  currency?: string,
) {
  const deployment = (await read_deployment(database))!;
  const board = in_currency(declared.make(deployment).board, currency);
  const day = DAYS.day_named(DAY)!;
  const window = { from_s: day.start_us / 1e6, to_s: day.end_us / 1e6, step_s: 86_400, grain: "1d" } as const;
  const conditions = Object.entries(filter).map(([dimension, key]) => ({ dimension, keys: [key], excluded: false }));
  const wants = { series: true, stretches: [window] };
  const { stretches } = await figures_of_cells(database, { board, days: DAYS, filter: conditions, window, wants });
  return figure_text(figure_of(board, name), stretches[0]!.totals, 0);
}

const FIGURES:
  readonly (readonly [DeclaredDomain, readonly (readonly [string, Readonly<Record<string, string>>, string?])[]])[] = [
    [TRIPS, [
      ["revenue", {}],
      ["revenue", { city: "Chicago" }],
      ["average_fare", { payment_method: "card" }],
      ["max_fare", {}],
      ["completed", { city: "nowhere" }],
      ["average_fare", { city: "nowhere" }],
    ]],
    [PAYMENTS, [["value", {}, "USD"], ["value", {}, "EUR"], ["refunds_value", {}, "USD"]]],
    [TRADES, [["last_price", {}], ["volume", {}]]],
  ];
for (const [declared, figures] of FIGURES) {
  tacho_test({
    name: `a receipt of a figure of ${declared.name} proves what the cells say, without the database`,
    needs: ["postgres"],
    fn: () =>
      with_signed_log(
        declared,
        { hours: declared === PAYMENTS ? 3 : 1, batch_messages: 60, every: 5 },
        async (database, key) => {
          for (const [figure, filter, currency] of figures) {
            const wanted = { figure, day: DAY, filter, ...currency === undefined ? {} : { currency } };
            const text = await receipt_of(database, declared, wanted), found = await checked(text, key, declared);
            assert.equal(found.value, await of_cells(database, declared, figure, filter, currency), figure);
            assert.equal(found.checkpoint.position, (await read_head(database)).position);
            assert.equal(found.own > 0, filter.city !== "nowhere");
            const by_other = check_receipt(new TextEncoder().encode(text), key.public_pem);
            assert.equal(by_other.events.size, found.streams);
            if (figure === "revenue") {
              assert.equal(Number(revenue(by_other)) / 1e6, Number(found.value));
              const complete = await receipt_of(database, declared, wanted, true);
              assert.equal((await checked(complete, key, declared)).value, found.value);
              const all = check_receipt(new TextEncoder().encode(complete), key.public_pem);
              assert.ok(all.events.size > by_other.events.size);
              assert.equal(revenue(all), revenue(by_other));
            }
          }
        },
      ),
  });
}
/** Revenue in micros of the day (UTC) of the receipt: the last fare of each trip that was completed then and not taken back. */
export const revenue = ({ about: { figure }, events }: ReturnType<typeof check_receipt>): bigint =>
  [...events.values()].reduce((sum, own) => {
    const sorted = own.toSorted((a, b) => (a[5]! + a[2] < b[5]! + b[2] ? -1 : 1)).map((f) => ({
      type: f[3]!,
      at: f[5]!,
      data: JSON.parse(f[7]!),
    }));
    const fares = (type: string) =>
      sorted.filter((each) => each.type === type && each.data.fare != null).at(-1)?.data.fare;
    const done = sorted.find(({ type }) => type === "trip.completed"),
      city = sorted.filter(({ data }) => data.city).at(-1)?.data.city;
    const counts = done?.at.startsWith(figure.day) && !sorted.some(({ type }) => type === "trip.voided") &&
      (figure.filter.city ?? city) === city;
    const [whole, fraction = ""] = String((counts && (fares("trip.fare_adjusted") ?? fares("trip.completed"))) || 0)
      .split(".");
    return sum + BigInt(whole + fraction.padEnd(6, "0"));
  }, 0n);

tacho_test({
  name: "a receipt is as of the last checkpoint, whatever came since; one of a stream has its state",
  needs: ["postgres"],
  fn: () =>
    with_signed_log(TRIPS, { hours: 1, batch_messages: 20, every: 3 }, async (database, key) => {
      const wanted = { figure: "revenue", day: DAY, filter: { city: "Chicago" } };
      const before = await receipt_of(database, TRIPS, wanted),
        { checkpoint, value } = await checked(before, key, TRIPS);
      const [trip] = await database.query<{ id: string }>(
        "select trip_id as id from trips where city = 'Chicago' and fare_micros > 0 and status = 'completed' and cardinality(positions) > 1 limit 1",
      );
      const stream = await receipt_of(database, TRIPS, { stream: trip!.id });
      const deployment = (await read_deployment(database))!, domain = TRIPS.make(deployment);
      const [row] = await database.query<{ positions: string[] }>(
        "select positions::text[] from trips where trip_id = $1",
        [trip!.id],
      );
      const folded = fold_recorded(domain, await read_at(database, row!.positions.map(Number)));
      const of_stream = await checked(stream, key, TRIPS);
      assert.ok(folded.ok);
      assert.deepEqual(of_stream.state, folded.state);
      assert.equal(of_stream.own, row!.positions.length);
      // It has no more batches with events than the trip has events; the rest is headers.
      assert.ok(of_stream.events <= 20 * of_stream.own);
      const voided = { event_id: "v", type: "trip.voided", trip_id: trip!.id, occurred_at: "2026-03-02T23:00:00Z" };
      await take_in(
        database,
        domain,
        "afterwards",
        [message(0, voided)].map((each) => ({ ...each, topic: "afterwards" })),
        10,
      );
      assert.equal(await receipt_of(database, TRIPS, wanted), before);
      await sign_when_due(database, "trips", key.key, null, NOW);
      const after = await checked(await receipt_of(database, TRIPS, wanted), key, TRIPS);
      assert.deepEqual(
        [after.checkpoint.batch, Number(after.value) < Number(value)],
        [checkpoint.batch + 1, true],
        `${value} ${after.value}`,
      );
      assert.equal(after.value, await of_cells(database, TRIPS, "revenue", { city: "Chicago" }));
      await assert.rejects(
        receipt_of(database, TRIPS, { stream: "none" }),
        /^NoReceipt: there is no event of trip "none" up to the last checkpoint, position \d+$/,
      );
      await assert.rejects(
        receipt_of(database, TRIPS, { ...wanted, figure: "fare_p95" }),
        /^FigureUnknown: expected a figure that adds up \(.*revenue.*\), got "fare_p95"$/,
      );
      await assert.rejects(
        receipt_of(database, TRIPS, { ...wanted, filter: { town: "x" } }),
        /expected a dimension \(.*city.*\), got "town"/,
      );
    }),
});

/** A receipt with another hash at its end: what damage on the way would not be, and who forges it would do. */
const sealed = (text: string): string => {
  const body = text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1);
  return `${body}{"sha256":"${createHash("sha256").update(body).digest("hex")}"}\n`;
};

tacho_test({
  name:
    "whatever byte of a receipt is another one, it is refused, also where its own hash is made anew; another program finds the same",
  needs: ["postgres"],
  fn: () =>
    with_signed_log(TRIPS, { hours: 0.1, batch_messages: 2, every: 4 }, async (database, key) => {
      const [trip] = await database.query<{ id: string }>(
        "select trip_id as id from trips where cardinality(positions) > 1 order by positions[1] limit 1",
      );
      const texts = [
        await receipt_of(database, TRIPS, { stream: trip!.id }),
        await receipt_of(database, TRIPS, { figure: "revenue", day: DAY, filter: {} }),
      ];
      const refused = async (bytes: Uint8Array, what: string) => {
        assert.throws(() => check_receipt(bytes, key.public_pem), Error, `other program: ${what}`);
        let text: string;
        try {
          text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
        } catch {
          return;
        }
        await assert.rejects(checked(text, key, TRIPS), ReceiptWrong, what);
      };
      for (const text of texts) {
        const bytes = new TextEncoder().encode(text);
        check_receipt(bytes, key.public_pem);
        await checked(text, key, TRIPS);
        for (let at = 0; at < bytes.length; at++) {
          const flipped = bytes.slice();
          flipped[at]! ^= 1 << (at * 7 % 8);
          await refused(flipped, `byte ${at} of ${text.length}`);
        }
        // Who forges makes the hash anew; of the first line the figure itself has to be another.
        const from = text.indexOf("\n") + 1, to = text.lastIndexOf("\n", text.length - 2);
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: from, max: to - 1 }), fc.integer({ min: 0, max: 6 }), async (at, bit) => {
            const other = String.fromCharCode(text.charCodeAt(at) ^ (1 << bit));
            const forged = sealed(text.slice(0, at) + other + text.slice(at + 1));
            await refused(new TextEncoder().encode(forged), `character ${at}, bit ${bit}, sealed anew`);
          }),
          { numRuns: 400 },
        );
        // Lines left out, told twice or in another order.
        const lines = text.split(/(?<=\n)/);
        for (let i = 1; i < lines.length - 1; i++) {
          const without = lines.toSpliced(i, 1).join(""), twice = lines.toSpliced(i, 0, lines[i]!).join("");
          for (const forged of [without, twice]) {
            await assert.rejects(checked(sealed(forged), key, TRIPS), ReceiptWrong, `line ${i}: ${lines[i]}`);
          }
        }
        await assert.rejects(
          checked(text, await test_key(), TRIPS),
          /is signed by the key [0-9a-f]{16}, which is not among those given/,
        );
      }
      const [, figure] = texts;
      const more = figure!.replace(/"value":"(\d)/, (_, digit) => `"value":"${(Number(digit) + 1) % 10}`);
      await assert.rejects(
        checked(sealed(more), key, TRIPS),
        /ReceiptWrong: line \d+: it says revenue is \S+, its events make it \S+$/,
      );
      const complete = figure!.replace('"complete":false', '"complete":true');
      await assert.rejects(checked(sealed(complete), key, TRIPS), ReceiptWrong);
      const other_log = figure!.replace(/"log_id":"./, '"log_id":"z');
      await assert.rejects(checked(sealed(other_log), key, TRIPS), /is of log /);
      // Checkpoints too.
      const [row] = await database.query<{ statement: string; signature: Uint8Array }>(
        "select statement, signature from log_checkpoints limit 1",
      );
      const signature = row!.signature.toHex();
      check_checkpoint(row!.statement, signature, key.public_pem);
      for (let at = 0; at < row!.statement.length; at++) {
        const other = row!.statement.slice(0, at) + String.fromCharCode(row!.statement.charCodeAt(at) ^ 1) +
          row!.statement.slice(at + 1);
        assert.throws(() => check_checkpoint(other, signature, key.public_pem), Error, `character ${at}`);
      }
    }),
});

tacho_test({
  name: "a receipt of a log that was changed is not handed out as if it were right",
  needs: ["postgres"],
  fn: () =>
    with_signed_log(TRIPS, { hours: 0.2, batch_messages: 5, every: 4 }, async (database) => {
      await database.script(
        "alter table events disable trigger events_are_append_only; update events set data = data || '{\"x\":1}' where position = 3",
      );
      const wanted = { figure: "revenue", day: DAY, filter: {} };
      await assert.rejects(
        receipt_of(database, TRIPS, wanted, true),
        /ReceiptWrong: .* does not agree with the batches before it/,
      );
    }),
});
