import { press_line } from "./marks.js";

/** What a press on the legend does. */

/** Shows or hides the pressed line; Alt, a double click or the key i leave it alone. */
export function open({ look, go }, { type, key, altKey, detail, target }) {
  if (type === "keydown" && key !== "i") return;
  const alone = type === "keydown" || altKey || detail === 2;
  go({ lines: press_line(look().address.lines, target.closest("button").dataset.shows, alone) });
}
