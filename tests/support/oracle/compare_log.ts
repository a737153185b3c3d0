import { type Differences, instant_text } from "./differences.ts";
import type { AdmittedEvent, Expectation } from "./expectation.ts";
import type { Coordinates } from "./source_message.ts";
import { canonical_text, type Json } from "./json.ts";
import { bigint_in, micros_of, PAGE_ROWS, type Query, text_in, text_or_null } from "./query.ts";

/** An event that the log must hold, of whatever domain. */
export type LoggedEvent = Coordinates & {
  readonly event_id: string;
  readonly type: string;
  readonly time_us: number;
  readonly data_text: string;
};

/** What a log must hold, whatever its events are about. */
export type LogExpectation<Event extends LoggedEvent> =
  & Pick<
    Expectation,
    "messages_read" | "admitted_count" | "duplicates" | "tombstones" | "quarantined" | "partition_ends"
  >
  & {
    /** By stream id, then by event id. */
    admitted: ReadonlyMap<string, ReadonlyMap<string, Event>>;
    touched: (arrived: Event[]) => Set<string>;
  };

/** The positions of each stream in the log, ascending. */
export type StreamPositions = Map<string, number[]>;

/** What is known of the log from earlier comparisons: it is read on from there. */
export type LogReading<Event extends LoggedEvent> = {
  last_position: number;
  positions: StreamPositions;
  found: Set<Event>;
  /** The events of each stream in the order in which the log has them. */
  arrived: Map<string, Event[]>;
  /** The position of the last event that touched each cell, by "grain|bucket_us|dimension|key". */
  touched_at: Map<string, number>;
};

/** The reading of a log of which nothing was read. */
export const new_reading = <Event extends LoggedEvent = AdmittedEvent>(): LogReading<Event> => ({
  last_position: 0,
  positions: new Map(),
  found: new Set(),
  arrived: new Map(),
  touched_at: new Map(),
});

/** Compares the events behind the reading with the admitted events, both ways, and takes them into it. */
export async function compare_events<Event extends LoggedEvent>(
  query: Query,
  expectation: LogExpectation<Event>,
  differences: Differences,
  reading: LogReading<Event>,
): Promise<void> {
  const { positions, found } = reading;
  for (;;) {
    const rows = await query(`
      select position::text as position, stream_id, revision::text as revision, event_id, type,
        schema_version::text as schema_version, ${micros_of("occurred_at")} as occurred_at, data::text as data,
        metadata->>'topic' as topic, metadata->>'partition' as partition, metadata->>'offset' as message_offset
      from events where events.position > ${reading.last_position} order by events.position limit ${PAGE_ROWS}`);
    for (const row of rows) {
      const position = Number(text_in(row, "position"));
      if (position !== reading.last_position + 1) {
        differences.add("events", `position: expected ${reading.last_position + 1}, found ${position}`);
      }
      reading.last_position = position;
      const stream_id = text_in(row, "stream_id");
      const of_stream = positions.get(stream_id) ?? [];
      of_stream.push(position);
      positions.set(stream_id, of_stream);
      compare_event(row, of_stream.length, expectation, found, differences);
      const event = expectation.admitted.get(stream_id)?.get(text_in(row, "event_id"));
      if (event === undefined) continue;
      const arrived = reading.arrived.get(stream_id) ?? [];
      arrived.push(event);
      reading.arrived.set(stream_id, arrived);
      for (const cell of expectation.touched(arrived)) reading.touched_at.set(cell, position);
    }
    if (rows.length < PAGE_ROWS) break;
  }
  for (const [stream_id, events] of expectation.admitted) {
    for (const event of events.values()) {
      if (!found.has(event)) differences.add("events", `${name_of(stream_id, event.event_id)}: missing in the log`);
    }
  }
}

function name_of(stream_id: string, event_id: string): string {
  return `event ${JSON.stringify(event_id)} of stream ${JSON.stringify(stream_id)}`;
}

function compare_event<Event extends LoggedEvent>(
  row: Record<string, unknown>,
  revision: number,
  expectation: LogExpectation<Event>,
  found: Set<Event>,
  differences: Differences,
): void {
  const stream_id = text_in(row, "stream_id");
  const event_id = text_in(row, "event_id");
  const name = name_of(stream_id, event_id);
  const expected = expectation.admitted.get(stream_id)?.get(event_id);
  if (!expected) {
    differences.add("events", `${name}: not expected, found at position ${text_in(row, "position")}`);
    return;
  }
  if (found.has(expected)) differences.add("events", `${name}: found twice`);
  found.add(expected);

  const data: Json = JSON.parse(text_in(row, "data"));
  const checks: [string, string, string | null][] = [
    ["revision", String(revision), text_in(row, "revision")],
    ["type", expected.type, text_in(row, "type")],
    ["schema_version", "1", text_in(row, "schema_version")],
    ["occurred_at", String(expected.time_us), text_in(row, "occurred_at")],
    ["data", canonical_text(JSON.parse(expected.data_text) as Json), canonical_text(data)],
    ["metadata topic", expected.topic, text_or_null(row, "topic")],
    ["metadata partition", String(expected.partition), text_or_null(row, "partition")],
    ["metadata offset", String(expected.offset), text_or_null(row, "message_offset")],
  ];
  for (const [what, wanted, got] of checks) {
    if (wanted === got) continue;
    const [from, to] = what === "occurred_at" ? [wanted, got].map((us) => instant_text(Number(us))) : [wanted, got];
    differences.add("events", `${name} ${what}: expected ${from}, found ${to}`);
  }
}

