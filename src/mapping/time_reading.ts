import { format_time, local_clock, parse_time } from "../kpi/mod.ts";
import type { TimeForm } from "./definition.ts";
import { type Field, field_of, is_unknown, RecordFault, text_of } from "./field.ts";
import type { SourceRecord } from "./mapping.ts";
import type { NumberReading } from "./number_reading.ts";

/** Reads a time, microseconds; null when it is unknown. Throws RecordFault. */
export interface TimeReading {
  readonly read_us: (record: SourceRecord) => number | null;
  readonly fields: readonly Field[];
}

/** The clock of a stated zone; null when none is stated. */
export type Clock = ((local_us: number) => number | null) | null;

/** What readings of times are made with. */
export interface TimeParts {
  readonly clock_of: (zone: string | undefined) => Clock;
  readonly numbers: NumberReading;
}

const UNIT_US = { ms: 1_000, s: 1e6, min: 60e6, h: 3_600e6 } as const;
const EPOCH_US = { epoch_s: 1e6, epoch_ms: 1_000, epoch_us: 1 } as const;
const US_STYLE = /^(\d{1,2})\/(\d{1,2})\/(\d{4}),? +(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?(?: ?([AP]M))?$/i;
const EARLIEST_US = Date.UTC(1900, 0, 1) * 1000;
const LATEST_US = Date.UTC(2255, 0, 1) * 1000 - 1;

/** `3/31/2019 4:05:06 PM` as ISO 8601; null when it is no such time. */
function iso_of_us_style(text: string): string | null {
  const match = US_STYLE.exec(text);
  if (match === null) return null;
  const [, month, day, year, hour, minute, second = "00", half] = match;
  const given = Number(hour);
  if (half !== undefined && (given < 1 || given > 12)) return null;
  const hours = half === undefined ? given : given % 12 + (half.toUpperCase() === "PM" ? 12 : 0);
  const two = (part: string | number) => String(part).padStart(2, "0");
  return `${year}-${two(month!)}-${two(day!)}T${two(hours)}:${minute}:${second}`;
}

function read_text(text: string, clock: Clock): number | "without_zone" | null {
  const parsed = parse_time(text);
  if (parsed.ok) return parsed.us;
  if (parsed.why === "malformed") return null;
  if (clock === null) return "without_zone";
  const local = parse_time(`${text}Z`);
  return local.ok ? clock(local.us) : null;
}

function parser(form: TimeForm, clock: Clock, numbers: NumberReading): (value: unknown, field: string) => number {
  const { format = "iso" } = form;
  if (format !== "iso" && format !== "us") {
    const factor = EPOCH_US[format];
    return (value, field) => Math.round(numbers.number(value, field) * factor);
  }
  const expected = format === "iso" ? "a time such as 2024-05-25 13:19:00" : "a time such as 5/25/2024 1:19:00 PM";
  return (value, field) => {
    const text = (typeof value === "number" ? null : text_of(value))?.trim() ?? "";
    const iso = format === "iso" ? text : iso_of_us_style(text) ?? "";
    const us = read_text(iso, clock);
    if (us === null) throw new RecordFault(field, expected, value);
    if (us === "without_zone") {
      throw new RecordFault(field, "a time with zone, since the mapping states none,", value);
    }
    return us;
  };
}

/** Makes the reading of a time, which may lie a duration from that of a field. */
export function time_reading(form: TimeForm, { clock_of, numbers }: TimeParts): TimeReading {
  const sources = form.from.map(field_of);
  const parse = parser(form, clock_of(form.zone), numbers);
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
    for (const { name, get } of sources) {
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

/** Writes a time that was read: null stays null. */
export const time_text = (us: number | null): string | null => us === null ? null : format_time(us);
