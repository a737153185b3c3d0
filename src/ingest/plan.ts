import { canonical_json, type Domain, type DomainEvent, type Fault, parse_json } from "../domains/mod.ts";
import {
  comes_after,
  hash_event_id,
  type LineOf,
  type QuarantinedMessage,
  recorded_payload,
  type RecordedEvent,
  type StreamChange,
  type StreamState,
} from "../event_log/mod.ts";
import { CellChanges, type Contribution, type Days } from "../kpi/mod.ts";
import type { Decoded, DecodedEvent } from "./decode.ts";

/** A stream takes at most this many events; what comes after is quarantined. A real trip has fewer than twenty. */
export const MAX_STREAM_EVENTS = 1000;

/** How long a one-minute window stays open after the watermark (greatest event time) has passed its end. */
const LATENESS_ALLOWANCE_US = 60e6;

/** Windows that end by this time are closed; an event before it is late. It counts all the same. */
const closed_before = (watermark_us: number): number =>
  Math.floor((watermark_us - LATENESS_ALLOWANCE_US) / 60e6) * 60e6;

/** What a plan is made from: everything is read before, nothing is read meanwhile. */
export interface PlanInput<Payload, State> {
  readonly decoded: readonly Decoded<Payload>[];
  /** The streams of the batch that exist. */
  readonly streams: ReadonlyMap<string, StreamState<State>>;
  /** Stored events that `survey` asked for, by position. */
  readonly stored: ReadonlyMap<number, RecordedEvent>;
  readonly days: Days;
  readonly watermark_us: number | null;
}

/** What becomes of what a message was decoded into. */
export type Outcome = "admitted" | "duplicate" | "quarantined";

/** Where an event lies: in the log, or among those that its batch admits, from 1. */
export type Place = { readonly position: number } | { readonly ordinal: number };

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
  readonly late: number;
  readonly watermark_us: number | null;
}

type Ordered<Payload> = Pick<
  DomainEvent<Payload>,
  "stream_id" | "type" | "occurred_at_us" | "event_id" | "payload" | "schema_version" | "data"
>;

/** A stream while its batch is planned. */
class Working<Payload, State> {
  readonly ordinals: number[] = [];
  readonly hashes: number[] = [];
  readonly fresh: DomainEvent<Payload>[] = [];
  /** All its events in order of (time, event id), once it had to be folded anew. */
  sorted: Ordered<Payload>[] | null = null;
  contribution: Contribution | null = null;
  constructor(
    readonly stream_id: string,
    readonly before: StreamState<State> | null,
    public state: State,
    public last_us: number,
    public last_event_id: string,
  ) {}
  get revision(): number {
    return (this.before?.revision ?? 0) + this.fresh.length;
  }
}

const payload_of = <Payload>(domain: Pick<Domain<Payload>, "parse">, event: RecordedEvent): Payload => {
  const parsed = recorded_payload(domain, event);
  if (!parsed.ok) {
    throw new Error(
      `fold stream ${
        JSON.stringify(event.stream_id)
      }: stored event ${event.position} is refused: ${parsed.fault.detail}`,
    );
  }
  return parsed.value;
};

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
  let messages_read = decoded.length, late = 0;
  let watermark_us = input.watermark_us;
  let closed_before_us = watermark_us === null ? -Infinity : closed_before(watermark_us);

  const open = (stream_id: string): Working<Payload, State> => {
    const before = streams.get(stream_id) ?? null;
    return before === null
      ? new Working<Payload, State>(stream_id, null, domain.initial, -Infinity, "")
      : new Working(stream_id, before, before.state, before.last_us, before.last_event_id);
  };

  /** What is known of an event before anything of its message is admitted: what refuses it, the earlier event that it repeats, or null: it is new. */
  const meet = (first: number, at: number): Refused | Earlier | null => {
    const { outcome } = decoded[at]!;
    if (!("event" in outcome)) return { stage: outcome.stage ?? "decode", fault: outcome.fault };
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
    if (known !== null) return same_content(event, known) ? known : { stage: "plan", fault: identity_conflict(event) };
    return stream.revision + of_this_message < MAX_STREAM_EVENTS
      ? null
      : { stage: "plan", fault: stream_full(event.stream_id) };
  };

  /** Of the events of one message, which follow one another: what is known of each, and the hash of its id. */
  const met: (Refused | Earlier | null)[] = [];
  const hashes: number[] = [];
  for (let first = 0, end = 0; first < decoded.length; first = end) {
    const { message } = decoded[first]!;
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
    for (let i = first; i < end; i++) {
      const known = met[i - first] as Earlier | null;
      if (known === null) {
        const outcome = decoded[i]!.outcome as DecodedEvent<Payload>;
        admit(working.get(outcome.event.stream_id)!, outcome, hashes[i - first]!);
        outcomes.push("admitted");
      } else {
        outcomes.push("duplicate");
        earlier.push(known.place);
      }
    }
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
    if (occurred_at_us < closed_before_us) late++;
    if (watermark_us === null || occurred_at_us > watermark_us) {
      watermark_us = occurred_at_us;
      closed_before_us = closed_before(occurred_at_us);
    }
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
    late,
    watermark_us,
  };
}

