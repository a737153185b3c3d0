import { LINES, SHOWN } from "./marks_address.js";

/** Limits and notes as the address has them: "canceled>20", "2026-03-01T12:00:00Z~Rain begins". Pure. */

/** What a limit can be set for. */
export const LIMITED = ["completed", "started", "canceled", "revenue"];

export const MOST_NOTES = 20;
const MOST_LIMITS = 8;
const NOTE_LENGTH = 120;

/** Reads limits: [{name, sign, value}], one above and one below a line, of which the latest counts. What is no limit is left out. */
export function parse_limits(texts) {
  const read = texts.flatMap((text) => {
    const [, name, sign, value] = /^(\w+)([<>])(\d{1,12}(?:\.\d{1,4})?)$/.exec(text) ?? [];
    return LIMITED.includes(name) ? [{ name, sign, value: Number(value) }] : [];
  });
  return [...new Map(read.map((limit) => [limit.name + limit.sign, limit])).values()].slice(0, MOST_LIMITS);
}

/** Writes limits. */
export function format_limits(limits) {
  return limits.map(({ name, sign, value }) => name + sign + value);
}

/** Reads notes: [{at_ms, text}], oldest first, at most 20. What is no note is left out. */
export function parse_notes(texts) {
  const read = texts.flatMap((text) => {
    const [, time, words] = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))~(.+)$/s.exec(text) ?? [];
    const at_ms = Date.parse(time);
    const note = { at_ms, text: words?.replace(/\s+/g, " ").trim().slice(0, NOTE_LENGTH) };
    return Number.isNaN(at_ms) || !note.text ? [] : [note];
  });
  return read.slice(0, MOST_NOTES).sort((a, b) => a.at_ms - b.at_ms);
}

/** Writes notes. */
export function format_notes(notes) {
  return notes.map(({ at_ms, text }) => `${new Date(at_ms).toISOString().replace(".000", "")}~${text}`);
}

/** Lines after a press on one: `alone` shows it only, or, when it is alone already, the default again. */
export function press_line(lines, name, alone) {
  if (alone) return lines.join() === name ? SHOWN : [name];
  return LINES.filter((line) => line === name ? !lines.includes(line) : lines.includes(line));
}
