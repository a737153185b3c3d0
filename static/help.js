import { card_figures, changes_told, tell_of } from "./cards.js";
import { open_dialog } from "./dialog.js";
import { declared, fill, make } from "./page.js";

/** What explains the page: its keys, and how each figure is counted. */

const KEYS = [
  ["1 – 7", "range, from 15 min to 30 d, and 5 min"],
  ["/", "find, or do: an id, a key of any dimension, a date, a command"],
  ["g", "how wide buckets are: the next width that fits the range, then by itself again"],
  ["← →", "one range earlier, later; in time travel: the board one range earlier, later"],
  ["space", "pause, and go on"],
  ["l", "back to live"],
  [
    "r",
    "a range of one's own; today, yesterday, this week; how wide buckets are; whether charts roll over an hour or 24",
  ],
  ["f, Shift f", "add a filter, take all away"],
  ["a", "time travel: the board as of then"],
  ["o", "by arrival: the last events to come; and by event time again"],
  ["c", "compare with the same weekday, or with the period before"],
  ["t", "theme: system, light, dark"],
  ["h", "how each figure is counted"],
  [
    "on a row",
    "Enter filters by it, Shift Enter leaves it out; again takes that away; i shows what its count is made of",
  ],
  ...declared.map ? [["p", "the map of places"]] : [],
  ["d", "the charts' figures as a table"],
  ["m, n", "limits, notes"],
  ["s", "views saved for all; save this one; the link to it"],
  ["w", "alerts: rules that are looked at whether or not this page is open"],
  ["e", "export: CSV of figures, pictures of charts"],
  ["z", "time zone of all times"],
  ["k", "kiosk, for a wall; Escape ends it"],
  [
    "on a chart",
    "drag to look closer, double click to go back; ← → from bucket to bucket, with Shift a stretch, Enter to look closer",
  ],
  ...declared.map
    ? [[
      "on the map",
      "arrow keys go from place to place, Enter filters by one, with Shift leaves it out; + and − look closer and less close, 0 shows all, Home the greatest; drag and wheel as everywhere",
    ]]
    : [],
  ["on a line's name", "Enter shows or hides it, i shows it alone; the funnel beside it filters by it"],
];

/** Opens the dialog of keys. */
export function open_keys() {
  const list = make("dl");
  for (const [keys, does] of KEYS) {
    const named = keys.startsWith("on ") ? [keys] : keys.split(", ").flatMap((key) => [make("kbd", "", key), " "]);
    list.append(make("dt", "", ...named), make("dd", "", does));
  }
  open_dialog("Keys", list);
}

/** What is counted alike in every board: [name, label, how]. */
const ALL = [
  "all",
  "All figures",
  "By the time at which it happened, however late its message came. Corrections move every figure they touch.",
];
const GENERAL = [
  [
    "change",
    "Changes",
    "Against the same stretch of the same weekday, and against the period before. A running period is held against as much of the other one as has passed. Green is better, red is worse, for the figures of which that can be said.",
  ],
  [
    "arrival",
    "By arrival",
    `For producers whose times say little: of the newest events, or of what was recorded in a range. Figures are of the ${declared.many} whose newest event is among them, and all that one tells counts in the bucket in which that event was recorded. Nothing is compared, and the list tells when things happened.`,
  ],
  ["breakdowns", "Breakdowns", declared.breakdowns_how],
  ["cells", `Computed from ${declared.many}`, declared.computed_how],
  [
    "dotted",
    "Dotted",
    "Still running: it will grow. Blank is what is not known: before the first and after the newest event.",
  ],
  [
    "corrected",
    "Corrected ▴",
    "Changed after it had closed: by events whose message came more than 5 minutes late, or by a correction. The figure shown is the right one.",
  ],
  ["rate", "Ingest", "Events that were recorded in each second, of the last seconds."],
  ["age", "Data age", "Time since the newest messages were recorded."],
  [
    "late",
    "Late",
    "Events whose message came when its newest window had closed, more than 5 minutes late. They are counted.",
  ],
  [
    "lag",
    "Lag",
    "Messages that wait at the source and are in no figure yet; unknown where a source does not tell. To whoever operates it: rising lag means that events come faster than they are taken in.",
  ],
  [
    "position",
    "Log position",
    "How many events the log has. Each has its number for ever, in the order in which they arrived: with it a board can be shown as it was then (time travel).",
  ],
  ["duplicates", "Duplicates", "Events that came again. They are not counted again."],
  [
    "quarantine",
    "Quarantine",
    "Messages set aside with the reason, because they could not be read. They are in no figure. To whoever operates it: `tacho quarantine` lists them, and takes them in once their cause is mended.",
  ],
];

const keyed = declared.charts.filter(({ by }) => by);
if (keyed.length > 0) {
  GENERAL.unshift([
    "keyed",
    "Lines by key",
    `${
      keyed.map(({ title }) => title).join(", ")
    }: the greatest keys of the range, ranked as in their panel; the figures are exact, and so is the line of all others. A gap is a bucket in which nothing was counted. These lines are held against no other period. Filtered by one key, candles stand in their place where there are prices: a stroke from lowest to highest, a body from first to last, hollow where it rose, filled where it fell.`,
  ]);
}

/** What is added to how a card is counted: figures that it has no room for, and both of its changes. */
function seen_of(card, sight, figures) {
  if (figures === null) return [];
  const tell = tell_of(card, sight);
  const seen = card.seen?.map((text) => fill(text, tell)).find((text) => text !== "") ?? "";
  const known = card.better === undefined || sight.address.order === "arrival"
    ? []
    : figures[card.name].changes.filter(({ text, then }) => then && text !== "–");
  return [seen, known.length > 0 ? `Its change: ${changes_told(known, sight).join("; ")}.` : ""];
}

/** Opens the dialog that says how each figure is counted, at an entry. */
export function open_counted({ sight }, _go, entry) {
  const figures = sight?.cards ? card_figures(sight) : null;
  const cards = declared.cards.map((card) => [
    card.name,
    card.label,
    [card.how, ...seen_of(card, sight, figures)].filter(Boolean).join(" "),
  ]);
  const list = make("dl");
  let asked = null;
  for (const [name, label, how] of [ALL, ...cards, ...GENERAL]) {
    const [term, text] = [make("dt", "", label), make("dd", "", how)];
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
