import { view_query } from "./address.js";
import { field, form, from_wall, input, open_dialog, to_wall } from "./dialog.js";
import { format_clock, format_count, format_day } from "./format.js";
import { by_id, make, set_text } from "./page.js";
import { read_api } from "./troubles.js";

/** The board as it was known then: read once for each address, told in a ribbon over the whole width. */

/** A shorter reading is not spoken of. */
const WORD_MS = 200;

const text = make("p", "", make("b"), make("span"));
const buttons = [["step_back", "‹ Earlier"], ["step_on", "Later ›"], ["read_again", "Try again"], [
  "leave",
  "Back to live",
]]
  .map(([id, label]) => Object.assign(make("button", "", label), { id }));
const ribbon = make("div", "", text, make("div", "", ...buttons));
ribbon.id = "ribbon";
ribbon.role = "region";
ribbon.ariaLabel = "Time travel";

/** The reading under way or done: {query, since_ms, failed}. */
let reading = null;

/** Reads the board that the address names; it comes as a hello. */
export async function read_board(page) {
  const query = new URLSearchParams(view_query(page.address)).toString();
  const mine = reading = { query, since_ms: Date.now(), failed: null };
  setTimeout(page.draw_soon, WORD_MS);
  const { said, failed } = await read_api(`board?${query}`);
  if (mine !== reading || page.address.as_of === null) return;
  if (failed !== undefined) mine.failed = failed;
  else page.receive("hello", said);
  page.draw_soon();
}

/** What the ribbon says: [in bold, the rest]. Pure. */
export function ribbon_words({ as_of, hello, failed, waited_ms, zone, now_ms }) {
  const full = (ms) => `${format_day(ms, zone, now_ms)}, ${format_clock(ms, zone, true)}`;
  const asked = as_of.ms === undefined ? `log position ${format_count(as_of.position)}` : full(as_of.ms);
  if (failed !== null) return [`The board as of ${asked} could not be read`, `: ${failed}.`];
  if (hello === null) return waited_ms < WORD_MS ? ["", ""] : [`Reading the board as of ${asked}`, ""];
  const { position, recorded_ms, head } = hello.as_of;
  if (recorded_ms === null) return [`As of ${asked} nothing was known yet`, ": read only."];
  const place = `log position ${format_count(position)} of ${format_count(head)}`;
  return [`The board as it was known on ${full(as_of.ms ?? recorded_ms)}`, ` (${place}): read only.`];
}

/** Shows the ribbon while the address is one of then, takes it away after. */
export function show_ribbon(page) {
  const { address: { as_of }, board: { hello } } = page;
  if (as_of === null) {
    reading = null;
    return ribbon.remove();
  }
  if (!ribbon.isConnected) by_id("banners").before(ribbon);
  const { failed, since_ms } = reading ?? { failed: null, since_ms: Date.now() };
  const now_ms = Date.now();
  const words = ribbon_words({ as_of, hello, failed, waited_ms: now_ms - since_ms, zone: page.zone(), now_ms });
  if (words[0] !== "") words.forEach((part, i) => set_text(text.children[i], part));
  if (words[0] !== "" && hello !== null) set_text(by_id("announcer"), words.join(""));
  ribbon.dataset.state = failed !== null ? "failed" : hello === null ? "reading" : "ready";
  buttons[2].hidden = failed === null;
}

const AGO = [["a minute ago", 60_000], ["an hour ago", 3_600_000], ["a day ago", 86_400_000], [
  "a week ago",
  604_800_000,
]];

/** Opens the choice of a time, or of a place in the log. */
export function open(page, go) {
  const zone = page.zone();
  const { shown, address: { as_of } } = page;
  const now_ms = Date.now() + (shown.hello === null ? 0 : shown.offset_ms);
  const head = shown.hello?.as_of?.head ?? shown.position;
  const at_ms = as_of?.ms ?? shown.hello?.as_of?.recorded_ms ?? now_ms - 3_600_000;
  const told = make("p", "fault");
  told.role = "alert";
  const leave = (change) => {
    go(page, { paused: false, ...change });
    dialog.close();
  };
  const ago = AGO.map(([text, ms]) => {
    const button = make("button", "plain", text);
    button.onclick = () => leave({ as_of: { ms: Math.floor((now_ms - ms) / 1_000) * 1_000 } });
    return button;
  });
  const time = input({ type: "datetime-local", step: "1", required: true, value: to_wall(at_ms, zone) });
  const by_time = form(
    () => {
      const ms = from_wall(time.value, zone);
      if (ms === null || ms > now_ms) {
        told.textContent = ms === null ? "Day and time are needed." : "That is yet to come.";
      } else leave({ as_of: { ms } });
    },
    "Show",
    field(`Time, ${zone}`, time),
  );
  const place = input({
    type: "number",
    min: "0",
    max: `${head}`,
    step: "1",
    required: true,
    value: `${shown.position}`,
  });
  const by_position = form(
    () => leave({ as_of: { position: Number(place.value) } }),
    "Show",
    field(`Log position, up to ${format_count(head)}`, place),
  );
  const what =
    "Every figure as it was known then: events that came later are not counted, however early they happened.";
  const dialog = open_dialog(
    "Time travel",
    make("p", "sub", what),
    make("div", "line", ...ago),
    by_time,
    by_position,
    told,
  );
  dialog.classList.add("travel");
}
