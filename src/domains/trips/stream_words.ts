import type { StreamWords } from "../board_words.ts";

const WHY = "[ ({adjustment_reason})]";
const LATEST = "[ This is the latest of {events:trip.fare_adjusted} adjustments.]";
const CANCELED = "[ by the {canceled_by}][ ({cancel_reason})]";
const ADJUSTED = "Fare adjusted";
const OVER = { is: { status: "completed" }, known: ["adjusted_fare"] };

/** A trip in words. */
export const TRIP_WORDS: StreamWords = {
  events: {
    "trip.requested": ["Requested", "request"],
    "trip.started": ["Started", "start"],
    "trip.completed": ["Completed", "completion"],
    "trip.canceled": ["Canceled", "cancellation", "bad"],
    "trip.fare_adjusted": ["Fare adjusted", "fare adjustment", "change"],
    "trip.voided": ["Voided", "void", "bad"],
  },
  fields: {
    requested_at: "Requested",
    started_at: "Started",
    completed_at: "Completed",
    canceled_at: "Canceled",
    voided_at: "Voided",
    estimated_dropoff_at: "Expected end",
    driver_id: "Driver",
    passenger_id: "Passenger",
    passenger_count: "Passengers",
    vehicle_type: "Vehicle",
    city: "City",
    payment_method: "Payment",
    pickup_zone: "Pickup zone",
    dropoff_zone: "Drop-off zone",
    pickup_h3: "Pickup H3 cell",
    pickup_lat: "Pickup latitude",
    pickup_lon: "Pickup longitude",
    dropoff_lat: "Drop-off latitude",
    dropoff_lon: "Drop-off longitude",
    vendor_id: "Vendor",
    currency: "Currency",
    rate_code: "Rate code",
    trip_type: "Trip type",
    cancel_reason: "Cancel reason",
    canceled_by: "Canceled by",
    adjustment_reason: "Adjusted for",
    void_reason: "Voided for",
    estimated_fare: "Estimated fare",
    completion_fare: "Fare at completion",
    adjusted_fare: "Adjusted fare",
    fare: "Fare",
    tip: "Tip",
    distance_km: "Distance",
    duration_min: "Duration",
    waiting_min: "Waited",
  },
  repeats: { completion_fare: "fare", adjusted_fare: "fare" },
  moments: [
    ["voided_at", "void"],
    ["completed_at", "completion"],
    ["canceled_at", "cancellation"],
    ["started_at", "start"],
    ["requested_at", "request"],
  ],
  route: { from: "pickup_zone", to: "dropoff_zone", within: "city" },
  story: [
    { when: { is: { status: "voided" } }, lead: "Voided", text: "{voided_at}[: {void_reason}][ · {route}]" },
    { when: { is: { status: "completed" } }, lead: "Completed", text: "{completed_at}[ · {route}]" },
    {
      when: { is: { status: "canceled" } },
      lead: "Canceled",
      text: "{canceled_at}[ by the {canceled_by}][: {cancel_reason}][ · {route}]",
    },
    { when: { is: { status: "in_progress" } }, lead: "In progress", text: "since {started_at}[ · {route}]" },
    {
      when: { unknown: ["requested_at"] },
      lead: "Not begun",
      text: "so far only a fare adjustment has arrived",
    },
    { lead: "Requested", text: "{requested_at}, not started yet[ · {route}]" },
  ],
  figures: [
    {
      field: "fare",
      notes: [
        { when: { known: ["fare", "adjusted_fare"], unknown: ["completion_fare"] }, text: "adjusted from none" },
        { when: { known: ["fare", "adjusted_fare"] }, text: "adjusted from {completion_fare#}" },
        { when: { known: ["estimated_fare"] }, text: "estimated {estimated_fare#}" },
        { when: { is: { status: "completed" }, known: ["fare"] }, text: "as completed" },
        { when: { is: { status: "completed" } }, text: "" },
        { when: { is: { status: "canceled" } }, text: "" },
        { when: { is: { status: "voided" } }, text: "taken back" },
        { text: "known at completion" },
      ],
    },
    { field: "tip", notes: [{ text: "[{tip/fare*100:0} % of the fare]" }] },
    { field: "distance_km", notes: [{ text: "[{distance_km/duration_min*60:1} km/h on average]" }] },
    { field: "duration_min", notes: [{ text: "[{duration_min}]" }] },
  ],
  facts: [
    {
      title: "Times",
      rows: [
        "requested_at",
        { field: "started_at", not_yet: ["requested"] },
        "waiting_min?",
        { field: "completed_at", not_yet: ["requested", "in_progress"], not_in: ["canceled"] },
        "canceled_at?",
        "voided_at?",
        "estimated_dropoff_at?",
      ],
    },
    {
      title: "Who and how",
      rows: [
        "driver_id",
        "passenger_id",
        "passenger_count",
        "vehicle_type",
        "payment_method",
        "vendor_id?",
        "rate_code?",
        "trip_type?",
        "canceled_by?",
        "cancel_reason?",
        "adjustment_reason?",
        "void_reason?",
      ],
    },
    {
      title: "Route",
      rows: [
        "city",
        "pickup_zone",
        "dropoff_zone",
        { label: "Pickup at", pair: ["pickup_lat", "pickup_lon"] },
        { label: "Drop-off at", pair: ["dropoff_lat", "dropoff_lon"] },
        "pickup_h3?",
      ],
    },
  ],
  notes: [
    [
      {
        when: { is: { status: "voided" }, unknown: ["completed_at"] },
        lead: "Voided",
        text:
          "It counts in nothing but the voided trips. Its completion has not arrived; when it does it is taken back, too.",
      },
      {
        when: { is: { status: "voided" } },
        lead: "Voided",
        text:
          "It counts in nothing but the voided trips. It had been completed, and what was counted of it is taken back.",
      },
    ],
    [
      {
        when: { is: { status: "completed" }, known: ["canceled_at"], after: ["canceled_at", "completed_at"] },
        lead: "Completed and canceled",
        text:
          `It was canceled at {canceled_at}${CANCELED}, after it had been completed. It counts as completed, and as a conflict.`,
      },
      {
        when: { is: { status: "completed" }, known: ["canceled_at"] },
        lead: "Completed and canceled",
        text:
          `It was completed at {completed_at}, after it had been canceled at {canceled_at~completed_at}${CANCELED}. It counts as completed, and as a conflict.`,
      },
    ],
    [
      { when: { is: { status: "voided" } }, text: "" },
      {
        when: { ...OVER, same: ["completion_fare", "adjusted_fare"] },
        lead: ADJUSTED,
        text: `To the same {adjusted_fare}${WHY}.${LATEST}`,
      },
      {
        when: { ...OVER, unknown: ["completion_fare"] },
        lead: ADJUSTED,
        text: `To {adjusted_fare}, where there was none${WHY}.${LATEST}`,
      },
      { when: OVER, lead: ADJUSTED, text: `From {completion_fare#} to {adjusted_fare}${WHY}.${LATEST}` },
      {
        when: { known: ["adjusted_fare"] },
        lead: ADJUSTED,
        text: `To {adjusted_fare}${WHY}; it counts once the trip is completed.${LATEST}`,
      },
    ],
    [
      {
        when: { is: { status: "completed" }, unknown: ["started_at", "duration_min"] },
        lead: "Start missing",
        text: "It was completed, but its start has not arrived; the duration is unknown.",
      },
      {
        when: { is: { status: "completed" }, unknown: ["started_at"] },
        lead: "Start missing",
        text: "It was completed, but its start has not arrived.",
      },
    ],
  ],
  measures: {
    trips: ["trip", "trips"],
    requested: "requested",
    started: "started",
    completed: "completed",
    canceled: "canceled",
    voided: "voided",
    voids_waiting: "voided before its completion",
    conflicts: ["conflict", "conflicts"],
    fare_sum_micros: "revenue",
    tip_sum_micros: "tips",
    distance_sum_m: "",
    duration_sum_ms: "duration",
    fare_count: "with known fare",
    distance_count: "with known distance",
    duration_count: "with known duration",
    waiting_sum_ms: "waited",
    waiting_count: "with known waiting",
  },
  minor_measures: ["fare_count", "distance_count", "duration_count", "waiting_count"],
};
