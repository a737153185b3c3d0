import { make } from "./page.js";
import { format_notes, MOST_NOTES, parse_notes } from "./marks.js";
import { format_moment } from "./format.js";
import { from_wall, to_wall } from "./wall_time.js";
import { field, form, input, list_of, open_dialog } from "./dialog.js";

/** The editor of notes. */

/** Opens it, for a note at the newest time in sight. */
export function open({ look, go }) {
  const { zone, now_ms, view, address } = look();
  const at_ms = Math.min(now_ms, view.to_s * 1000);
  const time = input({ type: "datetime-local", value: to_wall(at_ms, zone).slice(0, 16), required: true });
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
      put([...list.shown(), { at_ms: from_wall(time.value, zone), text: text.value }]);
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
