import { canonical_json, type Domain, type DomainEvent, type Fault, JsonFault } from "../domains/mod.ts";
import { parse_time } from "../kpi/mod.ts";
import { metadata_json, read_envelope } from "./envelope.ts";
import type { SourceBatch, SourceMessage } from "./message_source.ts";

/** A source message after decoding: an event, or what is wrong with it. Its coordinates stay with it. */
export interface Decoded<Payload> {
  readonly topic: string;
  readonly partition: number;
  readonly message: SourceMessage;
  readonly outcome: DecodedEvent<Payload> | { readonly fault: Fault; readonly stage?: "append" };
}

export interface DecodedEvent<Payload> {
  readonly event: DomainEvent<Payload>;
  /** Canonical JSON. */
  readonly metadata: string;
}

/** What decoding refuses beyond the domain's schemas. */
export interface DecodeLimits {
  /** Event times later than this after the broker's time are refused. */
  readonly future_limit_ms: number;
  readonly max_message_bytes: number;
}

const refused = (reason: string, path: string | null, detail: string) => ({ fault: { reason, path, detail } });

/** Decodes one message. Pure: the same message gives the same outcome. */
export function decode_message<Payload>(
  domain: Pick<Domain<Payload, never>, "parse">,
  limits: DecodeLimits,
  topic: string,
  partition: number,
  message: SourceMessage,
): Decoded<Payload>["outcome"] {
  const size = message.value?.length ?? 0;
  if (size > limits.max_message_bytes) {
    return refused("too_large", null, `expected at most ${limits.max_message_bytes} bytes, got ${size}`);
  }
  const envelope = read_envelope(message);
  if (!envelope.ok) return { fault: envelope.fault };
  const { stream_id, event_id, type, schema_version, time, data, depth, attributes } = envelope.value;
  const parsed_time = parse_time(time);
  if (!parsed_time.ok) {
    const reason = parsed_time.why === "malformed" ? "malformed_time" : "time_without_zone";
    return refused(reason, "time", `expected an RFC 3339 time with zone, got ${JSON.stringify(time.slice(0, 60))}`);
  }
  if (parsed_time.us > (message.timestamp_ms + limits.future_limit_ms) * 1000) {
    const minutes = Math.round(limits.future_limit_ms / 60_000);
    return refused(
      "time_in_future",
      "time",
      `expected a time at most ${minutes} min after the broker's, got ${JSON.stringify(time.slice(0, 60))}`,
    );
  }
  const payload = domain.parse(type, schema_version, data);
  if (!payload.ok) return { fault: payload.fault };
  try {
    return {
      event: {
        stream_id: storable(stream_id),
        event_id: storable(event_id),
        type,
        schema_version,
        occurred_at_us: parsed_time.us,
        payload: payload.value,
        data: canonical_json(data, depth),
        attributes,
      },
      metadata: metadata_json(topic, partition, message.offset, attributes),
    };
  } catch (error) {
    if (error instanceof JsonFault) return refused(error.reason, null, error.message);
    throw error;
  }
}

function storable(id: string): string {
  if (id.includes("\0") || !id.isWellFormed()) {
    throw new JsonFault("text_not_storable", "expected ids without NUL and lone surrogates");
  }
  return id;
}

/** Decodes batches, in their order. */
export function decode_batches<Payload>(
  domain: Pick<Domain<Payload, never>, "parse">,
  limits: DecodeLimits,
  batches: readonly SourceBatch[],
): Decoded<Payload>[] {
  const decoded: Decoded<Payload>[] = [];
  for (const { topic, partition, messages } of batches) {
    for (const message of messages) {
      decoded.push({ topic, partition, message, outcome: decode_message(domain, limits, topic, partition, message) });
    }
  }
  return decoded;
}
