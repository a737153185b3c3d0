import { make } from "./page.js";
import { open_dialog } from "./dialog.js";

/** The dialog of keys. */

const KEYS = [
  ["1 – 6", "range, from 15 min to 30 d"],
  ["← →", "one range earlier, later; in time travel: the board one range earlier, later"],
  ["space", "pause, and go on"],
  ["l", "back to live"],
  ["r", "a range of one's own"],
  ["f, Shift f", "add a filter, take all away"],
  ["a", "time travel: the board as of then"],
  ["c", "compare with the same weekday, or with the period before"],
  ["t", "theme: system, light, dark"],
  ["h", "how each figure is counted"],
  ["on a row", "Enter filters by it, Shift Enter leaves it out; again takes that away"],
  ["d", "the charts' figures as a table"],
  ["m, n", "limits, notes"],
  ["e", "export: CSV of figures, pictures of charts"],
  ["z", "time zone of all times"],
  ["k", "kiosk, for a wall; Escape ends it"],
  [
    "on a chart",
    "drag to look closer, double click to go back; ← → from bucket to bucket, with Shift a stretch, Enter to look closer",
  ],
  ["on a line's name", "Enter shows or hides it, i shows it alone"],
];

/** Opens it. */
export function open() {
  const list = make("dl");
  for (const [keys, does] of KEYS) {
    const named = keys.startsWith("on ") ? [keys] : keys.split(", ").flatMap((key) => [make("kbd", "", key), " "]);
    list.append(make("dt", "", ...named), make("dd", "", does));
  }
  open_dialog("Keys", list);
}
