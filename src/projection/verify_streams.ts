import { type Database, patiently, type Queryable, type Snapshot } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import {
  type ArrivedEvent,
  Faults,
  find_at,
  fold_arrivals,
  hash_event_id,
  pages_of_streams,
  type ParsedEvent,
  recorded_payload,
  type StreamRow,
  streams_begun,
  StreamStates,
  type StreamText,
} from "../event_log/mod.ts";
import type { Contribution } from "../kpi/mod.ts";
import { fold_events, type Read, read_of, row_fault } from "./stream_history.ts";

/** Rows that are read at a time. */
const PAGE_ROWS = 5_000;
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

/** A stream on its way: its row, and of its events up to the head those that came by. */
interface Open {
  readonly row: StreamText;
  /** How many of its events there are up to the head. */
  readonly own: number;
  readonly events: Read[];
}

/** Positions of the first events of streams, by their ids, and the rows of these. */
interface Begun {
  readonly begun: ReadonlyMap<string, number>;
  readonly rows: readonly StreamText[];
}

/** Events that were taken in, and what is asked for about those that streams begin with. */
interface Taken {
  readonly events: readonly ParsedEvent[];
  readonly rows: Promise<Begun>;
}

/**
 * Compares the rows of the chosen streams with the fold of their events, and tells what each stream added to the cells up to the head: of a
 * chosen one what its events make it, of the others what their rows say, whose derived columns must agree with the rest. Every event of
 * the log must be in one stream, every stream must have begun in the log.
 *
 * It goes along with the log: a stream is looked at when its first event comes by, and ready when its last one does. Rows are read as they
 * are by then: one that has events past the head is folded from all of them, and added as of the head. So nothing holds a snapshot.
 * A row whose text is the one that its events make is right as a whole; every other one is read anew, and looked at column by column.
 * Memory: what `Waiting` says; past it the streams that began first are worked off, their later events read by position.
 */
export class StreamCheck {
  readonly #database: Database;
  readonly #domain: Domain;
  readonly #head: number;
  readonly #archived: number;
  readonly #chosen: Choice;
  readonly #sums: Sums;
  readonly #faults: Faults;
  readonly #waiting: Waiting;
  readonly #states: StreamStates;
  readonly #open = new Map<string, Open>();
  #taken: Taken | null = null;
  #held = { events: 0, characters: 0 };
  /** Events that waited at the same time, at most. */
  most_events = 0;
  /** Rows that were not right at first sight. */
  examined = 0;
  #streams = 0;
  #folded = 0;
  #events = 0;

  /**
   * @param head the position that is verified up to
   * @param archived how far the log is archived
   */
  constructor(
    database: Database,
    domain: Domain,
    { head, archived }: { readonly head: number; readonly archived: number },
    { chosen, sums, faults }: { readonly chosen: Choice; readonly sums: Sums; readonly faults: Faults },
    waiting: Waiting = WAITING,
  ) {
    this.#database = database;
    this.#domain = domain;
    this.#head = head;
    this.#archived = archived;
    this.#chosen = chosen;
    this.#sums = sums;
    this.#faults = faults;
    this.#waiting = waiting;
    this.#states = new StreamStates(domain);
  }

  /** Takes in the next events of the log, in order. While the rows of the streams that begin with them are read, the events before are worked on. */
  async take(events: readonly ParsedEvent[]): Promise<void> {
    const rows = this.#rows_of(events.filter(({ revision }) => revision === 1));
    // Met when it is its turn, if it ever is.
    rows.catch(() => {});
    const before = this.#taken;
    this.#taken = { events, rows };
    if (before !== null) await this.#follow(before);
  }

