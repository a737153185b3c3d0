import { format_moment } from "./format.js";
import { by_id, make } from "./page.js";

/** What a chart says while it has nothing to show. */

const place = make("p", "blank");
place.role = "status";
const newest = make("button", "link", "Show that time");
newest.id = "go_newest";

const clear = make("button", "link", "Show all trips");
clear.id = "clear_all";

const WORDS = {
  empty: (_shown, _zone, _now_ms, { as_of }) => [
    as_of === null ? "No trips yet: waiting for the first event" : "Nothing had been recorded by then",
  ],
  empty_range: ({ newest_event_ms }, zone, now_ms, { filter }) =>
    filter.length > 0 ? ["No trips match the filter in this range", clear] : [
      `No trips in this view; the newest of all is from ${format_moment(newest_event_ms, zone, now_ms)}`,
      newest,
    ],
  computing: () => ["Computing these figures from the trips"],
  failed: ({ computed }) => [`These figures are not known: ${computed.failed}`],
};

let told = "";

/** Shows it, or takes it away. */
export function show_blank({ address, shown, zone }, phase) {
  const words = WORDS[phase]?.(shown, zone(), Date.now() + shown.offset_ms, address) ?? [];
  const text = words.map((part) => part.textContent ?? part).join();
  if (text === told) return;
  told = text;
  place.replaceChildren(...words);
  if (words.length === 0) place.remove();
  else by_id("chart_trips").after(place);
}
