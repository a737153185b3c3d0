import { format_moment } from "./format.js";
import { declared, make } from "./page.js";
import { misleads } from "./state.js";

/** What boards show that are not plain: filtered, of then, without figures, with tools of the charts. */

/** Brings and shows what this board needs. */
export function show_extras(page, phase) {
  const {
    address: { order, as_of, currency, filter, kiosk, limits, list, map, notes, panels, rolling },
    shown,
    parts,
  } = page;
  document.body.classList.toggle("past", as_of !== null);
  document.body.classList.toggle("filtered", filter.length > 0);
  document.body.classList.toggle("arrival", order !== undefined);
  const show = (name, is_needed, run) => (parts[name] || is_needed) && page.need(name, run);
  show("domains", declared.domains, ({ show_domains }) => show_domains(page));
  show("troubles", misleads(shown, declared), () => {});
  show("alerting", page.board.health?.alerts, ({ show_alerts }) => show_alerts(page));
  show("unusual", page.board.health?.unusual, ({ show_unusual }) => show_unusual(page));
  show_blank(page, phase);
  show("currency", currency !== null || shown.currencies?.[1], ({ show_currency }) => show_currency(page));
  show("arrival", order !== undefined, ({ show_arrival }) => show_arrival(page));
  show("filter", filter.length > 0 || shown.computed?.failed, ({ show_filter }) => show_filter(page));
  show("rolling", rolling, ({ show_rolling }) => show_rolling(page));
  show("time_travel", as_of !== null, ({ show_ribbon }) => show_ribbon(page));
  show("panels", panels || shown.breakdowns.length > 0, ({ show_panels }) => show_panels(page));
  show("listing", list, ({ show_listing }) => show_listing(page));
  show("map", map, ({ show_map }) => show_map(page));
  if (page.sight === null) return;
  const unusual = parts.unusual?.marks_of(page) ?? [];
  show("saved", true, ({ notes_in_sight }) => {
    const saved_notes = notes_in_sight(page);
    const marked = limits.length + notes.length + unusual.length + saved_notes.length > 0;
    Object.assign(page.sight, { unusual, saved_notes, marked });
    show("chart_tools", kiosk || marked, ({ show_tools }) => show_tools(page));
  });
}

const { many } = declared;
const place = Object.assign(make("p", "blank"), { role: "status" });
const newest = Object.assign(make("button", "link", "Show that time"), { id: "go_newest" });
const last = Object.assign(make("button", "link", "Show the last to arrive"), { id: "show_last" });
const clear = Object.assign(make("button", "link", `Show all ${many}`), { id: "clear_all" });

const copy_first = make("button", "link", "Copy");
copy_first.onclick = async () => {
  const code = place.querySelector("code");
  getSelection().selectAllChildren(code);
  const copied = await navigator.clipboard?.writeText(code.textContent).then(() => true, () => false);
  copy_first.textContent = copied ? "Copied" : "Selected: copy it with the keyboard";
};

let first = null;

/** How a first event is sent, to be copied into a shell. */
function first_event(now_ms) {
  first ??= make("code", "", first_command(declared, location.origin, new Date(now_ms).toISOString()));
  return first;
}

const WORDS = {
  empty: (_shown, _zone, now_ms, { as_of }) =>
    as_of === null
      ? [`No ${many} yet: waiting for the first event. To send one:`, first_event(now_ms), copy_first]
      : ["Nothing had been recorded by then"],
  empty_range: ({ newest_event_ms, currencies = [], hello: { currency } }, zone, now_ms, { filter, order }) =>
    currencies.some((each) => each.currency === currency && each.count === 0)
      ? [`No ${many} in ${currency} yet`]
      : filter.length > 0
      ? [`No ${many} match the filter in this range`, clear]
      : order !== undefined
      ? [`No ${many} whose newest event arrived in this range`, last]
      : [
        `No ${many} in this view; the newest of all is from ${format_moment(newest_event_ms, zone, now_ms)}`,
        newest,
      ],
  computing: () => [`Computing these figures from the ${many}`],
  failed: ({ computed }) => [`These figures are not known: ${computed.failed}`],
};

/** The command that sends a first event. Pure. */
export function first_command({ api, first_event, list: { id } }, origin, occurred_at) {
  const event = JSON.stringify({ event_id: "1", [id]: "1", ...first_event, occurred_at });
  const quoted = event.replaceAll("'", "'\\''");
  return `curl ${origin}${api}/events -H "authorization: Bearer $TACHO_TOKEN" -H "content-type: application/json" -d '${quoted}'`;
}

let told = "";

/** What the charts say while they have nothing to show. */
function show_blank({ address, shown, zone }, phase) {
  const words = WORDS[phase]?.(shown, zone(), Date.now() + shown.offset_ms, address) ?? [];
  const text = words.map((part) => part.textContent ?? part).join();
  if (text === told) return;
  told = text;
  place.replaceChildren(...words);
  if (words.length === 0) place.remove();
  else document.querySelector(".plot").append(place);
}
