import { createHash } from "node:crypto";
import { canonical_json, JsonFault } from "../domains/mod.ts";
import type { IdForm, IdPart } from "./definition.ts";
import { type Field, field_of, is_unknown, json_of, text_of } from "./field.ts";
import type { SourceRecord } from "./mapping.ts";

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

/** The first field of a record that the log cannot hold: NUL, lone surrogates, too deep, beyond a double. */
export function unfit_field(record: SourceRecord): string | null {
  for (const [name, value] of Object.entries(record)) {
    try {
      canonical_json([name, json_of(value)]);
    } catch (error) {
      if (error instanceof JsonFault) return name;
      throw error;
    }
  }
  return null;
}

/** What separates fields under a hash: no text has it. */
const UNIT_SEPARATOR = "\u001f";

function part_reading(part: IdPart): IdReading {
  if ("constant" in part) return { read: () => part.constant, fields: [] };
  if ("from" in part) {
    const fields = part.from.map(field_of);
    const read = (record: SourceRecord): string | null => {
      for (const { get } of fields) {
        const value = get(record);
        if (!is_unknown(value)) return text_of(value) ?? canonical_json(json_of(value));
      }
      return null;
    };
    return { read, fields };
  }
  const { hash, prefix = "" } = part;
  if (hash === "all") return { read: (_record, whole) => prefix + whole(), fields: [] };
  const fields = hash.map(field_of);
  const text = (value: unknown): string =>
    value === undefined || value === null ? "" : text_of(value) ?? canonical_json(json_of(value));
  return { read: (record) => prefix + digest(fields.map(({ get }) => text(get(record))).join(UNIT_SEPARATOR)), fields };
}

/** Makes the reading of an id from the ways in which it may be had: the first whose fields are all known. */
export function id_reading(forms: readonly IdForm[]): IdReading {
  const ways = forms.map(({ join, with: divider = "-" }) => ({ parts: join.map(part_reading), divider }));
  const read: IdReading["read"] = (record, whole) => {
    for (const { parts, divider } of ways) {
      const texts = parts.map((part) => part.read(record, whole));
      if (texts.every((text) => text !== null)) return texts.join(divider);
    }
    return null;
  };
  return { read, fields: ways.flatMap(({ parts }) => parts.flatMap(({ fields }) => fields)) };
}