  async #follow({ events, rows }: Taken): Promise<void> {
    await this.#begin(await rows);
    const ready: Open[] = [];
    for (const event of events) {
      const stream = this.#open.get(event.stream_id);
      if (stream === undefined || stream.row.positions[stream.events.length] !== event.position) continue;
      const payload = this.#domain.parse(event.type, event.schema_version, event.content);
      stream.events.push(read_of(event, payload));
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

  /**
   * Takes the streams that began with an event that is archived as their rows have them. Their events cannot be folded, so that their rows have to be
   * those of the head's moment.
   * @param reading sees that moment
   */
  async take_archived(reading: Snapshot, signal: AbortSignal, progress: (streams: number) => void): Promise<void> {
    if (this.#archived === 0) return;
    for await (const page of this.#states.begun_by(reading, this.#archived, PAGE_ROWS)) {
      signal.throwIfAborted();
      for (const row of page) {
        const { positions, state } = row.stream;
        this.#streams++;
        this.#events += positions.length;
        this.#tell(row, row_fault(this.#domain, row));
        if (this.#add([state], positions)) await this.#sums.settle();
      }
      progress(page.length);
    }
  }

  /** Works through the streams that began up to a position, whose events before it do not come by. */
  async take_earlier(position: number, signal: AbortSignal, progress: (events: number) => void): Promise<void> {
    progress(Math.min(this.#archived, position));
    for (let from = this.#archived; from < position; from += PAGE_POSITIONS) {
      signal.throwIfAborted();
      const to = Math.min(from + PAGE_POSITIONS, position);
      await this.#begin(await this.#rows_of(await streams_begun(this.#database, from, to)));
      await this.#work_off([...this.#open.values()].map((stream) => this.#close(stream)));
      progress(to - from);
    }
  }

  /** Works off what waits, once the log is through, and says what no stream has. */
  async end(): Promise<VerifiedStreams> {
    if (this.#taken !== null && !this.#faults.enough) await this.#follow(this.#taken);
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

  /** Reads the rows of streams of which these are the first events. */
  async #rows_of(first: readonly { readonly stream_id: string; readonly position: number }[]): Promise<Begun> {
    const begun = new Map(first.map(({ stream_id, position }) => [stream_id, position]));
    return { begun, rows: begun.size === 0 ? [] : await this.#states.texts(this.#database, [...begun.keys()]) };
  }

  /** Lets streams begin; those that are not chosen are done with. */
  async #begin({ begun, rows }: Begun): Promise<void> {
    const unchosen: string[] = [];
    for (const row of rows) {
      const { stream_id, positions } = row;
      if (positions[0] !== begun.get(stream_id)) continue;
      const own = this.#own(positions);
      this.#streams++;
      this.#events += own;
      if (own < positions.length || this.#chosen(stream_id, positions)) {
        this.#open.set(stream_id, { row, own, events: [] });
      } else unchosen.push(stream_id);
    }
    if (unchosen.length === 0) return;
    for (const row of await this.#states.rows(this.#database, unchosen)) {
      const { stream_id, stream: { positions, state } } = row, own = this.#own(positions);
      if (own < positions.length) {
        this.#open.set(stream_id, { row: { stream_id, positions, text: "" }, own, events: [] });
        continue;
      }
      this.#tell(row, row_fault(this.#domain, row));
      if (this.#add([state], positions)) await this.#sums.settle();
    }
  }

  /** How many of these positions are up to the head. */
  #own(positions: readonly number[]): number {
    let own = positions.length;
    while (own > 0 && positions[own - 1]! > this.#head) own--;
    return own;
  }

  /**
   * Adds a stream as of the head; the last of its states there are those after the events at the last of the positions.
   * @returns whether the sums have to be settled now
   */
  #add(states: readonly unknown[], positions: readonly number[]): boolean {
    const before = positions.length - states.length;
    const steps = states.map((state, i) => ({
      contribution: this.#domain.contribution(state),
      ordinal: positions[before + i]!,
    }));
    return this.#sums.add(steps);
  }

  #close(stream: Open): Open {
    this.#open.delete(stream.row.stream_id);
    this.#held.events -= stream.events.length;
    for (const { characters } of stream.events) this.#held.characters -= characters;
    return stream;
  }

  /** Reads what is missing of the events of streams and folds them; looks closer at those whose rows are not what that makes. */
  async #work_off(streams: readonly Open[]): Promise<void> {
    for (const page of pages_of(streams)) {
      const by_position = await this.#read(page.flatMap(({ row, events }) => row.positions.slice(events.length)));
      const others: Open[] = [];
      for (const { row, own, events } of page) {
        const missing = row.positions.slice(events.length).map((position) => by_position.get(position));
        const states = this.#agreed(row, missing.length === 0 ? events : [...events, ...missing]);
        if (states === null) others.push({ row, own, events: [] });
        else {
          if (this.#add(states.slice(0, own), row.positions.slice(0, own))) await this.#sums.settle();
          this.#folded++;
        }
      }
      for (const some of pages_of(others)) await this.#examine(some.map(({ row }) => row));
      if (this.#faults.enough) return;
    }
  }

  /** The events at positions, by position. */
  async #read(positions: readonly number[]): Promise<Map<number, Read>> {
    const events = positions.length === 0 ? [] : await find_at(this.#database, positions);
    return new Map(events.map((event) => [event.position, read_of(event, recorded_payload(this.#domain, event))]));
  }

  /** What the events make of a stream, one after the other, where its row is the last of that; null otherwise. */
  #agreed({ stream_id, text }: StreamText, events: readonly (Read | undefined)[]): readonly unknown[] | null {
    const arrived: ArrivedEvent[] = [];
    for (const event of events) {
      if (event === undefined || event.stream_id !== stream_id || event.revision !== arrived.length + 1) return null;
      const { position, event_id, type, occurred_at_us, payload } = event;
      if (!payload.ok) return null;
      arrived.push({ position, stream_id, event_id, type, occurred_at_us, payload: payload.value });
    }
    if (arrived.length === 0) return null;
    const { states, last } = fold_arrivals(this.#domain, arrived);
    const made = {
      state: states.at(-1)!,
      revision: arrived.length,
      last_us: last.occurred_at_us,
      last_event_id: last.event_id,
      hashes: arrived.map(({ event_id }) => hash_event_id(event_id)),
    };
    return this.#states.is_text_of(made, text) ? states : null;
  }

  /** Reads the rows of streams anew, with all their events, and compares them column by column. */
  async #examine(streams: readonly StreamText[]): Promise<void> {
    this.examined += streams.length;
    const rows = new Map(
      (await this.#states.rows(this.#database, streams.map(({ stream_id }) => stream_id)))
        .map((row) => [row.stream_id, row]),
    );
    const events = await this.#read([...rows.values()].flatMap(({ stream: { positions } }) => positions));
    for (const { stream_id } of streams) {
      const row = rows.get(stream_id);
      if (row === undefined) {
        this.#tell({ stream_id }, "its row is gone since it was read");
        continue;
      }
      const { positions, state } = row.stream;
      const { states, fault } = fold_events(this.#domain, row, positions.map((position) => events.get(position)));
      this.#tell(row, fault);
      const own = positions.slice(0, this.#own(positions));
      const added = states.length === positions.length ? states.slice(0, own.length) : [state];
      if (this.#add(added, own)) await this.#sums.settle();
      this.#folded++;
    }
  }

  #tell({ stream_id }: Pick<StreamRow, "stream_id">, fault: string | null): void {
    if (fault !== null) this.#faults.add(`${this.#domain.tables.states} ${JSON.stringify(stream_id)}: ${fault}`);
  }

  /** Names the rows whose first event is not the first event of their stream. */
  async #find_unbegun(tx: Queryable): Promise<void> {
    const { tables: { states }, stream_column } = this.#domain;
    const rows = await tx.query<{ stream_id: string; revision: number; first: string | null }>(
      `select s.${stream_column} as stream_id, s.revision, s.positions[1] as first from ${states} s where ${BEGUN} and (s.positions[1] <= $2) is not true
        and not exists (select from events e where e.position = s.positions[1] and e.stream_id = s.${stream_column} and e.revision = 1)
        limit ${Faults.MOST}`,
      [this.#head, this.#archived],
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
const pages_of = (streams: readonly Open[]): Iterable<Open[]> =>
  pages_of_streams(streams, ({ row, events }) => row.positions.length - events.length);