/** What makes two events with one id the same event; `data` in canonical form. */
type Content = Pick<DomainEvent, "type" | "schema_version" | "occurred_at_us" | "data">;

/** An event of the stream that has the id of another one. */
type Earlier = Content & { readonly place: Place };

/** Why a message is set aside. */
interface Refused {
  readonly stage: QuarantinedMessage["stage"];
  readonly fault: Fault;
}

/** The event of the stream that has this id already; null when there is none. */
function earlier_with_id<Payload, State>(
  stream: Working<Payload, State>,
  event: DomainEvent<Payload>,
  hash: number,
  stored: ReadonlyMap<number, RecordedEvent>,
): Earlier | null {
  for (let i = 0; i < stream.fresh.length; i++) {
    const other = stream.fresh[i]!;
    if (stream.hashes[i] !== hash || other.event_id !== event.event_id) continue;
    return { ...other, place: { ordinal: stream.ordinals[i]! } };
  }
  const hashes = stream.before?.hashes ?? [];
  for (let i = 0; i < hashes.length; i++) {
    if (hashes[i] !== hash) continue;
    const position = stream.before!.positions[i]!;
    const other = stored.get(position);
    if (other === undefined) {
      throw new Error(`plan: event ${position} of ${JSON.stringify(event.stream_id)} was not loaded`);
    }
    if (other.event_id !== event.event_id) continue;
    return { ...other, data: canonical_json(parse_json(other.data)), place: { position } };
  }
  return null;
}

const same_content = (a: Content, b: Content): boolean =>
  a.type === b.type && a.schema_version === b.schema_version && a.occurred_at_us === b.occurred_at_us &&
  a.data === b.data;

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

/** Puts an event that came out of order into its place and folds the stream from its beginning. */
function fold_anew<Payload, State>(
  domain: Domain<Payload, State>,
  stream: Working<Payload, State>,
  event: DomainEvent<Payload>,
  stored: ReadonlyMap<number, RecordedEvent>,
): void {
  if (stream.sorted === null) {
    const earlier = (stream.before?.positions ?? []).map((position): Ordered<Payload> => {
      const recorded = stored.get(position);
      if (recorded === undefined) {
        throw new Error(`plan: event ${position} of ${JSON.stringify(stream.stream_id)} was not loaded`);
      }
      return { ...recorded, payload: payload_of(domain, recorded) };
    });
    stream.sorted = [...earlier, ...stream.fresh].sort((a, b) =>
      comes_after(a.occurred_at_us, a.event_id, b.occurred_at_us, b.event_id) ? 1 : -1
    );
  }
  const place = stream.sorted.findLastIndex((other) =>
    comes_after(event.occurred_at_us, event.event_id, other.occurred_at_us, other.event_id)
  );
  stream.sorted.splice(place + 1, 0, event);
  stream.state = stream.sorted.reduce(
    (state, each) => domain.fold(state, { ...each, attributes: null }),
    domain.initial,
  );
  const last = stream.sorted.at(-1)!;
  stream.last_us = last.occurred_at_us;
  stream.last_event_id = last.event_id;
}

function set_aside(item: Decoded<unknown>, stage: QuarantinedMessage["stage"], fault: Fault): QuarantinedMessage {
  const { topic, partition, message } = item;
  const { offset, key, value, headers, timestamp_ms } = message;
  return { topic, partition, offset, key, value, headers, timestamp_ms, stage, ...fault };
}
