import { make } from "./page.js";
import { open_dialog } from "./dialog.js";
import { format_count } from "./format.js";

/** How each figure is counted. Entries have the names of the cards. */

const ENTRIES = {
  all: [
    "All figures",
    "By the time at which it happened, however late its message came. Corrections move every figure they touch.",
  ],
  trips: [
    "Trips begun",
    "Each once, at the earliest known of its request, start, completion and cancellation. One that began before the range and ended in it is among the completed only.",
  ],
  in_progress: [
    "In progress",
    "Started and not ended, as of now, whatever the range. Beside it: requested and not yet started.",
  ],
  completed: [
    "Completed",
    "At the completion. It counts even when a cancellation came too; how many did is said beside it.",
  ],
  canceled: [
    "Canceled",
    "At the cancellation, when there is no completion. The share is of all that ended; its change is in points. Voided are trips that were taken back, at that time: they count in nothing else, whatever had been counted of them before.",
  ],
  per_minute: ["Trips per minute", "Trips over the minutes of the range that have passed."],
  revenue: [
    "Revenue",
    "Fares of completed trips after their latest adjustment, without tips. A trip without a fare adds none.",
  ],
  average_fare: ["Average fare", "Over completed trips whose fare is known."],
  fare_percentiles: [
    "Fare p50 · p95",
    "Half of all fares are at most the first, 95 of 100 at most the second. Within 2 %: fares are counted in classes.",
  ],
  fare_range: ["Fare lowest · highest", "Of completed trips, exact."],
  average_distance: ["Average distance", "Over completed trips whose distance is known."],
  duration: [
    "Minutes p50 · p95",
    "Of completed trips whose duration is known, in minutes, within 2 %; the average beside them is exact.",
  ],
  most_active: [
    "Most active",
    "The pickup zone and the driver with the most completed trips in the range.",
  ],
  change: [
    "Changes",
    "Against the same stretch of the same weekday, and against the period before. A running period is held against as much of the other one as has passed. Green is better, red is worse, for the figures of which that can be said.",
  ],
  breakdowns: [
    "Breakdowns",
    "Completed trips and their fares; by status all trips of that status. What no message named is “unknown”; “all others” are the keys that are not listed.",
  ],
  cells: [
    "Computed from trips",
    "Most figures are kept ready. With two filters and more, or by driver, they are computed from the trips, and say how old they are.",
  ],
  dotted: [
    "Dotted",
    "Still running: it will grow. Blank is what is not known: before the first and after the newest event.",
  ],
  corrected: [
    "Corrected ▴",
    "Changed after it had closed: by events whose message came more than 5 minutes late, or by a correction. The figure shown is the right one.",
  ],
  age: ["Data age", "Time since the newest messages were recorded."],
  late: [
    "Late",
    "Events whose message came when its newest window had closed, more than 5 minutes late. They are counted.",
  ],
  duplicates: ["Duplicates", "Events that came again. They are not counted again."],
  quarantine: ["Quarantine", "Messages set aside with the reason. They are in no figure."],
};

/** Voids are mostly none: what the card has no room for is said here. */
function seen(name, cards) {
  if (name !== "canceled" || !(cards?.voided > 0)) return "";
  const { voided, voids_waiting } = cards;
  return ` Now in sight: ${format_count(voided)} voided, ${
    voids_waiting > 0
      ? `of ${format_count(voids_waiting)} the completion has not come`
      : "the completions of all have come"
  }.`;
}

/** Opens it, at an entry. */
export function open({ sight }, _go, entry) {
  const list = make("dl");
  let asked = null;
  for (const [name, [label, how]] of Object.entries(ENTRIES)) {
    const [term, text] = [make("dt", "", label), make("dd", "", how + seen(name, sight?.cards))];
    list.append(term, text);
    if (name !== entry) continue;
    asked = term;
    for (const part of [term, text]) part.classList.add("asked");
  }
  open_dialog("How each figure is counted", list);
  const start = asked ?? list.firstChild;
  start.tabIndex = -1;
  start.focus();
  start.scrollIntoView({ block: "center" });
}
