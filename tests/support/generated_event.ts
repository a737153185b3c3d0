import type { GeneratedMessage } from "../../src/domains/mod.ts";

/** An event of a generator, whichever of the two shapes it came in. */
export interface GeneratedEvent {
  readonly stream: string;
  readonly type: string;
  readonly at_us: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads a message that is not broken: a CloudEvent, or plain fields beside the type and the time. */
export function generated_event({ key, value }: GeneratedMessage): GeneratedEvent {
  const { type, time, occurred_at, data, ...bare } = JSON.parse(value);
  return { stream: key, type, at_us: Date.parse(time ?? occurred_at) * 1_000, data: data ?? bare };
}
