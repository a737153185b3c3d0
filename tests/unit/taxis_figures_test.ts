import assert from "node:assert/strict";
import { parse_amount } from "../../src/domains/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { decode_batches } from "../../src/ingest/mod.ts";
import { plan } from "../support/planning.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { data_folder, tacho_test } from "../support/available.ts";
import { builtin } from "../support/trip_mapping.ts";
import { message, TERMS } from "../support/trip_pipeline.ts";

const DOMAIN = trips_domain({ currency: "USD" });

/** A row of figures: completed trips, fares and tips in cents, metres, how many of them started. */
type Figures = Record<"completed" | "started" | "fare" | "tip" | "metres", number>;
const MEASURES = {
  completed: ["completed", 1],
  started: ["started", 1],
  fare: ["fare_sum_micros", 10_000],
  tip: ["tip_sum_micros", 10_000],
  metres: ["distance_sum_m", 1],
} as const;

/** By hand from the file, without any of the program: the file has no quotes. */
function by_hand(rows: readonly Record<string, string>[], column: string, name: (text: string) => string) {
  const figures: Record<string, Figures> = {};
  for (const row of rows) {
    const key = name(row[column]!) || "unknown";
    const sum = figures[key] ??= { completed: 0, started: 0, fare: 0, tip: 0, metres: 0 };
    sum.completed++;
    sum.started++;
    sum.fare += Math.round(Number(row.fare) * 100);
    sum.tip += Math.round(Number(row.tip) * 100);
    sum.metres += Math.round(Number(row.distance) * 1609.344);
  }
  return figures;
}

tacho_test({
  name:
    "taxis.csv: counts and sums by payment, pickup borough and colour are those of the file, blanks under unknown, none lost",
  needs: ["data"],
  fn() {
    const [header, ...lines] = Deno.readTextFileSync(`${data_folder()}/taxis.csv`).trimEnd().split("\n");
    const columns = header!.split(",");
    const rows = lines.map((line) => {
      const values = line.split(",");
      assert.equal(values.length, columns.length);
      return Object.fromEntries(columns.map((column, i) => [column, values[i]!]));
    });
    assert.equal(rows.length, 6_433);
    assert.equal(new Set(lines).size, rows.length, "no two rows are equal");

    const messages = rows.map((row, offset) => message(offset, row));
    const batch = { topic: "taxis", partition: 0, from_offset: 0, next_offset: rows.length, messages };
    const mappings = new Map([["taxis", builtin("taxis")]]);
    const decoded = decode_batches(DOMAIN, TERMS, [batch], mappings);
    const days = days_in("America/New_York");
    const planned = plan(DOMAIN, { decoded, streams: new Map(), stored: new Map(), days, watermark_us: null });
    assert.deepEqual(
      [planned.messages_read, planned.events.length, planned.duplicates, planned.quarantined.length],
      [2 * rows.length, 2 * rows.length, 0, 0],
    );
    assert.equal(planned.streams.length, rows.length);

    const of_cells = (dimension: string) => {
      const figures: Record<string, Figures> = {};
      for (const { grain, dimension: of, key, change } of planned.changes.cells()) {
        if (grain !== "all" || of !== dimension) continue;
        const measure = (name: keyof Figures) => {
          const [column, per] = MEASURES[name];
          // A sum of nothing is negative zero.
          return Number(change.sum(DOMAIN.measures.findIndex((each) => each.name === column))) / per + 0;
        };
        figures[key] = {
          completed: measure("completed"),
          started: measure("started"),
          fare: measure("fare"),
          tip: measure("tip"),
          metres: measure("metres"),
        };
      }
      return figures;
    };
    const payments = of_cells("payment_method");
    assert.deepEqual(payments, by_hand(rows, "payment", (text) => text.replace("credit ", "")));
    assert.deepEqual(of_cells("city"), by_hand(rows, "pickup_borough", (text) => text));
    assert.deepEqual(of_cells("vehicle_type"), by_hand(rows, "color", (text) => text));
    assert.deepEqual(of_cells("pickup_zone"), by_hand(rows, "pickup_zone", (text) => text));
    assert.deepEqual(Object.entries(payments).map(([key, { completed }]) => [key, completed]).sort(), [
      ["card", 4_577],
      ["cash", 1_812],
      ["unknown", 44],
    ]);
    assert.equal(of_cells("city").unknown!.completed, 26);

    const kept = planned.events.flatMap(({ data }) =>
      (JSON.parse(data) as { source?: { total: number } }).source ?? []
    );
    const cents = (texts: readonly string[]) =>
      texts.reduce((sum, text) => sum + Number(parse_amount(text)) / 10_000, 0);
    assert.equal(
      cents(kept.map(({ total }) => String(total))),
      cents(rows.map(({ total }) => total!)),
      "what has no place is kept",
    );
  },
});
