import { canonical_json, type DeclaredDomain, event_fields, type Fault, JsonFault, shown } from "../../domains/mod.ts";
import { type FileOptions, open_record_file } from "../../files/mod.ts";
import { format_time, parse_time } from "../../kpi/mod.ts";
import {
  type BareEvent,
  blanking,
  columns_read,
  field_of,
  is_unknown,
  type MappingForm,
  type SourceRecord,
} from "../../mapping/mod.ts";
import { FileAccount } from "../../replay/mod.ts";
import { printable, printable_json, write_stderr } from "../../runtime/mod.ts";
import { choose_readings, type ReadingOptions } from "./replay_mapping.ts";
import { reasons_words, throw_if_refused } from "./replay_summary.ts";
import type { Shell } from "../shell.ts";

/** Options of `tacho mapping check`, as the command line gives them. */
interface MappingCheckOptions extends FileOptions, Omit<ReadingOptions, "mapping"> {
  readonly sample: string;
  readonly first?: number;
  /** Of the records, the percentage that may be refused without the check having failed. */
  readonly mostRefused: number;
}

/**
 * `tacho mapping check`: what comes out of a sample, row by row as JSON: its events, or what would be quarantined and why; and in words what
 * is odd about it. Nothing is sent. Throws UsageError for a faulty mapping, TooMuchRefused as a replay of the sample would.
 */
export async function mapping_check_verb(
  shell: Shell,
  name_or_file: string | undefined,
  options: MappingCheckOptions,
): Promise<void> {
  const { config, signal } = shell;
  const sample = await open_record_file(options.sample, { ...options, lists: shell.domain.record_lists });
  const reading_of = await choose_readings(shell, { ...options, mapping: name_or_file });
  const { reading, form, context } = await reading_of(sample);
  const account = new FileAccount(options.sample);
  const remarks = new Remarks(shell.domain, form);
  const say = (line: string) => console.log(printable_json(line));
  let rows = 0;
  for await (const batch of sample.rows()) {
    signal.throwIfAborted();
    for (const row of batch.rows) {
      if (rows >= (options.first ?? Infinity)) break;
      rows++;
      const record = row.record ?? {};
      const events = row.record === null
        ? { ok: false as const, fault: row.fault }
        : reading.events_of(record, row.line);
      const fault = events.ok
        ? events.value.map((event) => reading.fault_of?.(event) ?? null).find((each) => each !== null) ?? null
        : events.fault;
      if (row.record !== null) remarks.record(record);
      if (fault !== null) {
        account.refused(fault, fault.path === null ? null : reading.amount_of(record, fault.path));
        remarks.refused(fault);
        say(`{"row":${rows},"fault":${fault_json(fault, record)}}`);
      } else if (events.ok && events.value.length === 0) {
        account.skipped();
        say(`{"row":${rows},"skipped":true}`);
      } else if (events.ok) {
        account.made(events.value.length);
        for (const event of events.value) remarks.event(event);
        say(`{"row":${rows},"events":[${events.value.map((event) => canonical_json(event)).join(",")}]}`);
      }
    }
    if (rows >= (options.first ?? Infinity)) break;
  }
  if (name_or_file === undefined && rows > 0) {
    const what = form === null ? `${shell.domain.noun} events` : `records of the built-in mapping ${form.name}`;
    write_stderr(`${printable(sample.path)}: these are ${what}\n`);
  }
  const odd = [
    ...(form === null ? [] : zone_remarks(form, context.business_zone, config.time_zone)),
    ...Object.entries(form?.lookups ?? {}).filter(([table]) => context.lookups?.has(table) !== true).map(
      ([table, { key }]) =>
        `warning: the table ${table} is not given (--lookup ${table}=FILE, by ${key}): what it tells is unknown`,
    ),
    ...remarks.words(),
  ];
  for (const each of odd) write_stderr(`${printable(each)}\n`);
  const counts = account.counts([]);
  const { refused, skipped, refusals } = counts;
  const why = refused === 0 ? "" : `: ${reasons_words(refused, refusals)}`;
  const parts = [
    `${rows} rows`,
    `${rows - refused - skipped} mapped (${remarks.made() || "no events"})`,
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    `${refused} faulty${why}`,
  ];
  write_stderr(`${printable(reading.name)}: ${parts.join(", ")}\n`);
  throw_if_refused("mapping check", [counts], options.mostRefused);
}

/** A fault as JSON. A value that the log could not hold (an infinite number, a lone surrogate) is told as sentences quote it. */
function fault_json({ reason, path, detail }: Fault, record: SourceRecord): string {
  const told = (value: unknown): string =>
    canonical_json({ field: path, value, expected: detail.replace(/^expected /, ""), reason });
  const value = path === null ? null : field_of(path).get(record);
  try {
    return told(value);
  } catch (error) {
    if (error instanceof JsonFault) return told(shown(value));
    throw error;
  }
}

/** Says where a mapping's clock is not the one by which days are counted. */
function zone_remarks({ zone, events }: MappingForm, of_times: string, of_days: string): string[] {
  // The number of an epoch is an instant unless a zone stands beside it.
  const stated = events.flatMap(({ at }) =>
    at.map((time) => time.zone ?? (time.format?.every((each) => each.startsWith("epoch")) === true ? undefined : zone))
  );
  const zones = new Set(stated.flatMap((name) => name === undefined ? [] : name === "business" ? of_times : name));
  zones.delete(of_days);
  if (zones.size === 0) return [];
  const named = [...zones].join(" and ");
  return [
    `warning: times without a zone are read as ${named}, while days and the page are in ${of_days} (TACHO_TIME_ZONE)`,
  ];
}

