import { CALENDAR, is_zone } from "./address.js";
import { field, form, from_wall, input, open_dialog, select, to_wall } from "./dialog.js";
import { format_zone } from "./format.js";
import { GRAINS, grains_of } from "./grains.js";
import { make } from "./page.js";
import { ROLLING } from "./rolling.js";
import { zone_of } from "./state.js";

/** The editors of a range with two ends of its own, on the clocks of the page, and of the zone of those clocks. */

const LONGEST_DAYS = 400;

/** What is wrong with two ends, in words; "" when nothing is. Pure. */
export function fault_of(from_ms, to_ms) {
  if (from_ms === null || to_ms === null) return "Both ends are needed: day and time.";
  if (from_ms >= to_ms) return "The range ends before it begins.";
  return to_ms - from_ms > LONGEST_DAYS * 86_400_000 ? `At most ${LONGEST_DAYS} days.` : "";
}

/** Opens the editor of a range. */
export function open_range(page, go) {
  const zone = page.zone();
  const { from_s, to_s } = page.shown;
  const end = (s) =>
    input({
      type: "datetime-local",
      required: true,
      value: s === undefined ? "" : to_wall(s * 1_000, zone).slice(0, 16),
    });
  const [from, to] = [end(from_s), end(to_s)];
  const told = make("p", "fault");
  told.role = "alert";
  const leave = (change) => {
    go(page, { last: undefined, paused: false, ...change });
    dialog.close();
  };
  const named = Object.entries({ "5m": "5 min", ...CALENDAR }).map(([range, text]) => {
    const button = make("button", "plain", text);
    button.ariaPressed = `${page.address.last === undefined && page.address.range === range}`;
    button.onclick = () => leave({ range, from_ms: null, to_ms: null });
    return button;
  });
  const grains = [
    ["", "by length, and how much there is"],
    ...grains_of(page.address).map((name) => [name, GRAINS[name].label]),
  ];
  const grain = select(grains, page.address.grain ?? "");
  grain.disabled = grains.length === 1;
  grain.onchange = () => leave({ last: page.address.last, paused: page.address.paused, grain: grain.value || null });
  const each = Object.entries(ROLLING).map(([name, { words }]) => [name, `the last ${words} up to it, rolling`]);
  const rolling = select([["", "its bucket"], ...each], page.address.rolling ?? "");
  rolling.onchange = () =>
    leave({ last: page.address.last, paused: page.address.paused, rolling: rolling.value || undefined });
  const body = form(
    () => {
      const [from_ms, to_ms] = [from, to].map(({ value }) => from_wall(value, zone));
      const fault = fault_of(from_ms, to_ms);
      told.textContent = fault;
      if (fault !== "") return;
      leave({ range: null, from_ms, to_ms });
    },
    "Show",
    make("div", "line", field("From", from), field("To", to)),
    told,
  );
  const dialog = open_dialog(
    "Range",
    make(
      "p",
      "sub",
      `Times of ${zone}${
        page.address.order === undefined ? "" : " at which events were recorded"
      }. Ends are widened to whole buckets.`,
    ),
    make("div", "line", ...named),
    body,
    field("How wide the buckets of the charts are", grain),
    field("What each point of the charts is of", rolling),
  );
}

/** Opens the choice of the zone of all times on the page. */
export function open_zone({ look, go }) {
  const { address, now_ms, board: { hello: { time_zone: business_zone } } } = look();
  const named = (tz) => format_zone(zone_of({ tz }, business_zone), now_ms);
  const choices = [[null, "Business zone"], ["local", "This browser's"], ["UTC", "UTC"]].map(([tz, text]) => {
    const button = make("button", "choice", make("b", "", text), make("span", "", named(tz)));
    button.ariaPressed = address.tz === tz;
    button.onclick = () => choose(tz);
    return button;
  });
  const zones = make("datalist");
  zones.id = "zones";
  zones.append(...Intl.supportedValuesOf("timeZone").map((value) => Object.assign(make("option"), { value })));
  const other = input({
    type: "text",
    value: ["local", "UTC", null].includes(address.tz) ? "" : address.tz,
    placeholder: "Europe/Berlin",
    autocomplete: "off",
  });
  other.setAttribute("list", "zones");
  other.oninput = () => other.setCustomValidity("");
  const typed = form(
    () => {
      const name = other.value.trim();
      if (is_zone(name)) return choose(name);
      other.setCustomValidity(`No such zone: ${JSON.stringify(name)}. Names look like Europe/Berlin.`);
      other.reportValidity();
    },
    "Use",
    field("Another zone", other),
    zones,
  );
  typed.classList.add("zone");
  const said =
    `Times everywhere on the page are told in this zone. Days still begin and end at midnight in ${business_zone}: figures per day do not change.`;
  const dialog = open_dialog("Time zone", make("p", "sub", said), make("div", "choices", ...choices), typed);

  function choose(tz) {
    go({ tz });
    dialog.close();
  }
}
