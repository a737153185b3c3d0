import fc from "fast-check";
import type { Sent } from "../chaos/load.ts";
import { BROKER_MS, changed_message } from "./message_fuzz.ts";

/** Nests deeper than tacho takes, which Flink does not look at. */
const DEEP = /\[{62}/;
const decoder = new TextDecoder();

/**
 * Messages on and beyond the border of what is legal, without headers, each about a stream of its own, which it names or does not. Same seed,
 * same messages.
 */
export function hostile_messages(count: number, seed: number): Sent[] {
  let number = 0;
  const identity = fc.constant(null).map(() => {
    number++;
    return { trip_id: `H-${number}`, event_id: `e${number}`, time: "2026-03-01T22:00:00Z" };
  });
  const fits = (text: string) => text.includes('"H-') && !DEEP.test(text);
  const made = fc.sample(
    changed_message(identity).filter(({ headers, value }) =>
      Object.keys(headers).length === 0 && value !== null && fits(decoder.decode(value))
    ),
    { numRuns: count, seed },
  );
  return made.map(({ value }, i) => ({ key: `H-${i}`, value, timestamp_ms: BROKER_MS }));
}
