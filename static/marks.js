import { field, form, from_wall, input, list_of, open_dialog, person_field, select, to_wall } from "./dialog.js";
import { format_count, format_decimal, format_moment, format_step } from "./format.js";
import { declared, make, set_text } from "./page.js";
import { change_note } from "./saved.js";

/**
 * Limits and notes that the reader puts on the charts: as the address has them ("canceled>20", "2026-03-01T12:00:00Z~Rain begins"), which
 * buckets are past a limit and what there is to say, and their editors.
 */

const MOST_NOTES = 20;
const NOTE_LENGTH = 120;
const MOST_LIMITS = 8;

/** Whether a line is of amounts. */
const is_money = (name, { charts }) => charts.find(({ lines }) => lines.some((line) => line.name === name)).money;

/** The lines that a limit can be set for: all of all charts but those on a scale of their own. */
const limited_lines = ({ charts }) => charts.flatMap(({ lines }) => lines.flatMap(({ name, own }) => own ? [] : name));

/** Reads limits: [{name, sign, value}], one above and one below a line, of which the latest counts. What is no limit is left out. Pure. */
export function parse_limits(texts, declared) {
  const read = texts.flatMap((text) => {
    const [, name, sign, value] = /^(\w+)([<>])(\d{1,12}(?:\.\d{1,4})?)$/.exec(text) ?? [];
    return limited_lines(declared).includes(name) ? [{ name, sign, value: Number(value) }] : [];
  });
  return [...new Map(read.map((limit) => [limit.name + limit.sign, limit])).values()].slice(0, MOST_LIMITS);
}

/** Writes limits. Pure. */
export function format_limits(limits) {
  return limits.map(({ name, sign, value }) => name + sign + value);
}

/** Whether a value is past a limit; the running bucket can only grow, so below a limit it says nothing yet. */
export function is_past({ sign, value: limit }, value, runs = false) {
  if (value === null) return false;
  return sign === ">" ? value > limit : !runs && value < limit;
}

/**
 * How a limit stands at the newest known bucket: null when it is kept, else {since_s, until_s, from_start}. `until_s` is the end of what is
 * known when nothing is known of the buckets after it; `from_start` says that it may have begun before the window.
 */
export function state_of(limit, columns, now_s) {
  const column = columns[limit.name];
  const runs = (i) => i === columns.running;
  let newest = column.findLastIndex((value) => value !== null);
  // A running bucket that is not past it yet says nothing: the one before counts.
  if (newest >= 0 && runs(newest) && !is_past(limit, column[newest], true)) newest--;
  if (newest < 0 || !is_past(limit, column[newest], runs(newest))) return null;
  let first = newest;
  while (first > 0 && is_past(limit, column[first - 1])) first--;
  const step_s = columns.ends[newest] - columns.x[newest];
  const old = columns.ends[newest] + step_s < now_s && column[newest + 1] === null;
  return { since_s: columns.x[first], until_s: old ? columns.ends[newest] : null, from_start: first === 0 };
}

/** "canceled above 20 per 5 minutes"; money is told with its unit. Pure. */
export function name_limit({ name, sign, value }, { step_s, currency, declared }) {
  const whole = Number.isInteger(value) ? format_count(value) : format_decimal(value, 2);
  return `${name} ${sign === ">" ? "above" : "below"} ${whole}${is_money(name, declared) ? ` ${currency}` : ""} per ${
    format_step(step_s)
  }`;
}

/** One sentence about all limits. `tell(s)` gives a time as text. */
export function tell_limits(limits, sight, tell) {
  const { columns, now_ms } = sight;
  const past = limits.flatMap((limit) => {
    const state = state_of(limit, columns, now_ms / 1000);
    if (state === null) return [];
    const { since_s, until_s, from_start } = state;
    const since = `${from_start ? "since before" : "since"} ${tell(from_start ? columns.ends[0] : since_s)}`;
    const until = until_s === null ? "" : `, up to the newest data at ${tell(until_s)}`;
    return [`${name_limit(limit, sight)} ${since}${until}`];
  });
  return {
    past: past.length > 0,
    text: past.length > 0
      ? past.join(" · ")
      : `Within ${limits.length === 1 ? "the limit" : `all ${limits.length} limits`}`,
  };
}