/** Columns that are told apart; of more none is said. */
const MOST_COLUMNS = 2_000;
const TOLD_NAMES = 50;
const listed = (names: readonly string[]): string =>
  names.slice(0, TOLD_NAMES).map((name) => name.slice(0, 60)).join(", ") +
  (names.length > TOLD_NAMES ? ` and ${names.length - TOLD_NAMES} more` : "");

/** Before this most times are a number read in the wrong unit. */
const OLD_US = Date.UTC(1990, 0, 1) * 1_000;

/** Events of one type: how many, when, and what was known in any of them. */
interface Kind {
  count: number;
  old: number;
  first_us: number;
  last_us: number;
  readonly known: Set<string>;
}

/** Looks for what is odd about a sample as a whole. */
class Remarks {
  /** Columns and top members, and whether any record had a value there. */
  readonly #columns = new Map<string, boolean>();
  readonly #kinds = new Map<string, Kind>();
  #in_future = 0;
  /** Makes blank what the mapping says is. */
  readonly #read: (record: SourceRecord) => SourceRecord;

  constructor(readonly domain: DeclaredDomain, readonly form: MappingForm | null) {
    this.#read = form?.blank === undefined ? (record) => record : blanking(form.blank);
  }

  record(record: SourceRecord): void {
    for (const [name, value] of Object.entries(this.#read(record))) {
      if (this.#columns.get(name) === true) continue;
      if (this.#columns.size < MOST_COLUMNS || this.#columns.has(name)) {
        this.#columns.set(name, !is_unknown(value));
      }
    }
  }

  refused({ reason }: Fault): void {
    if (reason === "time_in_future") this.#in_future++;
  }

  event({ type, occurred_at, time, ...data }: BareEvent): void {
    const name = String(type);
    const kind = this.#kinds.get(name) ??
      { count: 0, old: 0, first_us: Infinity, last_us: -Infinity, known: new Set() };
    this.#kinds.set(name, kind);
    kind.count++;
    const at = parse_time(String(occurred_at ?? time));
    if (at.ok) {
      if (at.us < OLD_US) kind.old++;
      kind.first_us = Math.min(kind.first_us, at.us);
      kind.last_us = Math.max(kind.last_us, at.us);
    }
    if (this.form === null) return;
    for (const [field, value] of Object.entries(data)) if (!is_unknown(value)) kind.known.add(field);
  }

  /** How many events of each type were made. */
  made(): string {
    return Array.from(this.#kinds, ([type, { count }]) => `${count} ${type}`).join(", ");
  }

  /** What is odd, in sentences. */
  words(): string[] {
    const words: string[] = [];
    for (const [type, { count, old, first_us, last_us }] of this.#kinds) {
      if (count > 1 && first_us === last_us) {
        words.push(`warning: all ${count} times of ${type} are the same, ${format_time(first_us)}`);
      }
      if (old > 0) {
        const times = `${old} of ${count} times of ${type} lie before 1990, such as ${format_time(first_us)}`;
        words.push(`warning: ${times}: most likely another unit or format`);
      }
    }
    if (this.#in_future > 0) {
      words.push(
        `warning: ${this.#in_future} records lie in the future: most likely another unit, format or zone of their times`,
      );
    }
    return this.form === null ? words : [...words, ...this.#of_columns(this.form)];
  }

  #of_columns(form: MappingForm): string[] {
    const words: string[] = [];
    const reads = columns_read(form);
    const columns = [...this.#columns];
    const blank = columns.filter(([name, known]) => !known && reads(name)).map(([name]) => name);
    if (blank.length > 0) words.push(`warning: every value is blank of ${listed(blank)}`);
    const unread = columns.flatMap(([name]) => reads(name) ? [] : [name]);
    const kept = [...new Set(form.events.flatMap(({ keep_rest }) => keep_rest ?? []))];
    if (unread.length > 0) {
      words.push(`not read${kept.length > 0 ? `, kept as ${kept.join(" and ")}` : ""}: ${listed(unread)}`);
    }
    /** What the mapping gives the events that were made, of which this holds. */
    const given = (holds: (name: string, type: string, known: ReadonlySet<string>) => boolean): string[] =>
      Array.from(this.#kinds, ([type, { known }]) => {
        const names = new Set(form.events.flatMap((each) => each.type === type ? Object.keys(each.data) : []));
        return [...names].filter((name) => holds(name, type, known)).map((name) => `${type} ${name}`);
      }).flat();
    const foreign = given((name, type) => {
      const fields = event_fields(this.domain.fields, type);
      return fields.length > 0 && fields.every((field) => field.name !== name);
    });
    if (foreign.length > 0) words.push(`kept in the log, but no field of the event: ${listed(foreign)}`);
    const unknown = given((name, _, known) => !known.has(name));
    if (unknown.length > 0) words.push(`unknown in all rows: ${listed(unknown)}`);
    return words;
  }
}
