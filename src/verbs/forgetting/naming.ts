import { Buffer } from "node:buffer";
import { type DeclaredDomain, ExactNumber, JsonFault, parse_json, type PersonField } from "../../domains/mod.ts";
import type { SourceMessage } from "../../event_log/mod.ts";
import { read_record, type TopicMappings } from "../../ingest/mod.ts";

/**
 * Whether a message names a person by its id, however broken it is. Pure.
 *
 * In JSON an id is a word of any text, also of one that is JSON itself, as it is or in base64; one of digits alone only what stands under a name by which
 * events call the person. In what a mapping reads it is also what that takes for the person. In any other text it is a word, in bytes that are no
 * text it is enough that they hold it.
 */
export function names_person(
  domain: Pick<DeclaredDomain, "event_types" | "noun" | "stream_column">,
  fields: readonly PersonField[],
  id: string,
  mappings: TopicMappings,
): (message: SourceMessage) => boolean {
  const names = new Set(fields.map(({ name }) => name));
  const within = new RegExp(`(?<![\\p{L}\\p{N}_-])${RegExp.escape(id)}(?![\\p{L}\\p{N}_-])`, "u");
  const bytes = Buffer.from(id), is_number = /^\d+$/.test(id);

  const in_value = (value: unknown, name: string): boolean => {
    if (typeof value === "string") return said_in(value, name) || value.length > id.length && in_text(value, name);
    if (typeof value === "number" || value instanceof ExactNumber) {
      return names.has(name) && (typeof value === "number" ? String(value) : value.text) === id;
    }
    if (typeof value !== "object" || value === null) return false;
    return Object.entries(value).some(([key, each]) => in_value(each, Array.isArray(value) ? name : key));
  };
  const said_in = (text: string, name: string): boolean =>
    is_number ? names.has(name) && text.trim() === id : within.test(text);
  /** A text within JSON may be JSON itself, as it is or in base64. */
  const in_text = (text: string, name: string): boolean => {
    const read = json_in(/^[\s[{]/.test(text) ? text : /^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(text) ? decoded(text) : "");
    return read !== undefined && in_value(read, name);
  };
  const in_bytes = (part: Uint8Array | null): boolean => {
    if (part === null) return false;
    const text = text_in(part);
    if (text === null) return Buffer.from(part).includes(bytes);
    const read = json_in(text);
    if (read !== undefined) return in_value(read, "");
    const unescaped = text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
    return within.test(text) || within.test(unescaped);
  };
  const in_record = (message: SourceMessage): boolean => {
    const mapping = mappings.get(message.topic);
    if (mapping === undefined) return false;
    const record = read_record(message, mapping, domain);
    if (!record.ok || record.value === null) return false;
    return domain.event_types.some((type) =>
      fields.some(({ name }) => {
        const value = mapping.source_of(record.value!, type, name)?.value;
        return value !== undefined && value !== null && String(value).trim() === id;
      })
    );
  };
  return (message) =>
    in_bytes(message.value) || in_bytes(message.key) || Object.values(message.headers).some(in_bytes) ||
    in_record(message);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
// deno-lint-ignore no-control-regex -- what has any is no text
const CONTROLS = /[\0-\x08\x0e-\x1f]/;

/** Bytes as text; null where they are none. */
function text_in(bytes: Uint8Array): string | null {
  try {
    const text = utf8.decode(bytes);
    return CONTROLS.test(text) ? null : text;
  } catch {
    return null;
  }
}

const decoded = (base64: string): string => text_in(Buffer.from(base64, "base64")) ?? "";

/** What a text says as JSON; undefined where it is none. */
function json_in(text: string): unknown {
  if (text === "") return undefined;
  try {
    return parse_json(text);
  } catch (error) {
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}
