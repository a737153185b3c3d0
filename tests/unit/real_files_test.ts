import assert from "node:assert/strict";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { make_mapping, type MappingContext, read_definition } from "../../src/mapping/mod.ts";
import { needs, real_data_folder, tacho_test } from "../support/available.ts";
import { type Figures, replayed_file } from "../support/replayed_file.ts";

/**
 * Real files, each with the figures that are right, which were computed by others from the file alone: to the cent, the metre and the
 * thousandth of a minute, by day, payment method and pickup zone.
 */

interface Sums {
  readonly trips: number;
  readonly fare: string;
}
interface Truth {
  readonly completed: number;
  readonly fare: string;
  readonly tip: string;
  readonly distance_km: number;
  readonly duration_min: number;
  readonly duration_known: number;
  readonly by_day: Readonly<Record<string, Sums>>;
  readonly by_payment: Readonly<Record<string, Sums>>;
  readonly by_pickup_zone: Readonly<Record<string, Sums>>;
  readonly requested?: number;
  readonly started?: number;
  readonly canceled?: number;
}
interface Expected {
  readonly time_zone: string;
  /** Of the rows that take nothing back. */
  readonly truth: Truth;
  /** Rows that take a ride back, and how many of them have that ride in the file. */
  readonly refund_rows?: number;
  readonly mirrored_refund_rows?: number;
  readonly net_of_refunds?: { readonly fare: string };
}
interface Case {
  readonly folder: string;
  /** Of a file without a mapping of its own: the built-in one that is chosen for it. */
  readonly builtin?: string;
  /** What is changed in the mapping that comes with the file, or one that does not. */
  readonly mapping?: (own: Definition) => Definition;
  /** Faults of rows that are refused, by their fields. */
  readonly refused?: readonly string[];
}
// deno-lint-ignore no-explicit-any
type Definition = any;

const CASES: readonly Case[] = [
  { folder: "tlc_yellow_2009-01", builtin: "nyc_yellow" },
  { folder: "tlc_yellow_2014-01", builtin: "nyc_yellow" },
  { folder: "tlc_yellow_2016-07", builtin: "nyc_yellow" },
  { folder: "yellow_bigquery_spelling_2020-09", builtin: "nyc_yellow" },
  { folder: "json_array", builtin: "nyc_yellow" },
  { folder: "tlc_green_2013-08", builtin: "nyc_green" },
  { folder: "tlc_green_2024-01", builtin: "nyc_green" },
  { folder: "tlc_fhv_2015-01", builtin: "nyc_fhv" },
  { folder: "tlc_fhvhv_2019-02", builtin: "nyc_hvfhv" },
  { folder: "tlc_hvfhv_2024-01", builtin: "nyc_hvfhv" },
  { folder: "austin_scooters", refused: ["Start Time"] },
  { folder: "bay_area_bikes_2015" },
  { folder: "uber_requests_iso" },
  {
    folder: "chicago_taxi_epoch_local",
    // Its epochs are a local clock, as its column of hours shows; its mapping takes them for instants. And of a trip without seconds it lets
    // the start be the end, which makes its unknown duration one of nothing.
    mapping: (own) => {
      const [started, completed] = own.events;
      for (const time of [started.at, ...completed.at]) time.zone = "America/Chicago";
      completed.data = { ...started.data, ...completed.data };
      return {
        ...own,
        events: [{ ...started, data: {}, when: { field: "trip_seconds", known: true } }, completed],
      };
    },
  },
  {
    folder: "louisville_scooters",
    // It comes without a mapping.
    mapping: () => ({
      name: "louisville",
      zone: "business",
      trip_id: "TripID",
      events: [
        {
          type: "trip.started",
          at: { from: { join: ["StartDate", "StartTime"], with: " " } },
          data: {
            vehicle_type: { constant: "scooter" },
            pickup_lat: { from: "StartLatitude", as: "number" },
            pickup_lon: { from: "StartLongitude", as: "number" },
          },
        },
        {
          type: "trip.completed",
          at: { from: { join: ["EndDate", "EndTime"], with: " " } },
          data: {
            distance_km: { from: "TripDistance", as: "distance", unit: "mi" },
            duration_min: { from: "TripDuration", as: "duration", unit: "min" },
          },
        },
      ],
    }),
  },
];

