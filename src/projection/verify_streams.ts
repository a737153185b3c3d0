import { type Database, patiently, type Queryable } from "../database/mod.ts";
import type { Domain, StateRow } from "../domains/mod.ts";
import {
  type ArrivedEvent,
  Faults,
  fold_arrivals,
  hash_event_id,
  parsed_event,
  type ParsedEvent,
  read_at,
  type StreamRow,
  streams_begun,
  StreamStates,
} from "../event_log/mod.ts";
import { type Contribution, format_time } from "../kpi/mod.ts";

/** Events that are read by their positions at a time, those of one stream aside. */
const PAGE_EVENTS = 5_000;
/** Positions in which streams that began before the scope are looked for at a time. */
const PAGE_POSITIONS = 20_000;

/** How much of streams is kept that wait for further events of theirs. */
export interface Waiting {
  readonly events: number;
  /** Of what their events say. */
  readonly characters: number;
}

const WAITING: Waiting = { events: 40_000, characters: 32 << 20 };

/** Streams in all, and how many of them were folded from their events. */
export interface VerifiedStreams {
  readonly streams: number;
  readonly folded: number;
}

/** Which streams are folded from their events; the others are taken as their rows have them. */
export type Choice = (stream_id: string, positions: readonly number[]) => boolean;

/** What a stream added to the cells, after each of its events that were looked at; `ordinal` is the event's position. */
export type Steps = readonly { readonly contribution: Contribution; readonly ordinal: number }[];

/** Takes what streams add to the cells. */
export interface Sums {
  /** @returns whether it is full: then it has to be settled first */
  add(steps: Steps): boolean;
  settle(): Promise<void>;
}

/** A stream on its way: its row, and of its events up to the head those that were read. */
interface Open<State> {
  readonly row: StreamRow<State>;
  /** How many of its events there are up to the head. */
  readonly own: number;
  readonly events: ParsedEvent[];
}

/**
 * Compares the rows of the chosen streams with the fold of their events, and tells what each stream added to the cells up to the head: of a
 * chosen one what its events make it, of the others what their rows say, whose derived columns must agree with the rest. Every event of
 * the log must be in one stream, every stream must have begun in the log.
 *
 * It goes along with the log: a stream is looked at when its first event comes by, and ready when its last one does. Rows are read as they
 * are by then: one that has events past the head is folded from all of them, and added as of the head. So nothing holds a snapshot.
 * Memory: what `Waiting` says; past it the streams that began first are worked off, their later events read by position.
 */
export class StreamCheck<Payload, State> {
  readonly #database: Database;
  readonly #domain: Domain<Payload, State>;
  readonly #head: number;
  readonly #chosen: Choice;
  readonly #sums: Sums;
  readonly #faults: Faults;
  readonly #waiting: Waiting;
  readonly #states: StreamStates<State>;
  readonly #open = new Map<string, Open<State>>();
  #held = { events: 0, characters: 0 };
  /** Events that waited at the same time, at most. */
  most_events = 0;
  #streams = 0;
  #folded = 0;
  #events = 0;

  /**
   * @param head the position that is verified up to
   */
  constructor(
    database: Database,
    domain: Domain<Payload, State>,
    head: number,
    chosen: Choice,
    sums: Sums,
    faults: Faults,
    waiting: Waiting = WAITING,
  ) {
    this.#database = database;
    this.#domain = domain;
    this.#head = head;
    this.#chosen = chosen;
    this.#sums = sums;
    this.#faults = faults;
    this.#waiting = waiting;
    this.#states = new StreamStates(domain);
  }

