import { make } from "./page.js";
import { format_notes, MOST_NOTES, parse_notes } from "./marks.js";
import { format_moment, zone_offset_s } from "./format.js";
import { format_rfc3339 } from "./csv.js";
import { field, form, input, list_of, open_dialog } from "./dialog.js";

/** The editor of notes. */

/** Opens it, for a note at the newest time in sight. */
export function open({ look, go }) {
  const { zone, now_ms, view, address } = look();
  const at_ms = Math.min(now_ms, view.to_s * 1000);
  const time = input({ type: "datetime-local", value: format_rfc3339(at_ms, zone).slice(0, 16), required: true });
  const text = input({ type: "text", maxLength: 120, required: true, autofocus: true, placeholder: "What happened" });
  const list = list_of((note) => `${format_moment(note.at_ms, zone, now_ms)}  ${note.text}`, put);

  // Notes are written and read, so that what is shown is what the address holds.
  function put(notes) {
    const kept = list.show(parse_notes(format_notes(notes)));
    go({ notes: format_notes(kept) });
    add.lastChild.disabled = kept.length >= MOST_NOTES;
  }

  const add = form(
    () => {
      put([...list.shown(), { at_ms: instant_of(time.value, zone), text: text.value }]);
      text.value = "";
      text.focus();
    },
    "Add note",
    field("Time", time),
    field("Note", text),
  );
  add.classList.add("wide");
  const said =
    `Notes stand at their time in both charts and are part of this page's address. At most ${MOST_NOTES}; times in ${zone}.`;
  open_dialog("Notes", make("p", "sub", said), list.element, add);
  list.show(parse_notes(address.notes));
}

/** The moment, ms, at which a zone's clock shows "2026-03-08T01:30"; the first where there are two, an hour later where there is none. */
export function instant_of(wall, zone) {
  const wall_s = Date.parse(`${wall}Z`) / 1000;
  const offsets = [-86_400, 86_400].map((away_s) => zone_offset_s(wall_s + away_s, zone));
  const found = offsets.map((offset_s) => wall_s - offset_s).sort((a, b) => a - b)
    .find((t) => t + zone_offset_s(t, zone) === wall_s);
  return (found ?? wall_s - offsets[0]) * 1000;
}
