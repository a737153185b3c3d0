import { type Database, plain_array, text_array } from "../database/mod.ts";
import { type Domain, parse_json, type StateRow } from "../domains/mod.ts";
import {
  hash_event_id,
  type Inconsistency,
  read_at,
  type RecordedEvent,
  type StreamState,
  StreamStates,
} from "../event_log/mod.ts";
import { type CellChange, CellChanges, type Days } from "../kpi/mod.ts";

const PAGE = 2_000;
const MOST_FAULTS = 20;

/**
 * Recomputes every stream from its events and every cell from the streams, from scratch, and compares them with the tables.
 * Nothing may be appended meanwhile. Memory: one change a cell.
 * @param progress hears how many streams were read
 */
export async function verify_read_models<Payload, State>(
  database: Database,
  domain: Domain<Payload, State>,
  days: Days,
  signal: AbortSignal,
  progress: (streams: number) => void,
): Promise<{ readonly streams: number; readonly cells: number; readonly faults: readonly Inconsistency[] }> {
  const faults: Inconsistency[] = [];
  const changes = new CellChanges(domain, days);
  const states = new StreamStates(domain);
  const { tables, stream_column } = domain;
  let after = "", streams = 0, events = 0;
  for (;;) {
    signal.throwIfAborted();
    const ids = (await database.query<{ id: string }>(
      `select ${stream_column} as id from ${tables.states} where ${stream_column} > $1 order by ${stream_column} limit ${PAGE}`,
      [after],
    )).map(({ id }) => id);
    if (ids.length === 0) break;
    after = ids.at(-1)!;
    const page = await states.load_rows(database, ids);
    const by_position = new Map(
      (await read_at(database, [...page.values()].flatMap(({ stream }) => stream.positions))).map((
        event,
      ) => [event.position, event]),
    );
    for (const [id, { stream, values }] of page) {
      const own = stream.positions.map((position) => by_position.get(position));
      const fault = stream_fault(domain, id, stream, values, own);
      if (fault !== null) faults.push(`${tables.states} ${JSON.stringify(id)}: ${fault}`);
      else changes.replace(null, domain.contribution(stream.state), 0);
      events += own.length;
      if (faults.length >= MOST_FAULTS) return { streams, cells: 0, faults };
    }
    streams += page.size;
    progress(page.size);
  }
  const [{ position = "0" } = {}] = await database.query<{ position: string }>("select position from log_head");
  if (events !== Number(position)) {
    faults.push(`${tables.states}: its streams hold ${events} events, the log holds ${position}`);
  }
  const cells = await compare_cells(database, domain, changes, signal, faults);
  return { streams, cells, faults };
}

/** What is wrong with a stream's row; null when it is the fold of its events. */
function stream_fault<Payload, State>(
  domain: Domain<Payload, State>,
  id: string,
  stream: StreamState<State>,
  values: StateRow,
  own: readonly (RecordedEvent | undefined)[],
): string | null {
  for (const [i, event] of own.entries()) {
    const position = stream.positions[i];
    if (event === undefined) return `event ${position} is not in the log`;
    if (event.stream_id !== id) return `event ${position} belongs to ${JSON.stringify(event.stream_id)}`;
    if (event.revision !== i + 1) return `event ${position} has revision ${event.revision}, expected ${i + 1}`;
    if (stream.hashes[i] !== hash_event_id(event.event_id)) {
      return `the hash of event ${position} is not that of its id`;
    }
  }
  if (stream.revision !== own.length) return `revision ${stream.revision}, its events are ${own.length}`;
  const sorted = (own as RecordedEvent[]).toSorted((a, b) =>
    a.occurred_at_us - b.occurred_at_us || (a.event_id < b.event_id ? -1 : 1)
  );
  let state = domain.initial;
  for (const event of sorted) {
    const parsed = domain.parse(event.type, event.schema_version, parse_json(event.data) as Record<string, unknown>);
    if (!parsed.ok) return `event ${event.position} is refused today: ${parsed.fault.detail}`;
    state = domain.fold(state, { ...event, payload: parsed.value, attributes: null });
  }
  for (const { name, get } of domain.columns) {
    const expected = get(state), found = values[name];
    if (expected !== found) return `${name} is ${found}, its events say ${expected}`;
  }
  return null;
}

async function compare_cells<Payload, State>(
  database: Database,
  domain: Domain<Payload, State>,
  changes: CellChanges,
  signal: AbortSignal,
  faults: Inconsistency[],
): Promise<number> {
  const { tables: { cells: table }, measures } = domain;
  const names = measures.map(({ name }) => `c.${name}`);
  let compared = 0;
  let page: { name: string; key: readonly (string | number)[]; change: CellChange }[] = [];
  const compare_page = async () => {
    const rows = await database.query(
      `select u.n, ${names.join(", ")} from unnest($1::integer[], $2::text[], $3::bigint[], $4::text[], $5::text[])
        as u(n, grain, bucket_s, dimension, key)
        left join ${table} c on c.grain = u.grain and c.dimension = u.dimension and c.key = u.key
          and c.bucket = timestamptz 'epoch' + u.bucket_s * interval '1 second'`,
      [
        plain_array(page.map((_, n) => n)),
        ...[0, 1, 2, 3].map((i) =>
          i === 3 ? text_array(page.map(({ key }) => String(key[i]))) : plain_array(page.map(({ key }) => key[i]!))
        ),
      ],
    );
    for (const row of rows) {
      const { name, change } = page[row.n as number]!;
      for (const [m, measure] of measures.entries()) {
        const expected = measure.kind === "min" || measure.kind === "max" ? change.added?.[m] ?? null : change.sum(m);
        const found = row[measure.name] as string | null;
        if (String(expected) !== String(found)) {
          faults.push(`${table} ${name}: ${measure.name} is ${found}, the streams say ${expected}`);
        }
      }
    }
    compared += page.length;
    page = [];
  };
  for (const { grain, bucket_us, dimension, key, change } of changes.cells()) {
    const bucket = new Date(bucket_us / 1000).toISOString();
    page.push({
      name: `${grain} ${bucket} ${dimension}=${key}`,
      key: [grain, bucket_us / 1e6, dimension, key],
      change,
    });
    if (page.length === PAGE) await compare_page();
    if (faults.length >= MOST_FAULTS) return compared;
    signal.throwIfAborted();
  }
  if (page.length > 0) await compare_page();
  const counts = measures.filter(({ kind }) => kind === "count").map(({ name }) => name);
  const [{ counted = "0" } = {}] = await database.query<{ counted: string }>(
    `select count(*) as counted from ${table} where ${counts.map((name) => `${name} <> 0`).join(" or ")}`,
  );
  if (Number(counted) !== compared) {
    faults.push(`${table}: ${counted} cells count something, the streams make ${compared}`);
  }
  return compared;
}
