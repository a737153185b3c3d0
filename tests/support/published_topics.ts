import assert from "node:assert/strict";
import type { Queryable } from "../../src/database/mod.ts";
import { type Domain, state_json } from "../../src/domains/mod.ts";
import { state_select } from "../../src/http/api/stream_route.ts";

/** What a consumer makes of published topics, and what the tables of the log say that it has to be. */

/** A message as it came. */
export interface TopicRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: string | null;
}

type Value = Readonly<Record<string, unknown>>;

/** The newest value of each key by topic, as a compacted topic keeps it: those that are gone are left out. */
export class TopicTables {
  readonly tables = new Map<string, Map<string, Value>>();
  /** What each id was the first time. */
  readonly #by_id = new Map<string, string>();
  readonly #versions = new Map<string, number>();
  repeated = 0;
  /** Windows that were told as closed, and closed ones that were told again with another version. */
  closed = 0;
  corrected = 0;

  /** Takes messages in, in the order in which their partitions have them; throws where what is promised of them does not hold. */
  take({ topic, key, value }: TopicRecord): void {
    const table = this.tables.get(topic) ?? new Map<string, Value>();
    this.tables.set(topic, table);
    if (value === null) return void table.delete(key);
    const told = JSON.parse(value) as Value & { readonly id: string; readonly version: number };
    const first = this.#by_id.get(told.id);
    if (first !== undefined) this.repeated++;
    assert.equal(first ?? value, value, "what has one id says one thing");
    this.#by_id.set(told.id, value);
    const place = `${topic} ${key}`;
    assert.ok(told.version >= (this.#versions.get(place) ?? 0), `${place}: versions come in order`);
    this.#versions.set(place, told.version);
    if (told.final === true) {
      const before = table.get(key);
      if (before?.final === true && before.version !== told.version) this.corrected++;
      else this.closed++;
    }
    table.set(key, told);
  }
}

/** The states of a domain, as its topics of an entity have them: by key of the entity and stream. */
export async function expected_streams(
  reading: Queryable,
  domain: Domain,
  entity: string,
): Promise<Map<string, Value>> {
  const { board } = domain;
  const { dimension } = board.entities!.of.find(({ name }) => name === entity)!;
  const column = board.dimensions.find(({ name }) => name === dimension)!.column!;
  const rows = await reading.query(
    `select ${state_select(board)}, coalesce(states.${column}::text, 'unknown') as entity_key from ${
      board.names?.states ?? board.tables.states
    } states`,
  );
  return new Map(rows.map((row) => {
    const told = JSON.parse(JSON.stringify(state_json(board, row)));
    return [JSON.stringify([row.entity_key, row[board.stream_column]]), told];
  }));
}

/** A window by what a reader of it looks at, written by hand in SQL over the states. */
interface ExpectedWindow {
  readonly key: string;
  readonly value: Value;
}

const start = (at: string): string =>
  `to_char(date_bin('5 minutes', ${at}, 'epoch') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000000Z"')`;

/** The windows of trips by a column of theirs. */
export async function expected_windows(reading: Queryable, column: string): Promise<ExpectedWindow[]> {
  const rows = await reading.query(
    `select coalesce(${column}, 'unknown') as key, ${start("completed_at")} as start, count(*)::int as trips,
      round(sum(duration_ms) / 60000.0 / nullif(count(duration_ms), 0), 2)::float8 as duration,
      round(coalesce(sum(distance_m), 0) / 1000.0, 2)::float8 as distance,
      round(coalesce(sum(fare_micros), 0) / 1000000.0, 2)::float8 as revenue
    from trips where status = 'completed' group by 1, 2`,
  );
  return rows.map((row) => ({
    key: JSON.stringify([row.key, row.start]),
    value: {
      trip_count: row.trips,
      avg_duration: row.duration,
      total_distance: row.distance,
      total_revenue: row.revenue,
    },
  }));
}

/** Throws where the tables that a consumer made of the topics of trips are not what the log's tables say. */
export async function assert_trips_agree(
  reading: Queryable,
  domain: Domain,
  topics: TopicTables,
  columns: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [entity, column] of Object.entries(columns)) {
    const expected = await expected_streams(reading, domain, entity);
    const told = topics.tables.get(`enriched.${entity}`) ?? new Map();
    assert.deepEqual([...told.keys()].sort(), [...expected.keys()].sort(), `keys of enriched.${entity}`);
    for (const [key, state] of expected) {
      const { id: _id, log_id: _log, version, ...rest } = told.get(key)!;
      assert.equal(version, state.position);
      assert.deepEqual({ ...rest, ...state }, rest, `enriched.${entity} ${key}`);
    }
    const windows = topics.tables.get(`aggregated.${entity}`) ?? new Map();
    const wanted = new Map((await expected_windows(reading, column)).map(({ key, value }) => [key, value]));
    for (const [key, value] of windows) {
      const { trip_count, avg_duration, total_distance, total_revenue } = value;
      const nothing = { trip_count: 0, avg_duration: null, total_distance: 0, total_revenue: 0 };
      assert.deepEqual(
        { trip_count, avg_duration, total_distance, total_revenue },
        wanted.get(key) ?? nothing,
        `aggregated.${entity} ${key}`,
      );
      wanted.delete(key);
    }
    assert.deepEqual([...wanted.keys()], [], `windows that aggregated.${entity} lacks`);
  }
}
