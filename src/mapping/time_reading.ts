import { expected_years, local_clock, parse_time } from "../kpi/mod.ts";
import { type FieldForm, is_timestamp, type SourceRecord, type TimeForm } from "./definition.ts";
import { type Field, field_of, is_unknown, RecordFault, text_of } from "./field.ts";
import { type ClockTime, iso_time, time_pattern, type TimeFormat, us_time } from "./time_format.ts";
import type { NumberReading } from "./number_reading.ts";

/** Reads a time, microseconds; null when it is unknown. Throws RecordFault. */
interface TimeReading {
  readonly read_us: (record: SourceRecord) => number | null;
  readonly fields: readonly Field[];
}

/** The clock of a stated zone; null when none is stated. */
type Clock = ((local_us: number) => number | null) | null;

/** What readings of times are made with. */
export interface TimeParts {
  readonly clock_of: (zone: string | undefined) => Clock;
  readonly numbers: NumberReading;
}

const UNIT_US = { ms: 1_000, s: 1e6, min: 60e6, h: 3_600e6 } as const;
const EPOCH_US = { epoch_s: 1e6, epoch_ms: 1_000, epoch_us: 1 } as const;
const EARLIEST_US = Date.UTC(1900, 0, 1) * 1000;
const LATEST_US = Date.UTC(2255, 0, 1) * 1000 - 1;

type FormatReading = (value: unknown) => number | "without_zone" | null;

/** The instant of what a clock shows, which says itself how far it is ahead, or is that of a stated zone. */
function instant({ local_us, ahead_us }: ClockTime, clock: Clock): number | "without_zone" | null {
  if (ahead_us !== null) return local_us - ahead_us;
  return clock === null ? "without_zone" : clock(local_us);
}

/** ISO 8601, as most files have it, without a regular expression; all else that looks like it with one. */
const iso_reading = (clock: Clock): FormatReading => (value) => {
  const text = (typeof value === "number" ? null : text_of(value))?.trim() ?? "";
  const parsed = parse_time(text);
  if (parsed.ok) return parsed.us;
  if (parsed.why === "without_zone") {
    if (clock === null) return "without_zone";
    const local = parse_time(`${text}Z`);
    return local.ok ? clock(local.us) : null;
  }
  const time = iso_time(text);
  return time === null ? null : instant(time, clock);
};

const text_reading = (read: TimeFormat, clock: Clock): FormatReading => (value) => {
  const time = read(text_of(value)?.trim() ?? "");
  return time === null ? null : instant(time, clock);
};

/**
 * A number since 1970, of which an instant is counted, whatever the zone of the mapping: the number says it. Only with a zone of its own it
 * is one that a producer made of its local clock as if that were UTC, and is read as what that clock showed.
 */
function epoch_reading(unit_us: number, clock: Clock, { known }: NumberReading): FormatReading {
  return (value) => {
    const number = known(value);
    if (number === null) return null;
    const us = Math.round(number * unit_us);
    return clock === null || us < EARLIEST_US || us > LATEST_US ? us : clock(us);
  };
}

