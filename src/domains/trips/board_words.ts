import type { BoardWords } from "../board_words.ts";
import { trip_words } from "./stream_words.ts";

/** The board of trips in words: what the page shows, in this order. */
export const trips_words: BoardWords = {
  stream: trip_words,
  many: "trips",
  path: "/trips/",
  cards: [
    {
      name: "completed",
      label: "Completed",
      main: true,
      better: 1,
      base: "completed",
      spark: ["completed"],
      beneath: ["{conflicts?} canceled too"],
      how: "At the completion. It counts even when a cancellation came too; how many did is said beneath it.",
    },
    {
      name: "trips",
      label: "Trips begun",
      better: 1,
      base: "trips",
      spark: ["trips"],
      beneath: ["{per_minute} a minute"],
      how:
        "Each once, at the earliest known of its request, start, completion and cancellation. One that began before the range and ended in it is among the completed only. A minute: over the minutes of the range that have passed.",
    },
    {
      name: "in_progress",
      label: "In progress",
      beside: ["{moment}"],
      beneath: ["{requested_now} requested"],
      how: "Started and not ended, as of now, whatever the range. Beneath it: requested and not yet started.",
    },
    {
      name: "canceled",
      label: "Canceled",
      better: -1,
      share_with: "completed",
      spark: ["canceled"],
      beside: ["{share?}"],
      beneath: ["{voided?} voided"],
      how:
        "At the cancellation, when there is no completion. The share is of all that ended; its change is in points. Voided are trips that were taken back, at that time: they count in nothing else, whatever had been counted of them before.",
      seen: [
        "Now in sight: {voided?} voided, of {voids_waiting?} the completion has not come.",
        "Now in sight: {voided?} voided, the completions of all have come.",
      ],
    },
    {
      name: "revenue",
      label: "Revenue",
      digits: 0,
      small_digits: 2,
      better: 1,
      base: "fare_count",
      spark: ["revenue"],
      beside: ["{currency}"],
      beneath: ["{min_fare} to {max_fare?} a trip"],
      greatest: {
        measure: "max_fare",
        title: "The trip with the highest fare",
        none: "No trip was completed in this range.",
      },
      how:
        "Fares of completed trips after their latest adjustment, without tips. A trip without a fare adds none. Beneath it the lowest and the highest, exact.",
    },
    {
      name: "average_fare",
      label: "Average fare",
      better: 1,
      base: "fare_count",
      spark: ["revenue", "fare_count"],
      beside: ["{currency}"],
      beneath: ["p50 {fare_p50?} · p95 {fare_p95}"],
      how:
        "Over completed trips whose fare is known. Half of all fares are at most p50, 95 of 100 at most p95, within 2 %: fares are counted in classes.",
    },
    {
      name: "average_distance",
      label: "Average distance",
      figure: "average_distance_km",
      better: 0,
      base: "completed",
      spark: ["distance_km", "completed"],
      beside: ["km"],
      how: "Over completed trips whose distance is known.",
    },
    {
      name: "duration",
      label: "Average duration",
      figure: "average_duration_min",
      better: 0,
      base: "completed",
      beside: ["min"],
      beneath: ["p50 {duration_p50_min?} · p95 {duration_p95_min}"],
      how:
        "Over completed trips whose duration is known, exact. Half of them took at most p50, 95 of 100 at most p95, within 2 %.",
    },
  ],
  charts: [
    {
      name: "trips",
      title: "Trips completed",
      sub: "per {step}, by completion time",
      kind: "lines",
      lines: [
        { name: "completed", colour: 1, shown: true },
        { name: "started", colour: 3 },
        { name: "canceled", colour: 4 },
      ],
      compared: "completed",
      least: 4,
    },
    {
      name: "revenue",
      title: "Revenue",
      sub: "{currency} per {step}",
      picture_sub: "{currency} per {step}, by completion time",
      kind: "bars",
      lines: [{ name: "revenue", colour: 2 }],
      compared: "revenue",
      least: 10,
    },
  ],
  panels: ["status", "payment_method", "vehicle_type", "city", "pickup_zone", "dropoff_zone", "driver"],
  dimensions: {
    status: { label: "status", keys: ["requested", "in_progress", "completed", "canceled", "voided"] },
    payment_method: { label: "payment method", brief: "payment" },
    vehicle_type: { label: "vehicle type", brief: "vehicle" },
    pickup_h3: { label: "pickup h3", brief: "pickup cell" },
    pickup_zone: { label: "pickup zone", bare: "Zone", within: "city" },
    dropoff_zone: { label: "drop-off zone", bare: "Zone", within: "city" },
  },
  first_filter: "city",
  list: {
    title: "Latest trips",
    time: "at_ms",
    mark: "status",
    marks: { in_progress: "half", requested: "ring", canceled: "cross", voided: "cross" },
    over: "completed",
    columns: [
      { label: "from", key: "pickup_zone" },
      { label: "to", key: "dropoff_zone" },
      { label: "km", number: "distance_km", digits: 1, minor: true },
      { label: "fare", number: "fare", digits: 2, or_mark: true },
    ],
  },
  breakdowns_how:
    "Completed trips and their fares; by status all trips of that status. What no message named is “unknown”; “all others” are the keys that are not listed.",
  computed_how:
    "Most figures are kept ready. With two filters and more, or by driver, they are computed from the trips, and say how old they are.",
};
