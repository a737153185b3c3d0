import type { BoardDeclaration } from "../../../src/domains/mod.ts";

const total = (measure: string) => ({ kind: "total", unit: "count", measure, per: 1 } as const);

/** The board of parcels. */
export const PARCEL_BOARD: BoardDeclaration = {
  words: {
    many: "parcels",
    path: "/parcels/",
    cards: [
      {
        name: "parcels",
        label: "Parcels",
        how: "When they are accepted.",
        main: true,
        better: 0,
        base: "parcels",
        spark: ["parcels"],
      },
      {
        name: "delivered",
        label: "Delivered",
        how: "At the signature.",
        better: 1,
        base: "delivered",
        spark: ["delivered"],
        beneath: ["{lost?} lost"],
      },
      {
        name: "postage",
        label: "Postage",
        how: "Of what was delivered.",
        better: 0,
        base: "delivered",
        spark: ["postage"],
        beside: ["{currency}"],
      },
      {
        name: "weight",
        label: "Weight",
        how: "Of what was delivered, in grams.",
        better: 0,
        base: "delivered",
        beside: ["g"],
      },
      { name: "busiest", label: "Busiest", how: "The carrier with most.", top: ["carrier", "state"] },
    ],
    charts: [
      {
        name: "parcels",
        title: "Parcels",
        sub: "per {step}",
        kind: "lines",
        lines: [{ name: "parcels", colour: 1, shown: true }, { name: "delivered", colour: 3, shown: true }, {
          name: "lost",
          colour: 4,
        }],
        compared: "parcels",
        least: 4,
      },
      {
        name: "postage",
        title: "Postage",
        sub: "{currency} per {step}",
        kind: "bars",
        lines: [{ name: "postage", colour: 2 }],
        compared: "postage",
        least: 10,
      },
    ],
    panels: ["carrier", "state"],
    dimensions: { state: { label: "state", keys: ["on_its_way", "delivered", "lost"] } },
    first_filter: "carrier",
    list: {
      title: "Latest parcels",
      time: "at_ms",
      mark: "state",
      marks: { on_its_way: "half", lost: "cross" },
      over: "delivered",
      columns: [
        { label: "carrier", key: "carrier" },
        { label: "grams", number: "grams", digits: 0, minor: true },
        { label: "postage", number: "postage", digits: 2, or_mark: true },
      ],
    },
    breakdowns_how: "Accepted parcels and their postage.",
    computed_how: "What is not kept ready is computed from the parcels.",
    stream: {
      events: {
        "parcel.accepted": ["Accepted", "acceptance"],
        "parcel.delivered": ["Delivered", "delivery"],
        "parcel.lost": ["Lost", "loss", "bad"],
      },
      moments: [["delivered_at", "delivery"], ["accepted_at", "acceptance"]],
      measures: { parcels: ["parcel", "parcels"], postage_micros: "postage" },
      story: [
        {
          when: { is: { state: "delivered" } },
          lead: "Delivered",
          text: "{delivered_at}[ to {receiver}][ by {carrier}]",
        },
        { when: { is: { state: "lost" } }, lead: "Lost", text: "{lost_at}[ by {carrier}]" },
        { lead: "On its way", text: "since {accepted_at}" },
      ],
    },
  },
  whole: { dimension: "none", key: "all" },
  figures: {
    parcels: total("parcels"),
    delivered: total("delivered"),
    lost: total("lost"),
    weight: total("grams"),
    postage: { kind: "total", unit: "money", measure: "postage_micros", per: 1_000_000 },
  },
  series: ["parcels", "delivered", "lost", "postage"],
  compared_series: ["parcels", "postage"],
  cards: ["parcels", "delivered", "lost", "postage", "weight"].map((name) => ({ name, figure: name })),
  now: { dimension: "state", measure: "parcels" },
  breakdowns: [{ dimension: "carrier", count: "parcels" }, { dimension: "state", count: "parcels" }],
  states_breakdowns: [],
  default_count: "parcels",
  breakdown_row: { count: "parcels", amount: "postage" },
  lines: {
    event: "parcel",
    list: "parcels",
    fields: ["parcel_id", "state", "at_ms", "carrier", "depot", "sender", "receiver", "service", "grams", "postage"],
  },
};
