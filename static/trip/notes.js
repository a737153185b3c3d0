import { format_age, format_day } from "../format.js";
import { format_amount, format_instant, lateness_of, noun_of } from "./words.js";

/** What is unusual about a trip, in sentences: conflicts, corrections, what came late, out of order or not at all. Pure. */

/** Notes of a trip, each with the few words that lead it. */
export function notes_of(trip, told) {
  return [voided, conflict, adjustment, missing_start, late, out_of_order, untold].flatMap((look) =>
    look(trip, told) ?? []
  );
}

const at = (time, told) => format_instant(time, told);
/** A time beside another: of the same day, the clock does. */
const beside = (time, other, told) =>
  at(time, told).replace(`${format_day(Date.parse(other), told.zone, told.now_ms)}, `, "");

function voided({ status, completed_at }) {
  if (status !== "voided") return null;
  const had = completed_at === null
    ? "Its completion has not arrived; when it does it is taken back, too"
    : "It had been completed, and what was counted of it is taken back";
  return { lead: "Voided", text: `It counts in nothing but the voided trips. ${had}.` };
}

function conflict({ status, completed_at, canceled_at, canceled_by, cancel_reason }, told) {
  if (status !== "completed" || canceled_at === null) return null;
  const after = Date.parse(canceled_at) > Date.parse(completed_at);
  const by = canceled_by === null ? "" : ` by the ${canceled_by}`;
  const why = cancel_reason === null ? "" : ` (${cancel_reason})`;
  const what = after
    ? `It was canceled at ${at(canceled_at, told)}${by}${why}, after it had been completed.`
    : `It was completed at ${at(completed_at, told)}, after it had been canceled at ${
      beside(canceled_at, completed_at, told)
    }${by}${why}.`;
  return { lead: "Completed and canceled", text: `${what} It counts as completed, and as a conflict.` };
}

function adjustment({ status, completion_fare, adjusted_fare, adjustment_reason, events }, { currency }) {
  if (adjusted_fare === null) return null;
  const times = events.filter(({ type }) => type === "trip.fare_adjusted").length;
  const latest = times > 1 ? ` This is the latest of ${times} adjustments.` : "";
  const why = adjustment_reason === null ? "" : ` (${adjustment_reason})`;
  const now = `${format_amount(adjusted_fare)} ${currency}`;
  if (status === "voided") return null;
  if (status !== "completed") {
    return { lead: "Fare adjusted", text: `To ${now}${why}; it counts once the trip is completed.${latest}` };
  }
  const change = completion_fare === adjusted_fare
    ? `To the same ${now}`
    : completion_fare === null
    ? `To ${now}, where there was none`
    : `From ${format_amount(completion_fare)} to ${now}`;
  return { lead: "Fare adjusted", text: `${change}${why}.${latest}` };
}

function missing_start({ status, started_at, duration_min }) {
  if (status !== "completed" || started_at !== null) return null;
  const duration = duration_min === null ? "; the duration is unknown" : "";
  return { lead: "Start missing", text: `It was completed, but its start has not arrived${duration}.` };
}

function late({ events }) {
  const found = events.map((event) => ({ ...lateness_of(event, events), noun: noun_of(event.type) })).filter((each) =>
    each.late
  );
  if (found.length === 0) return null;
  const told = found.slice(0, 4).map(({ noun, ms }) => `${noun} ${format_age(ms)}`);
  const more = found.length > told.length ? ` and ${found.length - told.length} more` : "";
  return {
    lead: "Recorded late",
    text: `${capital(told.join(", "))}${more} after it happened. Late events count in the window they belong to.`,
  };
}

function out_of_order({ events }) {
  const found = events.filter((_, i) => is_overtaken(events, i)).map(({ type }) => noun_of(type));
  if (found.length === 0) return null;
  const text = `The ${
    [...new Set(found)].join(" and the ")
  } arrived after events that happened later; the figures were corrected.`;
  return { lead: "Out of order", text };
}

function untold({ changes, changes_fault }) {
  return changes !== null
    ? null
    : { lead: "Changes unknown", text: `What each event changed cannot be told: ${changes_fault}.` };
}

/** Whether an event that happened later arrived before this one. */
export function is_overtaken(events, i) {
  // Times of the API are written alike, to the microsecond: their texts compare as they do.
  const { occurred_at } = events[i];
  return events.slice(0, i).some((other) => other.occurred_at > occurred_at);
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
