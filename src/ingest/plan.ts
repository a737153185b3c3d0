import type { Domain, DomainEvent, Fault } from "../domains/mod.ts";
import {
  hash_event_id,
  type QuarantinedMessage,
  type RecordedEvent,
  type Settlement,
  type StreamChange,
  type StreamState,
} from "../event_log/mod.ts";
import { CellChanges, closed_before, comes_after, type Days, follows } from "../kpi/mod.ts";
import type { Decoded, DecodedEvent } from "./decode/mod.ts";
import type { SourceMessage, TopicPartition } from "./message_source.ts";
import { type Earlier, earlier_with_id, fold_anew, type Place, same_event, Working } from "./working_stream.ts";

/** A stream takes at most this many events; what comes after is quarantined. A real one has fewer than twenty. */
export const MAX_STREAM_EVENTS = 1000;

/** What becomes of what a message was decoded into. */
export type Outcome = "admitted" | "duplicate" | "quarantined" | "tombstone" | "skipped";

/** What a batch comes to. */
export interface Plan {
  /** Of each decoded item, in the order they were given, with the message that it came of; events and quarantined are in that order too. */
  readonly outcomes: readonly Outcome[];
  readonly messages: readonly SourceMessage[];
  readonly events: readonly DomainEvent[];
  readonly streams: readonly StreamChange[];
  readonly changes: CellChanges;
  /** A message that a mapping made several events of counts as often as it has events; one that is set aside counts once. */
  readonly messages_read: number;
  readonly duplicates: number;
  /** The earlier event of each duplicate, in the order they were given. */
  readonly earlier: readonly Place[];
  readonly quarantined: readonly QuarantinedMessage[];
  readonly tombstones: number;
  readonly skipped: number;
  /** How many of its events came in late messages (see `windows.ts` of `kpi`). */
  readonly late: number;
  /** The greatest event time that it admits; null when it admits none. */
  readonly newest_us: number | null;
  /** The same of each partition that it admits events of. */
  readonly newest_of: readonly NewestOf[];
}

/** The greatest event time that is admitted from a partition. */
interface NewestOf extends TopicPartition {
  newest_us: number;
}

/** What is known of an event before anything of its message is admitted: what refuses it, the earlier event that it repeats, or null: it is new. */
type Met = Refused | Earlier | null;

/** Hears of an event that is admitted, in their order: its place in its stream, from 1, and its metadata, canonical JSON. */
export type Admitted = (event: DomainEvent, revision: number, metadata: string) => void;

/**
 * Plans a batch, a slice of its messages after another. Pure: each message is admitted, recognised as a duplicate, or quarantined, and what
 * that does to streams and cells is worked out; positions are left to the log.
 */
export class Planning {
  readonly #domain: Domain;
  readonly #admitted: Admitted;
  readonly #working = new Map<string, Working>();
  readonly #outcomes: Outcome[] = [];
  readonly #messages: SourceMessage[] = [];
  readonly #events: DomainEvent[] = [];
  readonly #quarantined: QuarantinedMessage[] = [];
  readonly #earlier: Place[] = [];
  readonly #changes: CellChanges;
  #messages_read = 0;
  #tombstones = 0;
  #skipped = 0;
  #late = 0;
  #newest_us = -Infinity;
  /** Of each partition; messages of one mostly follow one another. */
  readonly #newest_of: NewestOf[] = [];
  #from: NewestOf = { topic: "", partition: -1, newest_us: -Infinity };
  #watermark_us: number;
  #closed_before_us: number;
  /** Of the events of one message, which follow one another: what is known of each, and the hash of its id. */
  readonly #met: Met[] = [];
  readonly #hashes: number[] = [];
  /** How far the log is archived, where events were asked for that are. */
  #archived = 0;

  /**
   * @param watermark_us the greatest event time admitted before; null when none ever was
   * @param admitted hears of each event that is admitted
   */
  constructor(domain: Domain, days: Days, watermark_us: number | null, admitted: Admitted) {
    this.#domain = domain;
    this.#admitted = admitted;
    this.#changes = new CellChanges(domain, days);
    this.#watermark_us = watermark_us ?? -Infinity;
    this.#closed_before_us = closed_before(this.#watermark_us);
  }

  /**
   * Which stored events a slice needs: all of a stream that gets an event out of order, or one whose id it may have already.
   * @param streams the streams of the batch that exist, as they were before it
   * @returns positions; `unsettled` when some belong to a batch that is still being appended
   */
  survey(
    decoded: readonly Decoded[],
    streams: ReadonlyMap<string, StreamState>,
  ): { readonly positions: readonly number[]; readonly unsettled: boolean } {
    const needed = new Set<number>();
    const lasts = new Map<string, { us: number; id: string }>();
    for (const { outcome } of decoded) {
      if (!("event" in outcome)) continue;
      const { stream_id, event_id, occurred_at_us } = outcome.event;
      const stream = streams.get(stream_id);
      if (stream === undefined) continue;
      const { last_us, last_event_id } = this.#working.get(stream_id) ?? stream;
      const last = lasts.get(stream_id) ?? { us: last_us, id: last_event_id };
      if (comes_after(occurred_at_us, event_id, last.us, last.id) && !stream.hashes.includes(hash_event_id(event_id))) {
        lasts.set(stream_id, { us: occurred_at_us, id: event_id });
      } else {
        for (const position of stream.positions) needed.add(position);
      }
    }
    const unsettled = needed.has(NaN);
    needed.delete(NaN);
    return { positions: [...needed], unsettled };
  }

