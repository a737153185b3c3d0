import type { Snapshot } from "../database/mod.ts";
import type { Domain, StateRow } from "../domains/mod.ts";
import {
  Faults,
  fold_recorded,
  hash_event_id,
  type Head,
  read_at,
  type RecordedEvent,
  type StreamRow,
  StreamStates,
} from "../event_log/mod.ts";
import { type CellChanges, format_time } from "../kpi/mod.ts";

const PAGE_STREAMS = 2_000;
/** Events that are held at a time, those of one stream aside. */
const PAGE_EVENTS = 10_000;

/** Streams in all, and how many of them were folded from their events. */
export interface VerifiedStreams {
  readonly streams: number;
  readonly folded: number;
}

/** Which streams are folded from their events; the others are taken as their rows have them. */
export type Choice = (stream_id: string, positions: readonly number[]) => boolean;

/**
 * Compares the rows of the chosen streams with the fold of their events, and what all streams add to the cells goes into `changes`: of a
 * chosen one what its events make it, of the others what their rows say, whose derived columns must agree with the rest. Every event of
 * the log must be in one stream. Memory: two pages of streams and one of events.
 * @param progress hears how many events the streams have that were worked on
 */
export async function verify_streams<Payload, State>(
  reading: Snapshot,
  domain: Domain<Payload, State>,
  head: Head,
  chosen: Choice,
  changes: CellChanges,
  faults: Faults,
  signal: AbortSignal,
  progress: (events: number) => void,
): Promise<VerifiedStreams> {
  const { states } = domain.tables;
  let streams = 0, folded = 0, events = 0;
  for await (const page of new StreamStates(domain).rows(reading, PAGE_STREAMS)) {
    for (const part of parts_of(page, chosen)) {
      signal.throwIfAborted();
      const positions = part.flatMap(({ own }) => own);
      const by_position = new Map(
        (positions.length === 0 ? [] : await read_at(reading, positions)).map((event) => [event.position, event]),
      );
      for (const { row, own } of part) {
        const { state, fault } = own.length === 0
          ? { state: row.stream.state, fault: row_fault(domain, row) }
          : fold_events(domain, row, own.map((position) => by_position.get(position)));
        if (fault !== null) faults.add(`${states} ${JSON.stringify(row.stream_id)}: ${fault}`);
        changes.replace(null, domain.contribution(state), 0);
        if (own.length > 0) folded++;
        events += row.stream.positions.length;
        progress(row.stream.positions.length);
      }
      if (faults.enough) return { streams, folded };
    }
    streams += page.length;
  }
  if (events !== head.position) {
    faults.add(`${states}: its streams hold ${events} events, the log holds ${head.position}`);
    await find_strays(reading, domain, faults);
  }
  return { streams, folded };
}

interface Part<State> {
  readonly row: StreamRow<State>;
  /** Positions of the events that it is folded from; none when it is not chosen. */
  readonly own: readonly number[];
}

/** A page in parts that do not hold too many events. */
function* parts_of<State>(page: readonly StreamRow<State>[], chosen: Choice): Iterable<Part<State>[]> {
  let part: Part<State>[] = [], events = 0;
  for (const row of page) {
    const own = chosen(row.stream_id, row.stream.positions) ? row.stream.positions : [];
    if (events > 0 && events + own.length > PAGE_EVENTS) {
      yield part;
      part = [];
      events = 0;
    }
    part.push({ row, own });
    events += own.length;
  }
  yield part;
}

/** Names the events that no stream has. */
async function find_strays(
  reading: Snapshot,
  { tables: { states }, stream_column }: Pick<Domain, "tables" | "stream_column">,
  faults: Faults,
): Promise<void> {
  const strays = await reading.query<{ position: string; stream_id: string }>(
    `select e.position, e.stream_id from events e
      where not exists (select from ${states} s where s.${stream_column} = e.stream_id and e.position = any(s.positions))
      order by e.position limit ${Faults.MOST}`,
  );
  for (const { position, stream_id } of strays) {
    faults.add(`${states} ${JSON.stringify(stream_id)}: event ${position} of the log is not in it`);
  }
}

/** What the events make of a stream, and what is wrong with its row; where they make nothing, the state is the row's. */
function fold_events<Payload, State>(
  domain: Domain<Payload, State>,
  { stream_id, stream, values }: StreamRow<State>,
  own: readonly (RecordedEvent | undefined)[],
): { readonly state: State; readonly fault: string | null } {
  const faulty = (fault: string) => ({ state: stream.state, fault });
  const events: RecordedEvent[] = [];
  for (const [i, event] of own.entries()) {
    const position = stream.positions[i];
    if (event === undefined) return faulty(`event ${position} is not in the log`);
    if (event.stream_id !== stream_id) return faulty(`event ${position} belongs to ${JSON.stringify(event.stream_id)}`);
    if (event.revision !== i + 1) return faulty(`event ${position} has revision ${event.revision}, expected ${i + 1}`);
    if (stream.hashes[i] !== hash_event_id(event.event_id)) {
      return faulty(`the hash of event ${position} is not that of its id`);
    }
    events.push(event);
  }
  if (stream.revision !== events.length) return faulty(`revision ${stream.revision}, its events are ${events.length}`);
  const folded = fold_recorded(domain, events);
  if (!folded.ok) return faulty(folded.fault);
  const { state, last } = folded;
  const { occurred_at_us, event_id } = last!;
  const misdated = stream.last_us === occurred_at_us && stream.last_event_id === event_id
    ? null
    : `its last event is ${JSON.stringify(stream.last_event_id)} at ${format_time(stream.last_us)}, ` +
      `its events say ${JSON.stringify(event_id)} at ${format_time(occurred_at_us)}`;
  return { state, fault: column_fault(domain, state, values, "its events say") ?? misdated };
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
