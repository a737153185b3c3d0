import { load_tool } from "./chart_tools.js";
import { by_id, declared, set_text } from "./page.js";

/**
 * What opens, and when: its module comes first, and of some there have to be figures. Of what is asked for meanwhile the last opens, and what is
 * typed meanwhile goes into it: no key is lost, and no two things open at once.
 */

/** Where each dialog is, and what opens it. */
const DIALOGS = {
  keys: ["./help.js", "open_keys"],
  counted: ["./help.js", "open_counted"],
  filter: ["./filter.js", "open"],
  range: ["./ranges.js", "open_range"],
  as_of: ["./time_travel.js", "open"],
  command: ["./command.js", "open_command"],
  views: ["./saved.js", "open_views"],
};

/** What is being loaded, {typed}: what was typed for it; null: nothing. What waits for figures, by number. */
let coming = null, waiting = 0;

/** Opens a dialog by its name: `run` hears of its module and what opens it there. */
export function open_part(page, name, run) {
  const [path, opens] = DIALOGS[name];
  bring(page, name, page.load(path), (dialog) => run(dialog, opens));
}

/** Uses a tool of the charts, once there is something in sight. */
export function use(page, name) {
  if (name === "map" && declared.map === undefined) return;
  once(page, ({ sight }) => sight !== null, () => bring(page, name, load_tool(page, name), (run) => run()));
}

async function bring(page, name, loading, run) {
  const own = coming = { typed: "" };
  try {
    const part = await loading;
    if (coming !== own) return;
    coming = null;
    run(part);
    const field = document.activeElement;
    if (own.typed !== "" && field?.matches("dialog input:is([type=text],[type=search])")) {
      field.value += own.typed;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  } catch (error) {
    if (coming === own) coming = null;
    console.warn(`open ${name}: failed`, error);
  }
  page.draw_soon();
}

/** Takes a key for what is coming: Escape gives that up. Gives whether it did. */
export function type_ahead(event) {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  if (coming === null || ctrlKey || metaKey || altKey || target.closest?.("input, select, textarea")) return false;
  if (key === "Escape") coming = null;
  else if (key === "Backspace") coming.typed = coming.typed.slice(0, -1);
  else if (key.length === 1) coming.typed += key;
  else return false;
  event.preventDefault();
  return true;
}

/** Runs something as soon as the page has drawn what it needs, unless something else is done before. */
export function once(page, is_there, run) {
  if (is_there(page)) return run();
  const own = ++waiting;
  set_text(by_id("announcer"), "That comes with the first figures");
  const watch = new MutationObserver(() => {
    if (own === waiting && !is_there(page)) return;
    watch.disconnect();
    if (own === waiting) run();
  });
  // Each picture of the board is noted there.
  watch.observe(document.body, { attributes: true });
}

/** Lets go of what waits for figures: something else is done. */
export function give_up() {
  waiting++;
}
