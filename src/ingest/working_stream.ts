import { aliases_in_json, canonical_json, type Domain, type DomainEvent, parse_json } from "../domains/mod.ts";
import { recorded_payload, type RecordedEvent, type StreamChange, type StreamState } from "../event_log/mod.ts";
import { follows } from "../kpi/mod.ts";
import type { DecodedEvent } from "./decode/mod.ts";

/** A stream while its batch is planned: what is known of it, and how an event finds its place in it. Pure. */

/** Where an event lies: in the log, or among those that its batch admits, from 1. */
export type Place = { readonly position: number } | { readonly ordinal: number };

type Ordered = Pick<
  DomainEvent,
  "stream_id" | "type" | "occurred_at_us" | "event_id" | "payload" | "schema_version" | "data"
>;

/** Most streams get one or two events of a batch: lists of just that length, where one that is pushed to has room for seventeen. */
const NONE: readonly never[] = [];

/** A stream while its batch is planned. */
export class Working {
  /** Of the batch's events that it has: their places among all that the batch admits, from 1, and the hashes of their ids. */
  ordinals: readonly number[] = NONE;
  hashes: readonly number[] = NONE;
  fresh: readonly DomainEvent[] = NONE;
  /** All its events in order of (time, event id), once it had to be folded anew. */
  sorted: Ordered[] | null = null;
  constructor(
    readonly stream_id: string,
    readonly before: StreamState | null,
    public state: unknown,
    public last_us: number,
    public last_event_id: string,
  ) {}

  /** Takes in an event that is admitted. */
  take(event: DomainEvent, ordinal: number, hash: number): void {
    this.fresh = this.fresh.concat(event);
    this.ordinals = this.ordinals.concat(ordinal);
    this.hashes = this.hashes.concat(hash);
  }

  get revision(): number {
    return (this.before?.revision ?? 0) + this.fresh.length;
  }
}

const payload_of = (domain: Pick<Domain, "parse">, event: RecordedEvent): unknown => {
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

/** What makes two events with one id the same event; `data` in canonical form. */
type Content = Pick<DomainEvent, "type" | "schema_version" | "occurred_at_us" | "data">;

/** An event that the log has, and the names in its data under which it has aliases that are nobody's any more. */
export type StoredEvent = RecordedEvent & { readonly forgotten?: ReadonlySet<string> };

/** An event of the stream that has the id of another one. */
export type Earlier = Content & Pick<StoredEvent, "forgotten"> & { readonly place: Place };

/**
 * The event of the stream that has this id already; null when there is none. One that is archived is known by the hash of its id alone, and taken
 * to say the same: of two different ids in a stream one in 10^15 has the same hash.
 * @param archived how far the log is archived
 */
export function earlier_with_id(
  stream: Working,
  event: DomainEvent,
  hash: number,
  stored: ReadonlyMap<number, StoredEvent>,
  archived: number,
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
    if (other === undefined && position <= archived) return { ...event, place: { position } };
    if (other === undefined) {
      throw new Error(`plan: event ${position} of ${JSON.stringify(event.stream_id)} was not loaded`);
    }
    if (other.event_id !== event.event_id) continue;
    return { ...other, data: canonical_json(parse_json(other.data)), place: { position } };
  }
  return null;
}

/** Whether two events of one id are the same event. */
const same_content = (a: Content, b: Content): boolean =>
  a.type === b.type && a.schema_version === b.schema_version && a.occurred_at_us === b.occurred_at_us &&
  a.data === b.data;

/**
 * Whether two events of one id differ in nothing but what tables gave: a table may have changed before a message came again, and what it gave
 * the first time stands.
 */
function same_message(a: Content, b: Content, enriched: ReadonlySet<string> | undefined): boolean {
  if (enriched === undefined) return false;
  const told = (data: string) =>
    canonical_json(
      Object.fromEntries(Object.entries(parse_json(data) as object).filter(([name]) => !enriched.has(name))),
    );
  return same_content({ ...a, data: told(a.data) }, { ...b, data: told(b.data) });
}