  /**
   * Takes in a slice: everything is read before, nothing is read meanwhile.
   * @param decoded all that each of its messages came to
   * @param streams the streams of the batch that exist, as they were before it
   * @param stored the events that `survey` asked for, by position, but those that are archived
   * @param archived how far the log is archived; 0 where all that were asked for are there
   */
  add(
    decoded: readonly Decoded[],
    streams: ReadonlyMap<string, StreamState>,
    stored: ReadonlyMap<number, RecordedEvent>,
    archived = 0,
  ): void {
    if (archived > this.#archived) this.#archived = archived;
    this.#messages_read += decoded.length;
    const met = this.#met, hashes = this.#hashes;
    for (let first = 0, end = 0; first < decoded.length; first = end) {
      const { message, outcome } = decoded[first]!;
      if ("no_event" in outcome) {
        this.#outcome(message, outcome.no_event);
        if (outcome.no_event === "tombstone") this.#tombstones++;
        else this.#skipped++;
        end = first + 1;
        continue;
      }
      met.length = 0;
      let refused: Refused | null = null;
      for (end = first; end < decoded.length && decoded[end]!.message === message; end++) {
        const one = this.#meet(decoded, first, end, streams, stored);
        met.push(one);
        if (refused === null && one !== null && "fault" in one) refused = one;
      }
      // A message is admitted or set aside whole, and set aside once: half of a stream would stay in progress for ever.
      if (refused !== null) {
        for (let i = first; i < end; i++) this.#outcome(message, "quarantined");
        this.#messages_read -= end - first - 1;
        this.#quarantined.push(set_aside(message, refused.stage, refused.fault));
        continue;
      }
      const before = this.#events.length;
      let told_us = -Infinity, admitted_us = -Infinity;
      for (let i = first; i < end; i++) {
        const known = met[i - first] as Earlier | null;
        const outcome = decoded[i]!.outcome as DecodedEvent;
        const { stream_id, occurred_at_us } = outcome.event;
        if (occurred_at_us > told_us) told_us = occurred_at_us;
        if (known === null) {
          if (occurred_at_us > admitted_us) admitted_us = occurred_at_us;
          this.#admit(this.#working.get(stream_id)!, outcome, hashes[i - first]!, stored);
          this.#outcome(message, "admitted");
        } else {
          this.#outcome(message, "duplicate");
          this.#earlier.push(known.place);
        }
      }
      if (told_us < this.#closed_before_us) this.#late += this.#events.length - before;
      if (admitted_us > this.#newest_us) this.#newest_us = admitted_us;
      if (message.partition !== this.#from.partition || message.topic !== this.#from.topic) this.#turn_to(message);
      if (admitted_us > this.#from.newest_us) this.#from.newest_us = admitted_us;
      if (admitted_us > this.#watermark_us) {
        this.#watermark_us = admitted_us;
        this.#closed_before_us = closed_before(admitted_us);
      }
    }
  }

  #turn_to({ topic, partition }: TopicPartition): void {
    const known = this.#newest_of.find((each) => each.partition === partition && each.topic === topic);
    if (known === undefined) this.#newest_of.push(this.#from = { topic, partition, newest_us: -Infinity });
    else this.#from = known;
  }

  #outcome(message: SourceMessage, outcome: Outcome): void {
    this.#messages.push(message);
    this.#outcomes.push(outcome);
  }

  #open(stream_id: string, before: StreamState | undefined): Working {
    const stream = before === undefined
      ? new Working(stream_id, null, this.#domain.initial, -Infinity, "")
      : new Working(stream_id, before, before.state, before.last_us, before.last_event_id);
    this.#working.set(stream_id, stream);
    return stream;
  }

  #meet(
    decoded: readonly Decoded[],
    first: number,
    at: number,
    streams: ReadonlyMap<string, StreamState>,
    stored: ReadonlyMap<number, RecordedEvent>,
  ): Met {
    const { outcome } = decoded[at]!;
    if ("fault" in outcome) return { stage: outcome.stage ?? "decode", fault: outcome.fault };
    if ("no_event" in outcome) throw new Error("plan: what is no event was taken for one");
    const { event } = outcome;
    const stream = this.#working.get(event.stream_id) ?? this.#open(event.stream_id, streams.get(event.stream_id));
    const hash = this.#hashes[at - first] = hash_event_id(event.event_id);
    const known = earlier_with_id(stream, event, hash, stored, this.#archived);
    let of_this_message = 0, last: Pick<DomainEvent, "occurred_at_us" | "event_id"> | null = null;
    for (let i = first; i < at; i++) {
      const other = decoded[i]!.outcome;
      if (!("event" in other) || other.event.stream_id !== event.stream_id) continue;
      if (other.event.event_id === event.event_id) return { stage: "plan", fault: identity_conflict(event) };
      if (this.#met[i - first] !== null) continue;
      of_this_message++;
      if (last === null || follows(other.event, last)) last = other.event;
    }
    if (known !== null) {
      return same_event(outcome, known) ? known : { stage: "plan", fault: identity_conflict(event) };
    }
    if (this.#archived > 0 && (stream.before?.positions[0] ?? Infinity) <= this.#archived) {
      // It is folded on from its state; out of order that would take all its events.
      const before = { occurred_at_us: stream.last_us, event_id: stream.last_event_id };
      if (!follows(event, before) || (last !== null && !follows(event, last))) {
        return { stage: "plan", fault: events_archived(event) };
      }
    }
    return stream.revision + of_this_message < MAX_STREAM_EVENTS
      ? null
      : { stage: "plan", fault: stream_full(event.stream_id) };
  }

  #admit(
    stream: Working,
    { event, metadata }: DecodedEvent,
    hash: number,
    stored: ReadonlyMap<number, RecordedEvent>,
  ): void {
    const domain = this.#domain;
    // Made again rather than kept: whatever lives as long as its batch is copied by the collector of garbage, which took a tenth of the program's time.
    const before = stream.revision === 0 ? null : domain.contribution(stream.state);
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
    const ordinal = this.#events.push(event);
    stream.take(event, ordinal, hash);
    this.#admitted(event, stream.revision, metadata);
    this.#changes.replace(before, after, ordinal);
  }

  /** What all slices come to. */
  finish(): Plan {
    const streams: StreamChange[] = [];
    for (const stream of this.#working.values()) {
      if (stream.fresh.length === 0) continue;
      streams.push({
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
      outcomes: this.#outcomes,
      messages: this.#messages,
      events: this.#events,
      streams,
      changes: this.#changes,
      messages_read: this.#messages_read,
      duplicates: this.#earlier.length,
      earlier: this.#earlier,
      quarantined: this.#quarantined,
      tombstones: this.#tombstones,
      skipped: this.#skipped,
      late: this.#late,
      newest_us: this.#events.length === 0 ? null : this.#newest_us,
      newest_of: this.#newest_of.filter(({ newest_us }) => newest_us > -Infinity),
    };
  }
}

/** Why a message is set aside. */
interface Refused {
  readonly stage: QuarantinedMessage["stage"];
  readonly fault: Fault;
}

const events_archived = ({ stream_id }: DomainEvent): Fault => ({
  reason: "events_archived",
  path: "occurred_at",
  detail: `expected an event later than the last one of ${
    JSON.stringify(stream_id)
  }, whose events are archived: to put it in its place takes all of them; \`tacho archive attach\` brings them back, then retry it`,
});

const stream_full = (stream_id: string): Fault => ({
  reason: "stream_full",
  path: null,
  detail: `expected at most ${MAX_STREAM_EVENTS} events of ${JSON.stringify(stream_id)}; it has them`,
});

const identity_conflict = (event: DomainEvent): Fault => ({
  reason: "identity_conflict",
  path: "event_id",
  detail: `expected a new event id or the same event again; ${JSON.stringify(event.event_id)} of ${
    JSON.stringify(event.stream_id)
  } is in the log with other content`,
});

function set_aside(message: SourceMessage, stage: QuarantinedMessage["stage"], fault: Fault): QuarantinedMessage {
  return { ...message, stage, ...fault };
}

/** What became of a message: a tombstone or skipped; held while any of its events is, admitted when one of them was new. */
export interface MessageOutcome<Message extends SourceMessage> {
  readonly message: Message;
  status: Settlement["status"];
  fault: Settlement["fault"];
  /** Those admitted: several where a mapping made several of the message. */
  readonly events: DomainEvent[];
  /** Where its events lie: those admitted, and of duplicates the earlier event. */
  readonly places: Place[];
}

/** What a plan makes of the messages that it was made from, in their order. */
export function outcomes_of<Message extends SourceMessage>(
  messages: readonly Message[],
  plan: Pick<Plan, "outcomes" | "messages" | "events" | "earlier" | "quarantined">,
): MessageOutcome<Message>[] {
  const became = new Map<SourceMessage, MessageOutcome<Message>>(
    messages.map((message) => [message, { message, status: "duplicate", fault: null, events: [], places: [] }]),
  );
  let event = 0, duplicate = 0, fault = 0;
  for (const [i, message] of plan.messages.entries()) {
    const own = became.get(message)!;
    const outcome = plan.outcomes[i]!;
    switch (outcome) {
      case "quarantined":
        own.status = "held";
        own.fault ??= plan.quarantined[fault++]!;
        break;
      case "admitted":
        own.events.push(plan.events[event++]!);
        own.places.push({ ordinal: event });
        if (own.status !== "held") own.status = "admitted";
        break;
      case "tombstone":
      case "skipped":
        own.status = outcome;
        break;
      case "duplicate":
        own.places.push(plan.earlier[duplicate++]!);
    }
  }
  return [...became.values()];
}