/** Opens the editor of limits. */
export function open_limits({ look, go }) {
  const { step_s, currency, address } = look();
  const name_of = (limit) => name_limit(limit, look());
  const limited = limited_lines(declared);
  const titled = limited.map((name) => [name, is_money(name, declared) ? `${name}, ${currency}` : name]);
  const line = select(titled, limited[0]);
  const side = select([[">", "above"], ["<", "below"]], ">");
  const value = input({ type: "number", min: 0, max: 1e12, step: "any", required: true, autofocus: true });
  const list = list_of(name_of, put);

  // A limit is written and read, so that what is shown is what the address holds.
  function put(limits) {
    const texts = format_limits(limits);
    const { lines } = look();
    const kept = parse_limits(texts, declared);
    const named = kept.map(({ name }) => name);
    // A limit of a hidden line would be seen nowhere.
    go({
      limits: format_limits(list.show(kept)),
      lines: declared.legend.map(({ name }) => name).filter((name) => lines.includes(name) || named.includes(name)),
    });
  }

  const add = form(
    () => {
      const rounded = Math.round(Number(value.value) * 1e4) / 1e4;
      put([...list.shown(), { name: line.value, sign: side.value, value: rounded }]);
      value.value = "";
      value.focus();
    },
    "Set limit",
    field("Line", line),
    field("Mark when", side),
    field(`Per ${format_step(step_s)}`, value),
  );
  const said =
    "Buckets past a limit are ringed, and a line above the charts says since when. Limits are part of this page's address.";
  const alerts = make("button", "plain", "Alerts, also while no page is open");
  alerts.dataset.tool = "alerts";
  open_dialog("Limits", make("p", "sub", said), list.element, add, make("p", "ends", alerts));
  list.show(parse_limits(address.limits, declared));
}

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

/** The notes of a sight, those of its address and those for all, oldest first. Pure. */
export const notes_of = ({ address, saved_notes = [] }) =>
  [...parse_notes(address.notes), ...saved_notes].sort((a, b) => a.at_ms - b.at_ms);

/** Writes notes. Pure. */
export function format_notes(notes) {
  return notes.map(({ at_ms, text }) => `${new Date(at_ms).toISOString().replace(".000", "")}~${text}`);
}

const MINE = "mine", ALL = "all";

/** Opens the editor of notes, for a note at the newest time in sight. */
export function open_notes({ look, go }) {
  const { zone, now_ms, view, address, saved_notes = [] } = look();
  const at_ms = Math.min(now_ms, view.to_s * 1000);
  const time = input({ type: "datetime-local", value: to_wall(at_ms, zone).slice(0, 16), required: true });
  const text = input({ type: "text", maxLength: NOTE_LENGTH, required: true, autofocus: true });
  text.placeholder = "What happened";
  const told = ({ at_ms, text }) => `${format_moment(at_ms, zone, now_ms)}  ${text}`;
  const list = list_of(told, put), person = person_field();
  const whose = select([[MINE, "in this page's address"], [ALL, "for all who look"]], MINE);
  const fault = Object.assign(make("p", "fault"), { role: "alert" });
  const of_all = list_of((note) => `${told(note)}, by ${note.by}`, (kept) => {
    const gone = of_all.shown().find((note) => !kept.includes(note)), by = person.named();
    if (by !== null) change({ id: gone.id, by }, () => of_all.show(kept));
  });

  // Notes are written and read, so that what is shown is what the address holds.
  function put(notes) {
    const kept = list.show(parse_notes(format_notes(notes)));
    go({ notes: format_notes(kept) });
    whose.onchange();
  }

  async function change(note, then) {
    const failed = await change_note(note);
    set_text(fault, failed === undefined ? "" : `${failed}.`);
    if (failed === undefined) then();
  }

  const add = form(
    () => {
      const note = { at_ms: from_wall(time.value, zone), text: text.value };
      const done = () => {
        text.value = "";
        text.focus();
      };
      if (whose.value === MINE) {
        put([...list.shown(), note]);
        return done();
      }
      const by = person.named();
      if (by !== null) change({ ...note, by }, done);
    },
    "Add note",
    field("Time", time),
    field("Note", text),
  );
  add.classList.add("wide");
  whose.onchange = () => {
    person.element.hidden = whose.value === MINE && saved_notes.length === 0;
    add.lastChild.disabled = whose.value === MINE && list.shown().length >= MOST_NOTES;
  };
  const said =
    `Notes stand at their time in both charts: at most ${MOST_NOTES} in this page's address, or for all who look at this board. Times in ${zone}.`;
  open_dialog(
    "Notes",
    make("p", "sub", said),
    list.element,
    of_all.element,
    add,
    make("p", "line", field("Kept", whose), person.element),
    fault,
  );
  list.show(parse_notes(address.notes));
  of_all.show(saved_notes);
  whose.onchange();
}
