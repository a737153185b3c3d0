import { createHash } from "node:crypto";
import { canonical_json, JsonFault } from "../domains/mod.ts";
import type { IdForm, IdPart, IdReadingForm, SourceRecord } from "./definition.ts";
import { type Field, field_of, is_unknown, json_of, text_of } from "./field.ts";
import { type ReadingParts, value_reading, type ValueReading } from "./value_reading.ts";

/** Makes an id; null when a field it needs is unknown. Throws JsonFault for a record that the log could not hold. */
export interface IdReading {
  readonly read: (record: SourceRecord, whole: () => string) => string | null;
  readonly fields: readonly Field[];
}

/** 96 bits: among a billion records two hashes are the same once in a hundred billion deployments. */
const HASH_DIGITS = 24;
const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);

/** The hash of everything a record says, whatever the order of its fields. */
export const record_hash = (record: SourceRecord): string => digest(canonical_json(json_of(record)));

/** The first field of a record that the log cannot hold: NUL, lone surrogates, too deep, beyond a double. A name with such is written with escapes. */
export function unfit_field(record: SourceRecord): string | null {
  for (const [name, value] of Object.entries(record)) {
    try {
      canonical_json([name, json_of(value)]);
    } catch (error) {
      if (error instanceof JsonFault) {
        return name.includes("\0") || !name.isWellFormed() ? JSON.stringify(name).slice(1, -1) : name;
      }
      throw error;
    }
  }
  return null;
}

/** What separates fields under a hash. A text that has it itself makes the fields JSON, in which it is escaped. */
const UNIT_SEPARATOR = "\u001f";

/** Fields as one text, different for different fields. */
function joined_for_hash(texts: readonly string[]): string {
  const plain = texts.length === 1 || !texts.some((text) => text.includes(UNIT_SEPARATOR));
  return plain ? texts.join(UNIT_SEPARATOR) : JSON.stringify(texts);
}

/** A value of an id as text. Throws JsonFault for what the log could not hold. */
const id_text = (value: unknown): string => text_of(value) ?? canonical_json(json_of(value));

/** The values under a hash, of which some are read: a tuple that is the same however a file writes them. */
function tuple_reading(forms: readonly (string | IdReadingForm)[], parts: ReadingParts): IdReading {
  const readings = forms.map((form): ValueReading => {
    if (typeof form === "string") {
      const field = field_of(form);
      return { read: field.get, fields: [field] };
    }
    if (form.as !== "number") return value_reading(form, parts);
    const fields = form.from.map(field_of);
    const read = (record: SourceRecord): string | null => {
      const known = fields.find(({ get }) => !is_unknown(get(record)));
      return known === undefined ? null : parts.numbers.number_text(known.get(record), known.name);
    };
    return { read, fields };
  });
  const text = (value: unknown): string | null => is_unknown(value) ? null : id_text(value);
  return {
    read: (record) => digest(JSON.stringify(readings.map(({ read }) => text(read(record))))),
    fields: readings.flatMap(({ fields }) => fields),
  };
}

/** A part of an id, and whether its text may be of any length, so that what follows it may seem to belong to it. */
interface PartReading extends IdReading {
  readonly varies: boolean;
}

function part_reading(part: IdPart, parts: ReadingParts): PartReading {
  if ("constant" in part) return { read: () => part.constant, fields: [], varies: false };
  if ("from" in part) {
    const fields = part.from.map(field_of);
    const read = (record: SourceRecord): string | null => {
      for (const { get } of fields) {
        const value = get(record);
        if (!is_unknown(value)) return id_text(value);
      }
      return null;
    };
    return { read, fields, varies: true };
  }
  const { hash, prefix = "" } = part;
  if (hash === "all") return { read: (_record, whole) => prefix + whole(), fields: [], varies: false };
  if (hash.some((each) => typeof each !== "string")) {
    const { read, fields } = tuple_reading(hash, parts);
    return { read: (record, whole) => prefix + read(record, whole), fields, varies: false };
  }
  const fields = (hash as readonly string[]).map(field_of);
  const text = (value: unknown): string => value === undefined || value === null ? "" : id_text(value);
  return {
    read: (record) => prefix + digest(joined_for_hash(fields.map(({ get }) => text(get(record))))),
    fields,
    varies: false,
  };
}

/** Parts as one id. Where other parts could give the same text (`a-b` and `c`, `a` and `b-c`) a hash of the parts is put behind it. */
function joined(texts: readonly string[], divider: string, parts: readonly PartReading[]): string {
  const id = texts.join(divider);
  const varying = texts.filter((_, i) => parts[i]!.varies);
  if (varying.length < 2) return id;
  const tells_apart = divider !== "" && !varying.some((text) => [...divider].some((mark) => text.includes(mark)));
  return tells_apart ? id : `${id}${divider}${digest(JSON.stringify(texts))}`;
}

/** Makes the reading of an id from the ways in which it may be had: the first whose fields are all known. */
export function id_reading(forms: readonly IdForm[], parts: ReadingParts): IdReading {
  const ways = forms.map(({ join, with: divider = "-" }) => ({
    parts: join.map((part) => part_reading(part, parts)),
    divider,
  }));
  const read: IdReading["read"] = (record, whole) => {
    for (const { parts, divider } of ways) {
      const texts: string[] = [];
      for (const part of parts) {
        const text = part.read(record, whole);
        if (text === null) break;
        texts.push(text);
      }
      if (texts.length === parts.length) return joined(texts, divider, parts);
    }
    return null;
  };
  return { read, fields: ways.flatMap(({ parts }) => parts.flatMap(({ fields }) => fields)) };
}

/** The hash of what an event says: of two that say the same it is the same. Throws JsonFault. */
export const event_hash = (event: Readonly<Record<string, unknown>>): string => digest(canonical_json(event));
