import { press_line } from "./marks.js";

/** What a press on the legend does. */

/** The lines before the first press of what may become a double click. */
let before = [];

/** Shows or hides the line whose name was pressed; Alt, a double click or the key i leave it alone. */
export function open({ look, go }, { type, altKey, detail, target }) {
  const { lines } = look().address;
  const twice = detail === 2;
  if (!twice) before = lines;
  const alone = twice || altKey || type === "keydown";
  go({ lines: press_line(twice ? before : lines, target.closest("button").dataset.shows, alone) });
}
