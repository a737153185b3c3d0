import { field, form, from_wall, input, list_of, open_dialog, to_wall } from "./dialog.js";
import { format_moment } from "./format.js";
import { make } from "./page.js";

/** Notes of the reader, as the address has them ("2026-03-01T12:00:00Z~Rain begins"), and their editor. */

const MOST_NOTES = 20;
const NOTE_LENGTH = 120;

/** Reads notes: [{at_ms, text}], oldest first, at most 20. What is no note is left out. Pure. */
export function parse_notes(texts) {
  const read = texts.flatMap((text) => {
    const [, time, words] = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))~(.+)$/s.exec(text) ?? [];
    const at_ms = Date.parse(time);
    const note = { at_ms, text: words?.replace(/\s+/g, " ").trim().slice(0, NOTE_LENGTH) };
    return Number.isNaN(at_ms) || !note.text ? [] : [note];
  });
  return read.slice(0, MOST_NOTES).sort((a, b) => a.at_ms - b.at_ms);
}

/** Writes notes. Pure. */
export function format_notes(notes) {
  return notes.map(({ at_ms, text }) => `${new Date(at_ms).toISOString().replace(".000", "")}~${text}`);
}

/** Opens the editor of notes, for a note at the newest time in sight. */
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
