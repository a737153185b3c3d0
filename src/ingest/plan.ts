import type { Domain, DomainEvent, Fault } from "../domains/mod.ts";
import {
  comes_after,
  hash_event_id,
  type LineOf,
  type QuarantinedMessage,
  type RecordedEvent,
  type StreamChange,
  type StreamState,
} from "../event_log/mod.ts";
import { CellChanges, closed_before, type Days } from "../kpi/mod.ts";
import type { Decoded, DecodedEvent } from "./decode.ts";
import {
  type Earlier,
  earlier_with_id,
  fold_anew,
  type Place,
  same_content,
  same_message,
  Working,
} from "./working_stream.ts";

/** A stream takes at most this many events; what comes after is quarantined. A real trip has fewer than twenty. */
export const MAX_STREAM_EVENTS = 1000;

/** What a plan is made from: everything is read before, nothing is read meanwhile. */
export interface PlanInput<Payload, State> {
  readonly decoded: readonly Decoded<Payload>[];
  /** The streams of the batch that exist. */
  readonly streams: ReadonlyMap<string, StreamState<State>>;
  /** Stored events that `survey` asked for, by position. */
  readonly stored: ReadonlyMap<number, RecordedEvent>;
  readonly days: Days;
  /** The greatest event time admitted before; null when none ever was. */
  readonly watermark_us: number | null;
}

/** What becomes of what a message was decoded into. */
export type Outcome = "admitted" | "duplicate" | "quarantined" | "tombstone" | "skipped";

/** What a batch comes to. */
export interface Plan<State> {
  /** Of each decoded item, in the order they were given; events and quarantined are in that order too. */
  readonly outcomes: readonly Outcome[];
  readonly events: readonly LineOf[];
  readonly streams: readonly StreamChange<State>[];
  readonly changes: CellChanges;
  /** A message that a mapping made several events of counts as often as it has events; one that is set aside counts once. */
  readonly messages_read: number;
  readonly duplicates: number;
  /** The earlier event of each duplicate, in the order they were given. */
  readonly earlier: readonly Place[];
  readonly quarantined: readonly QuarantinedMessage[];
  readonly tombstones: number;
  readonly skipped: number;
  /** How many of its events came in late messages (see `lateness.ts`). */
  readonly late: number;
  /** The greatest event time that it admits; null when it admits none. */
  readonly newest_us: number | null;
}

/**
 * Plans a batch. Pure: each message is admitted, recognised as a duplicate, or quarantined, and what that does to streams
 * and cells is worked out; positions are left to the log.
 */
