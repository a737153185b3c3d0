import { z } from "zod";
import type { Fault } from "../domains/mod.ts";
import type { SourceMessage } from "./message_source.ts";

/** The name of the header that states a fault. */
export const FAULT_HEADER = "tacho-fault";

const fault_schema = z.object({
  reason: z.string().regex(/^[a-z][a-z0-9_]{0,99}$/),
  path: z.string().max(500).nullable(),
  detail: z.string().max(10_000),
});
const storable = (text: string): string => text.replaceAll("\0", "").toWellFormed();

/**
 * The fault that whoever sent a message found in it, as the header `tacho-fault` has it: JSON of a `Fault`, or plain words. Null when the
 * message has no such header.
 */
export function stated_fault({ headers }: SourceMessage): Fault | null {
  const header = headers[FAULT_HEADER];
  if (header === undefined) return null;
  const text = storable(new TextDecoder().decode(header));
  const words = { reason: "faulty_at_source", path: null, detail: text.slice(0, 10_000) };
  try {
    const stated = fault_schema.safeParse(JSON.parse(text));
    if (!stated.success) return words;
    const { reason, path, detail } = stated.data;
    return { reason, path: path === null ? null : storable(path), detail: storable(detail) };
  } catch (error) {
    if (error instanceof SyntaxError) return words;
    throw error;
  }
}
