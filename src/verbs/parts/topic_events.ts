import { Buffer } from "node:buffer";
import type { RecordedEvent } from "../../event_log/mod.ts";
import type { FoundEvents, SoughtStream } from "../../http/mod.ts";
import {
  type Coordinates,
  decode_message,
  type DecodedEvent,
  partition_name,
  type SourceMessage,
} from "../../ingest/mod.ts";
import { search_topics, type Searched, view_of } from "../../ingest/kafka/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { decode_limits, kafka_connection, type Opened } from "../open.ts";
import type { Shell } from "../shell.ts";

/**
 * The events of one stream, out of the topics that a Flink job reads. They are decoded as ingest does it, and told apart by their ids: of
 * several with the same the first one counts, as it does for the job.
 */

/** What is looked through for one stream, at most. */
const LIMITS = { ms: 2_000, messages: 500_000, bytes: 128 << 20 };
/** Of the events of one stream, repeated ones too; each with the weight of what surrounds it. */
const MOST_HELD_BYTES = 8 << 20;
const EVENT_BYTES = 500;
/** Producers' clocks may be behind by so much. */
const SKEW_MS = 60_000;

/** An event, and where and when its message lies. Of the message itself nothing is held. */
interface Found extends DecodedEvent {
  readonly at: Coordinates & Pick<SourceMessage, "timestamp_ms">;
}

/** Makes what looks into the topics of the configuration for a stream's events. */
export function topic_events(
  shell: Shell,
  { domain }: Pick<Opened, "domain">,
): (stream: SoughtStream) => Promise<FoundEvents> {
  const { config } = shell, limits = decode_limits(config), connection = kafka_connection(shell);
  return async ({ id, since_us, revision }) => {
    const key = Buffer.from(id), found: Found[] = [], ids = new Set<string>();
    let held = 0;
    const take = (message: SourceMessage): boolean => {
      // Who is not keyed by it may name it all the same.
      if (!key.equals(message.key ?? NOTHING) && !view_of(message.value ?? NOTHING).includes(key)) return false;
      const outcome = decode_message(domain, { ...limits, read_ms: system_clock.now_ms() }, message);
      if (!("event" in outcome) || outcome.event.stream_id !== id) return false;
      const { topic, partition, offset, timestamp_ms } = message;
      ids.add(outcome.event.event_id);
      held += EVENT_BYTES + outcome.event.data.length + outcome.metadata.length;
      found.push({ ...outcome, at: { topic, partition, offset, timestamp_ms } });
      return true;
    };
    const first_ms = Math.floor(since_us / 1_000) - SKEW_MS;
    const searched = await search_topics(connection, {
      topics: config.topics,
      key,
      take,
      // Nothing is taken that is further ahead of its time.
      since_ms: [first_ms, first_ms - limits.future_limit_ms],
      enough: () => ids.size >= revision || held > MOST_HELD_BYTES,
    }, { ...LIMITS, record_bytes: limits.max_message_bytes });
    const events = recorded(found), complete = events.length >= revision;
    return {
      events,
      complete,
      says: said(searched, events.length, revision),
      passing: !complete && searched.failure !== null,
    };
  };
}

const NOTHING = new Uint8Array();

/** Events as they are told, in the order in which they arrived: as they lie in their partition, or by the times of their messages. */
function recorded(found: readonly Found[]): RecordedEvent[] {
  const sorted = found.toSorted(({ at: a }, { at: b }) => {
    const [one, other] = [partition_name(a), partition_name(b)];
    return one === other ? a.offset - b.offset : a.timestamp_ms - b.timestamp_ms || (one < other ? -1 : 1);
  });
  const known = new Map<string, Found>();
  for (const each of sorted) if (!known.has(each.event.event_id)) known.set(each.event.event_id, each);
  return [...known.values()].map(({ event, metadata, at }, i) => {
    const { stream_id, event_id, type, schema_version, occurred_at_us, data } = event;
    return {
      position: i + 1,
      revision: i + 1,
      stream_id,
      event_id,
      type,
      schema_version,
      occurred_at_us,
      data,
      metadata,
      recorded_at_us: at.timestamp_ms * 1_000,
    };
  });
}

/** What a search came to, in words. */
function said(searched: Searched, count: number, revision: number): string {
  const { messages, bytes, took_ms, stopped, failure, places, begins } = searched;
  const where = places.map(partition_name).join(", ");
  const through = `${messages} messages${places.length === 0 ? "" : ` of ${where}`}`;
  if (count >= revision) return `all ${count} events that the job counted, among ${through}`;
  const some = `${count === 0 ? "none" : count} of the ${revision} events that the job counted`;
  if (failure !== null) return `${some}: the topics cannot be read: ${failure}`;
  const size = `${(bytes / 1e6).toFixed(1)} MB in ${(took_ms / 1_000).toFixed(1)} s`;
  if (stopped !== null) return `${some}: looked through ${messages} messages, ${size}, and stopped there`;
  const left = begins.map((begin) =>
    `${partition_name(begin)} begins at offset ${begin.offset}, ${format_time(begin.timestamp_ms * 1_000)}`
  );
  return `${some}, among all ${messages} messages that are left${left.length === 0 ? "" : `: ${left.join("; ")}`}`;
}