export function plan<Payload, State>(
  domain: Domain<Payload, State>,
  input: PlanInput<Payload, State>,
): Plan<State> {
  const { decoded, streams, stored, days } = input;
  const working = new Map<string, Working<Payload, State>>();
  const outcomes: Outcome[] = [];
  const events: LineOf[] = [];
  const quarantined: QuarantinedMessage[] = [];
  const earlier: Place[] = [];
  const changes = new CellChanges(domain, days);
  let messages_read = decoded.length, tombstones = 0, skipped = 0, late = 0, newest_us = -Infinity;
  let watermark_us = input.watermark_us ?? -Infinity;
  let closed_before_us = closed_before(watermark_us);

  const open = (stream_id: string): Working<Payload, State> => {
    const before = streams.get(stream_id) ?? null;
    return before === null
      ? new Working<Payload, State>(stream_id, null, domain.initial, -Infinity, "")
      : new Working(stream_id, before, before.state, before.last_us, before.last_event_id);
  };

  /** What is known of an event before anything of its message is admitted: what refuses it, the earlier event that it repeats, or null: it is new. */
  const meet = (first: number, at: number): Refused | Earlier | null => {
    const { outcome } = decoded[at]!;
    if ("fault" in outcome) return { stage: outcome.stage ?? "decode", fault: outcome.fault };
    if ("no_event" in outcome) throw new Error("plan: what is no event was taken for one");
    const { event } = outcome;
    let stream = working.get(event.stream_id);
    if (stream === undefined) working.set(event.stream_id, stream = open(event.stream_id));
    const known = earlier_with_id(stream, event, hashes[at - first] = hash_event_id(event.event_id), stored);
    let of_this_message = 0;
    for (let i = first; i < at; i++) {
      const other = decoded[i]!.outcome;
      if (!("event" in other) || other.event.stream_id !== event.stream_id) continue;
      if (other.event.event_id === event.event_id) return { stage: "plan", fault: identity_conflict(event) };
      if (met[i - first] === null) of_this_message++;
    }
    if (known !== null) {
      const same = same_content(event, known) || same_message(event, known, outcome.enriched);
      return same ? known : { stage: "plan", fault: identity_conflict(event) };
    }
    return stream.revision + of_this_message < MAX_STREAM_EVENTS
      ? null
      : { stage: "plan", fault: stream_full(event.stream_id) };
  };

  /** Of the events of one message, which follow one another: what is known of each, and the hash of its id. */
  const met: (Refused | Earlier | null)[] = [];
  const hashes: number[] = [];
  for (let first = 0, end = 0; first < decoded.length; first = end) {
    const { message, outcome } = decoded[first]!;
    if ("no_event" in outcome) {
      outcomes.push(outcome.no_event);
      if (outcome.no_event === "tombstone") tombstones++;
      else skipped++;
      end = first + 1;
      continue;
    }
    met.length = 0;
    let refused: Refused | null = null;
    for (end = first; end < decoded.length && decoded[end]!.message === message; end++) {
      const one = meet(first, end);
      met.push(one);
      if (refused === null && one !== null && "fault" in one) refused = one;
    }
    // A message is admitted or set aside whole, and set aside once: half of a trip would stay in progress for ever.
    if (refused !== null) {
      for (let i = first; i < end; i++) outcomes.push("quarantined");
      messages_read -= end - first - 1;
      quarantined.push(set_aside(decoded[first]!, refused.stage, refused.fault));
      continue;
    }
    const before = events.length;
    let told_us = -Infinity, admitted_us = -Infinity;
    for (let i = first; i < end; i++) {
      const known = met[i - first] as Earlier | null;
      const outcome = decoded[i]!.outcome as DecodedEvent<Payload>;
      const { stream_id, occurred_at_us } = outcome.event;
      if (occurred_at_us > told_us) told_us = occurred_at_us;
      if (known === null) {
        if (occurred_at_us > admitted_us) admitted_us = occurred_at_us;
        admit(working.get(stream_id)!, outcome, hashes[i - first]!);
        outcomes.push("admitted");
      } else {
        outcomes.push("duplicate");
        earlier.push(known.place);
      }
    }
    if (told_us < closed_before_us) late += events.length - before;
    if (admitted_us > newest_us) newest_us = admitted_us;
    if (admitted_us > watermark_us) closed_before_us = closed_before(watermark_us = admitted_us);
  }

  function admit(stream: Working<Payload, State>, { event, metadata }: DecodedEvent<Payload>, hash: number): void {
    const before = stream.revision === 0 ? null : stream.contribution ?? domain.contribution(stream.state);
    if (
      stream.sorted === null && comes_after(event.occurred_at_us, event.event_id, stream.last_us, stream.last_event_id)
    ) {
      stream.state = domain.fold(stream.state, event);
      stream.last_us = event.occurred_at_us;
      stream.last_event_id = event.event_id;
    } else {
      fold_anew(domain, stream, event, stored);
    }
    const after = domain.contribution(stream.state);
    stream.contribution = after;
    stream.fresh.push(event);
    const { stream_id, event_id, type, schema_version, occurred_at_us, data } = event;
    const { revision } = stream;
    events.push({ stream_id, event_id, type, schema_version, occurred_at_us, data, metadata, revision });
    stream.ordinals.push(events.length);
    stream.hashes.push(hash);
    changes.replace(before, after, events.length);
  }

  const changed: StreamChange<State>[] = [];
  for (const stream of working.values()) {
    if (stream.fresh.length === 0) continue;
    changed.push({
      stream_id: stream.stream_id,
      expected_revision: stream.before?.revision ?? 0,
      state: stream.state,
      revision: stream.revision,
      last_us: stream.last_us,
      last_event_id: stream.last_event_id,
      ordinals: stream.ordinals,
      hashes: stream.hashes,
    });
  }
  return {
    outcomes,
    events,
    streams: changed,
    changes,
    messages_read,
    duplicates: earlier.length,
    earlier,
    quarantined,
    tombstones,
    skipped,
    late,
    newest_us: events.length === 0 ? null : newest_us,
  };
}

/** Why a message is set aside. */
interface Refused {
  readonly stage: QuarantinedMessage["stage"];
  readonly fault: Fault;
}

const stream_full = (stream_id: string): Fault => ({
  reason: "stream_full",
  path: null,
  detail: `expected at most ${MAX_STREAM_EVENTS} events of ${JSON.stringify(stream_id)}; it has them`,
});

const identity_conflict = (event: DomainEvent<unknown>): Fault => ({
  reason: "identity_conflict",
  path: "event_id",
  detail: `expected a new event id or the same event again; ${JSON.stringify(event.event_id)} of ${
    JSON.stringify(event.stream_id)
  } is in the log with other content`,
});

function set_aside(item: Decoded<unknown>, stage: QuarantinedMessage["stage"], fault: Fault): QuarantinedMessage {
  const { topic, partition, message } = item;
  const { offset, key, value, headers, timestamp_ms } = message;
  return { topic, partition, offset, key, value, headers, timestamp_ms, stage, ...fault };
}