function format_reading(format: string, form: Pick<TimeForm, "zone">, { clock_of, numbers }: TimeParts): FormatReading {
  const clock = clock_of(form.zone);
  switch (format) {
    case "iso":
      return iso_reading(clock);
    case "us":
      return text_reading(us_time, clock);
    case "epoch_s":
    case "epoch_ms":
    case "epoch_us":
      return epoch_reading(EPOCH_US[format], form.zone === undefined ? null : clock, numbers);
    default: {
      const pattern = time_pattern(format);
      if (typeof pattern === "string") throw new Error(`read the time pattern ${JSON.stringify(format)}: ${pattern}`);
      return text_reading(pattern, clock);
    }
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  iso: "a time such as 2024-05-25 13:19:00",
  us: "a time such as 5/25/2024 1:19:00 PM",
  epoch_s: "seconds since 1970",
  epoch_ms: "milliseconds since 1970",
  epoch_us: "microseconds since 1970",
};

/** What would read a text that the stated formats do not; undefined where nobody could tell. */
function hint_of(value: unknown): string | undefined {
  const text = text_of(value)?.trim() ?? "";
  const years = expected_years(text);
  if (years !== null) return `times are ${years}`;
  if (us_time(text) !== null) return '"format": "us" reads it, month first';
  if (iso_time(text) !== null) return '"format": "iso" reads it';
  const [, epoch] = /^(\d{9,17})(?:\.\d+)?$/.exec(text) ?? [];
  if (epoch !== undefined) {
    return `"format": "epoch_${epoch.length < 12 ? "s" : epoch.length < 15 ? "ms" : "us"}" reads it`;
  }
  return /\d/.test(text) ? 'a "format" such as "DD.MM.YYYY HH:mm" says how it is written' : undefined;
}

/** How a time in a field is written: that of a message is a number of milliseconds, whatever its records have. */
export const formats_of = ({ format }: Pick<TimeForm, "format">, field: FieldForm): readonly string[] =>
  format ?? (is_timestamp(field) ? ["epoch_ms"] : ["iso"]);

function parser(form: Pick<TimeForm, "format" | "zone">, parts: TimeParts): (value: unknown, field: string) => number {
  const { format: formats = ["iso"] } = form;
  const readings = formats.map((format) => format_reading(format, form, parts));
  const expected = formats.map((format) => EXPECTED[format] ?? `a time as ${format}`).join(" or ");
  return (value, field) => {
    let without_zone = false;
    for (const read of readings) {
      const us = read(value);
      if (typeof us === "number") return us;
      without_zone ||= us === "without_zone";
    }
    if (without_zone) throw new RecordFault(field, "a time with zone, since the mapping states none,", value);
    throw new RecordFault(field, expected, value, hint_of(value));
  };
}

/** Makes the reading of a time, which may lie a duration from that of a field. */
export function time_reading(form: TimeForm, parts: TimeParts): TimeReading {
  const { numbers } = parts;
  const parse_own = parser(form, parts);
  const sources = form.from.map((each) => {
    const parse = is_timestamp(each) ? parser({ format: formats_of(form, each) }, parts) : parse_own;
    return { ...field_of(each), parse };
  });
  const shifts = [[form.plus, 1], [form.minus, -1]] as const;
  const distances = shifts.flatMap(([duration, sign]) =>
    duration === undefined ? [] : [{ fields: duration.from.map(field_of), unit_us: sign * UNIT_US[duration.unit] }]
  );
  /** How far a duration moves the time; null when it is unknown. */
  const distance_us = ({ fields, unit_us }: typeof distances[number], record: SourceRecord): number | null => {
    for (const { name, get } of fields) {
      const value = get(record);
      if (!is_unknown(value)) return Math.round(numbers.number(value, name) * unit_us);
    }
    return null;
  };
  const read_us = (record: SourceRecord): number | null => {
    for (const { name, get, parse } of sources) {
      const value = get(record);
      if (is_unknown(value)) continue;
      let us = parse(value, name);
      for (const each of distances) {
        const distance = distance_us(each, record);
        if (distance === null) return null;
        us += distance;
      }
      if (us >= EARLIEST_US && us <= LATEST_US) return us;
      throw new RecordFault(name, "a time in the years 1900 to 2254", value);
    }
    return null;
  };
  return { read_us, fields: [...sources, ...distances.flatMap(({ fields }) => fields)] };
}

/** Clocks of zones, each made once; `"business"` is the deployment's. */
export function clocks(business_zone: string, stated: string | undefined): (zone: string | undefined) => Clock {
  const made = new Map<string, Clock>();
  return (own) => {
    const named = own ?? stated;
    if (named === undefined) return null;
    const zone = named === "business" ? business_zone : named;
    let clock = made.get(zone);
    if (clock === undefined) made.set(zone, clock = local_clock(zone));
    return clock;
  };
}