const cents = (sum: number): string => (sum / 100).toFixed(2);
const thousandths = (sum: number): number => Math.round(sum * 1000) / 1000;
const sums_of = (by: Readonly<Record<string, Figures>>): Record<string, Sums> =>
  Object.fromEntries(
    Object.entries(by).filter(([, { completed }]) => completed > 0)
      .map(([key, { completed, fare }]) => [key, { trips: completed, fare: cents(fare) }]),
  );

for (const { folder, builtin, mapping, refused = [] } of CASES) {
  tacho_test({
    name: `real files: ${folder} comes to its truth`,
    // A machine may be required to run all and have none of these files: what they cover is then covered by the forms of taxis.
    unless: needs("real_data"),
    async fn() {
      const place = `${real_data_folder()}/${folder}`;
      const names = [...Deno.readDirSync(place)].map(({ name }) => name);
      const file = names.find((name) => !["README.md", "expected.json", "mapping.json"].includes(name));
      const json = (name: string) => JSON.parse(Deno.readTextFileSync(`${place}/${name}`));
      const { truth, time_zone: zone, ...refunds }: Expected = json("expected.json");
      const context: MappingContext = { business_zone: zone };
      let given = null;
      if (builtin === undefined) {
        const own = names.includes("mapping.json") ? json("mapping.json") : null;
        const form = read_definition(mapping === undefined ? own : mapping(own), TRIPS);
        const made = form.ok ? make_mapping(form.value, context) : form;
        if (!made.ok) throw new Error(made.fault.detail);
        given = made.value;
      }
      const path = `${place}/${file}`;
      const read = await replayed_file(path, zone, given, ["trip.voided"]);
      if (builtin !== undefined) assert.equal(read.mapping, builtin);
      assert.deepEqual(read.refused.map(({ path }) => path), refused);
      const all = read.by("none").all!;
      assert.deepEqual(
        {
          completed: all.completed,
          fare: cents(all.fare),
          tip: cents(all.tip),
          duration_min: thousandths(all.ms / 60_000),
          duration_known: all.timed,
          by_day: sums_of(read.by("day")),
          by_payment: sums_of(read.by("payment_method")),
          by_pickup_zone: sums_of(read.by("pickup_zone")),
        },
        {
          completed: truth.completed,
          fare: truth.fare,
          tip: truth.tip,
          duration_min: truth.duration_min,
          duration_known: truth.duration_known,
          by_day: truth.by_day,
          by_payment: truth.by_payment,
          by_pickup_zone: truth.by_pickup_zone,
        },
      );
      // Sums are of whole metres.
      assert.ok(Math.abs(all.metres / 1000 - truth.distance_km) <= all.completed * 0.0005, `${all.metres} m`);
      for (const measure of ["requested", "started", "canceled"] as const) {
        if (truth[measure] !== undefined) assert.equal(all[measure], truth[measure], measure);
      }

      const { refund_rows = 0, mirrored_refund_rows = 0, net_of_refunds } = refunds;
      const { waiting, by } = await replayed_file(path, zone, given);
      const net = by("none").all!;
      assert.deepEqual(
        [net.voided, net.voids_waiting, waiting.count, net.completed],
        [
          refund_rows,
          refund_rows - mirrored_refund_rows,
          refund_rows - mirrored_refund_rows,
          truth.completed - mirrored_refund_rows,
        ],
      );
      if (net_of_refunds !== undefined) {
        assert.equal(
          cents(net.fare + Number(waiting.sum_micros) / 10_000),
          net_of_refunds.fare,
          "SUM(fare) of the file",
        );
      }
      if (refund_rows > 0) assert.equal(by("status").in_progress, undefined);
    },
  });
}
