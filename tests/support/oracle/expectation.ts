import { CellCount, type Measures, touched_cells } from "./cells.ts";
import { daily_kpis, type DailyKpis } from "./daily.ts";
import { decode_message, is_tombstone, type TripEvent } from "./decode.ts";
import { fold_trip, type TripRow } from "./fold.ts";
import { Fault } from "./json.ts";
import { local_days } from "./local_day.ts";
import { type Bins, SketchCount } from "./sketches.ts";
import type { Coordinates, OracleOptions, SourceMessage } from "./source_message.ts";

const MOST_EVENTS_OF_A_TRIP = 1000;

/** An event that the log must hold, with the coordinates of the message that brought it first. */
export type AdmittedEvent = TripEvent & Coordinates;
/** A message that quarantine must hold. */
export type QuarantinedMessage = Coordinates & { reason: string };
/** How far a partition was read: the next offset is one after the last message. */
export type PartitionEnd = { topic: string; partition: number; next_offset: bigint };

/** What the database must hold once all messages have been read. */
export type Expectation = {
  messages_read: number;
  admitted_count: number;
  /** By trip id, then by event id in order of arrival. */
  admitted: Map<string, Map<string, AdmittedEvent>>;
  duplicates: number;
  tombstones: number;
  quarantined: QuarantinedMessage[];
  partition_ends: PartitionEnd[];
  trips: Map<string, TripRow>;
  /** Trips with an event that the expectation before this one did not have. */
  changed: Set<string>;
  /** By "grain|bucket_us|dimension|key"; no cell in it is all zero. */
  cells: Map<string, Measures>;
  /** By "grain|bucket_us|dimension|sketch|key"; none of them is empty. */
  sketches: Map<string, Bins>;
  /** The cells that an event touches of which these are all that had arrived of its trip, it last. */
  touched: (arrived: TripEvent[]) => Set<string>;
  /** By local date; only dates with completed trips. */
  daily: Map<string, DailyKpis>;
};

/** Takes messages one by one, so that a long topic need not be held in memory. */
export type Oracle = { take(message: SourceMessage): void; conclude(): Expectation };

/**
 * Computes what the database must hold after these messages. Within a partition they must come by ascending offset
 * (throws otherwise), since of two messages that contradict each other the first is admitted. A trip's messages must be
 * in one partition.
 */
export function oracle(messages: Iterable<SourceMessage>, options: OracleOptions): Expectation {
  const started = start_oracle(options);
  for (const message of messages) started.take(message);
  return started.conclude();
}

/**
 * Like `oracle`, for messages that arrive over time. `conclude` may be called again after more messages; what it gave before goes on
 * with it, only `changed` tells of the step between two.
 */
export function start_oracle(options: OracleOptions): Oracle {
  const local_day = local_days(options.time_zone);
  const admitted = new Map<string, Map<string, AdmittedEvent>>();
  const quarantined: QuarantinedMessage[] = [];
  const partition_ends = new Map<string, PartitionEnd>();
  const folded = new Map<string, TripRow>();
  const count = new CellCount(local_day);
  const sketches = new SketchCount(local_day);
  let changed = new Set<string>();
  let messages_read = 0;
  let admitted_count = 0;
  let duplicates = 0;
  let tombstones = 0;

  function advance(coordinates: Coordinates): void {
    const { topic, partition, offset } = coordinates;
    const name = `${partition}|${topic}`;
    const end = partition_ends.get(name);
    if (end && offset < end.next_offset) {
      throw new Error(
        `message ${topic}/${partition}/${offset} refused: offset ${end.next_offset} or later was expected`,
      );
    }
    partition_ends.set(name, { topic, partition, next_offset: offset + 1n });
  }

  function take(message: SourceMessage): void {
    const coordinates = { topic: message.topic, partition: message.partition, offset: BigInt(message.offset) };
    advance(coordinates);
    messages_read++;
    if (is_tombstone(message)) {
      tombstones++;
      return;
    }
    const event = decode_message(message, options);
    if (event instanceof Fault) {
      quarantined.push({ ...coordinates, reason: event.reason });
      return;
    }
    const events_of_trip = admitted.get(event.trip_id) ?? new Map<string, AdmittedEvent>();
    const earlier = events_of_trip.get(event.event_id);
    if (earlier && is_same_event(earlier, event)) {
      duplicates++;
    } else if (earlier) {
      quarantined.push({ ...coordinates, reason: `identity conflict with offset ${earlier.offset}` });
    } else if (events_of_trip.size >= MOST_EVENTS_OF_A_TRIP) {
      quarantined.push({ ...coordinates, reason: `the trip has ${MOST_EVENTS_OF_A_TRIP} events` });
    } else {
      events_of_trip.set(event.event_id, { ...event, ...coordinates });
      admitted.set(event.trip_id, events_of_trip);
      admitted_count++;
      changed.add(event.trip_id);
    }
  }

  function conclude(): Expectation {
    // A trip with new events is folded from scratch, all its events together.
    for (const trip_id of changed) {
      const row = fold_trip([...admitted.get(trip_id)?.values() ?? []], options.currency);
      const before = folded.get(trip_id) ?? null;
      count.replace(before, row);
      sketches.replace(before, row);
      folded.set(trip_id, row);
    }
    const changed_now = changed;
    changed = new Set();
    return {
      messages_read,
      admitted_count,
      admitted,
      duplicates,
      tombstones,
      quarantined,
      partition_ends: [...partition_ends.values()],
      trips: folded,
      changed: changed_now,
      cells: count.cells,
      sketches: sketches.sketches,
      touched: (arrived) => {
        const before = arrived.length === 1 ? null : fold_trip(arrived.slice(0, -1), options.currency);
        return touched_cells(before, fold_trip(arrived, options.currency), local_day);
      },
      get daily() {
        return daily_kpis(folded.values(), local_day);
      },
    };
  }

  return { take, conclude };
}

/** Schema version is not compared since there is only one. */
function is_same_event(a: TripEvent, b: TripEvent): boolean {
  return a.type === b.type && a.time_us === b.time_us && a.data_text === b.data_text;
}