  /** Takes in the next events of the log, in order. */
  async take(events: readonly ParsedEvent[]): Promise<void> {
    await this.#begin(events.filter(({ revision }) => revision === 1));
    const ready: Open<State>[] = [];
    for (const event of events) {
      const stream = this.#open.get(event.stream_id);
      if (stream === undefined || stream.row.stream.positions[stream.events.length] !== event.position) continue;
      stream.events.push(event);
      this.#held.events++;
      this.#held.characters += event.data.length;
      if (stream.events.length === stream.own) ready.push(this.#close(stream));
    }
    this.most_events = Math.max(this.most_events, this.#held.events);
    for (const stream of this.#open.values()) {
      const { events, characters } = this.#held;
      if (events <= this.#waiting.events && characters <= this.#waiting.characters) break;
      ready.push(this.#close(stream));
    }
    await this.#work_off(ready);
  }

  /** Works through the streams that began up to a position, whose events before it do not come by. */
  async take_earlier(position: number, signal: AbortSignal, progress: (events: number) => void): Promise<void> {
    for (let from = 0; from < position; from += PAGE_POSITIONS) {
      signal.throwIfAborted();
      const to = Math.min(from + PAGE_POSITIONS, position);
      await this.#begin(await streams_begun(this.#database, from, to));
      await this.#work_off([...this.#open.values()].map((stream) => this.#close(stream)));
      progress(to - from);
    }
  }

  /** Works off what waits, once the log is through, and says what no stream has. */
  async end(): Promise<VerifiedStreams> {
    await this.#work_off([...this.#open.values()].map((stream) => this.#close(stream)));
    const { tables: { states } } = this.#domain;
    if (!this.#faults.enough) {
      await patiently(this.#database, async (tx) => {
        const [found] = await tx.query<{ streams: string }>(
          `select count(*) as streams from ${states} s where ${BEGUN}`,
          [this.#head],
        );
        if (Number(found?.streams) !== this.#streams) await this.#find_unbegun(tx);
        if (this.#events === this.#head) return;
        this.#faults.add(`${states}: its streams hold ${this.#events} events, the log holds ${this.#head}`);
        await this.#find_strays(tx);
      });
    }
    return { streams: this.#streams, folded: this.#folded };
  }

  /** Reads the rows of streams of which these are the first events; those not chosen are done with. */
  async #begin(first: readonly { readonly stream_id: string; readonly position: number }[]): Promise<void> {
    if (first.length === 0) return;
    const begun = new Map(first.map(({ stream_id, position }) => [stream_id, position]));
    for (const row of await this.#states.rows(this.#database, [...begun.keys()])) {
      const { stream_id, stream: { positions } } = row;
      if (positions[0] !== begun.get(stream_id)) continue;
      let own = positions.length;
      while (own > 0 && positions[own - 1]! > this.#head) own--;
      this.#streams++;
      this.#events += own;
      if (own < positions.length || this.#chosen(stream_id, positions)) {
        this.#open.set(stream_id, { row, own, events: [] });
      } else {
        this.#tell(row, row_fault(this.#domain, row));
        await this.#add([{ contribution: this.#domain.contribution(row.stream.state), ordinal: positions.at(-1)! }]);
      }
    }
  }

  async #add(steps: Steps): Promise<void> {
    if (this.#sums.add(steps)) await this.#sums.settle();
  }

  #close(stream: Open<State>): Open<State> {
    this.#open.delete(stream.row.stream_id);
    this.#held.events -= stream.events.length;
    for (const { data } of stream.events) this.#held.characters -= data.length;
    return stream;
  }

  /** Reads what is missing of the events of streams, and folds them. */
  async #work_off(streams: readonly Open<State>[]): Promise<void> {
    for (const page of pages_of(streams)) {
      const missing = page.flatMap(({ row, events }) => row.stream.positions.slice(events.length));
      const read = missing.length === 0 ? [] : await read_at(this.#database, missing);
      const by_position = new Map(read.map((event) => [event.position, parsed_event(event)]));
      for (const { row, own, events } of page) {
        const all = row.stream.positions.map((position, i) => events[i] ?? by_position.get(position));
        const { states, fault } = fold_events(this.#domain, row, all);
        this.#tell(row, fault);
        const { positions } = row.stream;
        await this.#add(
          states.length === positions.length
            ? states.slice(0, own).map((state, i) => ({
              contribution: this.#domain.contribution(state),
              ordinal: positions[i]!,
            }))
            : [{ contribution: this.#domain.contribution(row.stream.state), ordinal: positions[own - 1]! }],
        );
        this.#folded++;
      }
      if (this.#faults.enough) return;
    }
  }

  #tell({ stream_id }: StreamRow<State>, fault: string | null): void {
    if (fault !== null) this.#faults.add(`${this.#domain.tables.states} ${JSON.stringify(stream_id)}: ${fault}`);
  }

  /** Names the rows whose first event is not the first event of their stream. */
  async #find_unbegun(tx: Queryable): Promise<void> {
    const { tables: { states }, stream_column } = this.#domain;
    const rows = await tx.query<{ stream_id: string; revision: number; first: string | null }>(
      `select s.${stream_column} as stream_id, s.revision, s.positions[1] as first from ${states} s where ${BEGUN}
        and not exists (select from events e where e.position = s.positions[1] and e.stream_id = s.${stream_column} and e.revision = 1)
        limit ${Faults.MOST}`,
      [this.#head],
    );
    for (const { stream_id, revision, first } of rows) {
      const why = first === null ? "it has no events" : `event ${first} of the log does not begin it`;
      this.#faults.add(`${states} ${JSON.stringify(stream_id)}: revision ${revision}, ${why}`);
    }
  }

  /** Names the events that no stream has. */
  async #find_strays(tx: Queryable): Promise<void> {
    const { tables: { states }, stream_column } = this.#domain;
    const strays = await tx.query<{ position: string; stream_id: string }>(
      `select e.position, e.stream_id from events e where e.position <= $1
        and not exists (select from ${states} s where s.${stream_column} = e.stream_id and e.position = any(s.positions))
        order by e.position limit ${Faults.MOST}`,
      [this.#head],
    );
    for (const { position, stream_id } of strays) {
      this.#faults.add(`${states} ${JSON.stringify(stream_id)}: event ${position} of the log is not in it`);
    }
  }
}

/** Whether a row was there when the log ended at position $1: it did not begin after it. */
const BEGUN = "(s.positions[1] > $1) is not true";

/** Streams in pages of which not too many events are missing. */
function* pages_of<State>(streams: readonly Open<State>[]): Iterable<Open<State>[]> {
  let page: Open<State>[] = [], missing = 0;
  for (const stream of streams) {
    const more = stream.row.stream.positions.length - stream.events.length;
    if (missing > 0 && missing + more > PAGE_EVENTS) {
      yield page;
      page = [];
      missing = 0;
    }
    page.push(stream);
    missing += more;
  }
  if (page.length > 0) yield page;
}

/** What the events make of a stream, one after the other, and what is wrong with its row; no states where they make nothing. */
function fold_events<Payload, State>(
  domain: Domain<Payload, State>,
  { stream_id, stream, values }: StreamRow<State>,
  own: readonly (ParsedEvent | undefined)[],
): { readonly states: readonly State[]; readonly fault: string | null } {
  const faulty = (fault: string) => ({ states: [], fault });
  const events: ArrivedEvent<Payload>[] = [];
  for (const [i, event] of own.entries()) {
    const position = stream.positions[i];
    if (event === undefined) return faulty(`event ${position} is not in the log`);
    if (event.stream_id !== stream_id) return faulty(`event ${position} belongs to ${JSON.stringify(event.stream_id)}`);
    if (event.revision !== i + 1) return faulty(`event ${position} has revision ${event.revision}, expected ${i + 1}`);
    if (stream.hashes[i] !== hash_event_id(event.event_id)) {
      return faulty(`the hash of event ${position} is not that of its id`);
    }
    const payload = domain.parse(event.type, event.schema_version, event.content);
    if (!payload.ok) return faulty(`event ${position} is refused today: ${payload.fault.detail}`);
    events.push({ ...event, payload: payload.value, attributes: null });
  }
  if (stream.revision !== events.length) return faulty(`revision ${stream.revision}, its events are ${events.length}`);
  if (stream.hashes.length !== events.length) {
    return faulty(`it has ${stream.hashes.length} hashes, its events are ${events.length}`);
  }
  const { states, last } = fold_arrivals(domain, events);
  const { occurred_at_us, event_id } = last;
  const misdated = stream.last_us === occurred_at_us && stream.last_event_id === event_id
    ? null
    : `its last event is ${JSON.stringify(stream.last_event_id)} at ${format_time(stream.last_us)}, ` +
      `its events say ${JSON.stringify(event_id)} at ${format_time(occurred_at_us)}`;
  return { states, fault: column_fault(domain, states.at(-1)!, values, "its events say") ?? misdated };
}

/** What is wrong with a row in itself; null when nothing is. */
function row_fault<Payload, State>(
  domain: Domain<Payload, State>,
  { stream, values }: StreamRow<State>,
): string | null {
  const { positions, hashes, revision } = stream;
  if (revision === 0 || positions.length !== revision || hashes.length !== revision) {
    return `revision ${revision}, it has ${positions.length} positions and ${hashes.length} hashes`;
  }
  return column_fault(domain, stream.state, values, "the rest of its row says");
}

function column_fault<Payload, State>(
  domain: Domain<Payload, State>,
  state: State,
  values: StateRow,
  says: string,
): string | null {
  for (const { name, get } of domain.columns) {
    const expected = get(state), found = values[name];
    if (expected !== found) return `${name} is ${found}, ${says} ${expected}`;
  }
  return null;
}