/** Compares log head, batches, cursors and held quarantine with the expectation. */
export async function compare_bookkeeping<Event extends LoggedEvent>(
  query: Query,
  expectation: LogExpectation<Event>,
  differences: Differences,
): Promise<void> {
  const totals: Record<string, bigint> = {
    messages_read: BigInt(expectation.messages_read),
    admitted: BigInt(expectation.admitted_count),
    duplicates: BigInt(expectation.duplicates),
    quarantined: BigInt(expectation.quarantined.length),
    tombstones: BigInt(expectation.tombstones),
    skipped: 0n,
  };
  // What is retried was counted as read and quarantined by the batch that read it first.
  const counts = Object.keys(totals).map((total) => `coalesce(sum(${total}), 0)::text as ${total}`).join(", ");
  const [batches = {}] = await query(`
    select ${counts}, coalesce(max(last_position), 0)::text as last_position,
      count(*) filter (where unaccounted)::text as unaccounted
    from (
      select last_position, messages_read - again as messages_read, admitted, duplicates, quarantined - again as quarantined,
        tombstones, skipped, messages_read <> admitted + duplicates + quarantined + tombstones + skipped as unaccounted
      from batches, lateral (select case kind when 'retried' then (note ->> 'count')::bigint else 0 end as again) retried
    ) counted`);
  const [head = {}] = await query(`
    select position::text as admitted, messages_read::text as messages_read, duplicates::text as duplicates,
      quarantined::text as quarantined, tombstones::text as tombstones, skipped::text as skipped from log_head`);
  for (const [total, wanted] of Object.entries(totals)) {
    compare_number(differences, "batches", `sum of ${total}`, wanted, bigint_in(batches, total));
    const column = total === "admitted" ? "position" : total;
    compare_number(differences, "log_head", column, wanted, bigint_in(head, total));
  }
  const wanted_position = BigInt(expectation.admitted_count);
  compare_number(
    differences,
    "batches",
    "greatest last_position",
    wanted_position,
    bigint_in(batches, "last_position"),
  );
  compare_number(differences, "batches", "rows that do not add up", 0n, bigint_in(batches, "unaccounted"));
  await compare_cursors(query, expectation, differences);
  await compare_quarantine(query, expectation, differences);
}

function compare_number(differences: Differences, section: string, what: string, wanted: bigint, got: bigint): void {
  if (wanted !== got) differences.add(section, `${section} ${what}: expected ${wanted}, found ${got}`);
}

async function compare_cursors(
  query: Query,
  expectation: Pick<Expectation, "partition_ends">,
  differences: Differences,
): Promise<void> {
  const rows = await query(
    "select topic, partition::text as partition, next_offset::text as next_offset from source_cursors",
  );
  const cursors = new Map(
    rows.map((row) => [`${text_in(row, "topic")}/${text_in(row, "partition")}`, bigint_in(row, "next_offset")]),
  );
  for (const { topic, partition, next_offset } of expectation.partition_ends) {
    const name = `${topic}/${partition}`;
    const cursor = cursors.get(name);
    if (cursor !== next_offset) {
      differences.add("cursors", `cursor ${name}: expected ${next_offset}, found ${cursor ?? "none"}`);
    }
    cursors.delete(name);
  }
  // A partition without messages may have a cursor that still stands at its start.
  for (const [name, cursor] of cursors) {
    if (cursor !== 0n) differences.add("cursors", `cursor ${name}: expected 0 or none, found ${cursor}`);
  }
}

async function compare_quarantine(
  query: Query,
  expectation: Pick<Expectation, "quarantined">,
  differences: Differences,
): Promise<void> {
  const rows = await query(`
    select topic, partition::text as partition, message_offset::text as message_offset, reason
    from quarantine where status = 'held'`);
  const held = new Map(rows.map((row) => [
    `${text_in(row, "topic")}/${text_in(row, "partition")}/${text_in(row, "message_offset")}`,
    text_in(row, "reason"),
  ]));
  for (const { topic, partition, offset, reason } of expectation.quarantined) {
    const name = `${topic}/${partition}/${offset}`;
    if (!held.delete(name)) {
      differences.add("quarantine", `message ${name}: expected in quarantine (${reason}), not held`);
    }
  }
  for (const [name, reason] of held) {
    differences.add("quarantine", `message ${name}: not expected in quarantine, held for ${reason}`);
  }
}