/** The aliases that stand under a name, at any depth of canonical JSON: the name with its colon, then the alias. */
export const aliases_under = (name: string): RegExp => aliases_in_json(`(${RegExp.escape(JSON.stringify(name))}:)`);

/**
 * Whether what was decoded is the event that has its id already. A log may have ids of persons, from before it had aliases; and aliases whose persons were
 * forgotten, of which one stands for any.
 */
export function same_event({ event, told, enriched }: DecodedEvent, known: Earlier): boolean {
  const same = (each: Content, other: Content) => same_content(each, other) || same_message(each, other, enriched);
  if (same(event, known) || told !== undefined && same(told, known)) return true;
  if (known.forgotten === undefined) return false;
  const anybody = ({ data }: Content) =>
    [...known.forgotten!].reduce((text, name) => text.replaceAll(aliases_under(name), '$1"~"'), data);
  return same({ ...event, data: anybody(event) }, { ...known, data: anybody(known) });
}

/** Puts an event that came out of order into its place and folds the stream from its beginning. */
export function fold_anew(
  domain: Domain,
  stream: Working,
  event: DomainEvent,
  stored: ReadonlyMap<number, RecordedEvent>,
): void {
  if (stream.sorted === null) {
    const earlier = (stream.before?.positions ?? []).map((position): Ordered => {
      const recorded = stored.get(position);
      if (recorded === undefined) {
        throw new Error(`plan: event ${position} of ${JSON.stringify(stream.stream_id)} was not loaded`);
      }
      return { ...recorded, payload: payload_of(domain, recorded) };
    });
    stream.sorted = [...earlier, ...stream.fresh].sort((a, b) => follows(a, b) ? 1 : -1);
  }
  const place = stream.sorted.findLastIndex((other) => follows(event, other));
  stream.sorted.splice(place + 1, 0, event);
  stream.state = stream.sorted.reduce(
    (state, each) => domain.fold(state, each),
    domain.initial,
  );
  const last = stream.sorted.at(-1)!;
  stream.last_us = last.occurred_at_us;
  stream.last_event_id = last.event_id;
}

/**
 * The latest states of recently used streams, so that most batches read nothing. Bounded; the least recently used go first.
 * Holds the effects of a batch as soon as it is planned; they are true only once it is committed, so any failure clears it.
 */
export class StreamCache {
  readonly #streams = new Map<string, StreamState & { readonly positions: number[] }>();
  constructor(readonly capacity: number) {}

  get(stream_id: string): StreamState | undefined {
    const stream = this.#streams.get(stream_id);
    if (stream !== undefined) {
      this.#streams.delete(stream_id);
      this.#streams.set(stream_id, stream);
    }
    return stream;
  }

  /** Takes in what a batch makes of its streams; positions stay open until `settle`. */
  take(changes: readonly StreamChange[], before: ReadonlyMap<string, StreamState>): void {
    for (const { stream_id, state, revision, last_us, last_event_id, ordinals, hashes } of changes) {
      const known = before.get(stream_id);
      this.#streams.delete(stream_id);
      this.#streams.set(stream_id, {
        state,
        revision,
        last_us,
        last_event_id,
        positions: (known?.positions ?? []).concat(ordinals.map(() => NaN)),
        hashes: known?.hashes.concat(hashes) ?? hashes,
      });
    }
    for (const stream_id of this.#streams.keys()) {
      if (this.#streams.size <= this.capacity) break;
      this.#streams.delete(stream_id);
    }
  }

  /** Fills in the positions of a committed batch, in place: whoever holds the stream may see them. */
  settle(changes: readonly StreamChange[], before_first: number): void {
    for (const { stream_id, ordinals, expected_revision } of changes) {
      const positions = this.#streams.get(stream_id)?.positions;
      if (positions === undefined) continue;
      for (let i = 0; i < ordinals.length; i++) positions[expected_revision + i] = before_first + ordinals[i]!;
    }
  }

  clear(): void {
    this.#streams.clear();
  }
}
