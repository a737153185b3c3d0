import { field, form, input, open_dialog } from "./dialog.js";
import { format_count } from "./format.js";
import { make } from "./page.js";
import { from_wall, to_wall } from "./wall_time.js";

/** The choice of a time, or of a place in the log: the board is shown as it was known then. */

const AGO = [["a minute ago", 60_000], ["an hour ago", 3_600_000], ["a day ago", 86_400_000], [
  "a week ago",
  604_800_000,
]];

/** Opens it. */
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
