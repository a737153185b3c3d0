import {
  AMOUNT,
  type DeclaredDomain,
  define_domain,
  type Fields,
  ONE,
  one_of,
  QUANTITY,
  type StateOf,
  TEXT,
  TIME,
  value,
} from "../../../src/domains/mod.ts";
import { PARCEL_BOARD } from "./board.ts";
import scans from "./scans.json" with { type: "json" };

/** Parcels, which no part of the program knows: a whole domain of ten fields and two dimensions, with its board, its table and a mapping of its records. */

const TYPES = ["parcel.accepted", "parcel.delivered", "parcel.lost"] as const;
const ACCEPTED = ["parcel.accepted"];

const FIELDS = {
  accepted_us: { type: TIME },
  delivered_us: { type: TIME },
  lost_us: { type: TIME },
  carrier: { type: TEXT, in: ACCEPTED, required: true },
  depot: { type: TEXT, in: ["parcel.accepted", "parcel.delivered"] },
  sender: { type: TEXT, in: ACCEPTED },
  receiver: { type: TEXT, in: ["parcel.accepted", "parcel.delivered"] },
  service: { type: one_of("fast", "slow"), in: ACCEPTED },
  grams: { type: QUANTITY, in: ACCEPTED },
  postage_micros: { type: AMOUNT, in: ACCEPTED, as: "postage" },
} as const satisfies Fields;
type Parcel = StateOf<typeof FIELDS>;

const STATES = ["on_its_way", "delivered", "lost"] as const;
/** What was given up and is delivered after all was delivered. */
const state_of = (parcel: Parcel): typeof STATES[number] =>
  parcel.delivered_us !== null ? "delivered" : parcel.lost_us !== null ? "lost" : "on_its_way";

const NAMES = { noun: "parcel", stream_column: "parcel_id" } as const;

export const PARCELS: DeclaredDomain = {
  name: "parcels",
  ...NAMES,
  event_types: TYPES,
  fields: FIELDS,
  make: () =>
    define_domain({
      name: "parcels",
      ...NAMES,
      tables: { states: "parcels", cells: "parcel_cells", totals: null, sketches: null },
      event_types: TYPES,
      fields: FIELDS,
      derived: { state: { type: one_of(...STATES), get: state_of, always: true } },
      fold: (parcel, { type, payload, occurred_at_us }) => ({
        ...parcel,
        ...payload,
        [`${type.slice("parcel.".length)}_us`]: occurred_at_us,
      }),
      dimensions: [
        { name: "none", column: null, grains: ["1m", "5m", "1h", "1d", "all"] },
        { name: "carrier", column: "carrier", grains: ["1m", "5m", "1h", "1d", "all"] },
        { name: "state", column: "state", grains: ["1m", "5m", "1h", "1d", "all"] },
      ],
      measures: [
        { name: "parcels", kind: "count" },
        { name: "delivered", kind: "count" },
        { name: "lost", kind: "count" },
        { name: "grams", kind: "sum" },
        { name: "postage_micros", kind: "sum" },
      ],
      facts: [
        { at: ["accepted_us"], adds: { parcels: ONE } },
        {
          at: ["delivered_us"],
          when: { field: "state", is: "delivered" },
          adds: { delivered: ONE, grams: value("grams"), postage_micros: value("postage_micros") },
        },
        { at: ["lost_us"], when: { field: "state", is: "lost" }, adds: { lost: ONE } },
      ],
      board: PARCEL_BOARD,
    }),
  mappings: [scans],
  topics: [{ topic: "parcels" }, { topic: "scans", mapping: "scans" }],
  reversal: null,
  generator: null,
};
