import { type Backfill, type Transaction, unnested } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import { fold_recorded, read_at, StreamStates } from "../event_log/mod.ts";
import { CellChanges, type Days, is_dated } from "../kpi/mod.ts";
import { cells_key, columns_of } from "./cell_columns.ts";

/** Streams of one piece, about: seconds under the head's lock. */
const PIECE_STREAMS = 10_000;
const PAGE_STREAMS = 1_000;

/**
 * Fills in the firsts and lasts of cells from before a domain had any, and the fields that date them: streams are folded anew from their
 * events. In pieces of streams by their ids; a cell's first of some streams is merged with its first of others, so that nothing is taken in twice.
 *
 * Its checkpoint is the last stream of the pieces so far: `{"after": …}`.
 * @param find gives the domain and its days; null where nothing was ever appended. Called in each piece's transaction
 */
export function dated_backfill(
  find: (tx: Transaction) => Promise<{ readonly domain: Domain; readonly days: Days } | null>,
  piece_streams = PIECE_STREAMS,
): Backfill {
  return {
    async left(tx, checkpoint) {
      const found = await find(tx);
      if (found === null) return 0;
      const { tables: { states }, stream_column } = found.domain;
      const [row] = await tx.query(`select count(*) as streams from ${states} where ${stream_column} > $1`, [
        reached(checkpoint),
      ]);
      return Number(row?.streams);
    },
    async piece(tx, checkpoint) {
      const found = await find(tx);
      if (found === null) return { checkpoint: null, items: 0 };
      const { domain, days } = found, { tables: { states }, stream_column } = domain;
      const ids = (await tx.query<{ id: string }>(
        `select ${stream_column} as id from ${states} where ${stream_column} > $1 order by 1 limit ${piece_streams}`,
        [reached(checkpoint)],
      )).map(({ id }) => id);
      const changes = new CellChanges(domain, days);
      for (let from = 0; from < ids.length; from += PAGE_STREAMS) {
        for (const state of await fold_anew(tx, domain, ids.slice(from, from + PAGE_STREAMS))) {
          changes.replace(null, domain.contribution(state), 1);
        }
      }
      await merge_dated(tx, domain, changes);
      return { checkpoint: ids.length < piece_streams ? null : { after: ids.at(-1) }, items: ids.length };
    },
  };
}

/** How far the streams go by a checkpoint; no stream has an empty id. */
const reached = (checkpoint: unknown): string =>
  checkpoint === null ? "" : (checkpoint as { readonly after: string }).after;

/** Writes streams as their events fold today; gives their states. */
async function fold_anew(tx: Transaction, domain: Domain, ids: readonly string[]): Promise<unknown[]> {
  const table = new StreamStates(domain);
  const rows = await table.rows(tx, ids);
  const events = Map.groupBy(
    await read_at(tx, rows.flatMap(({ stream: { positions } }) => positions)),
    ({ stream_id }) => stream_id,
  );
  const changes = rows.map(({ stream_id, stream: { revision, last_us, last_event_id } }) => {
    const folded = fold_recorded(domain, events.get(stream_id) ?? []);
    if (!folded.ok) {
      throw new Error(`fold ${domain.noun} ${JSON.stringify(stream_id)} anew to fill it in: ${folded.fault}`);
    }
    const { state } = folded;
    return {
      stream_id,
      expected_revision: revision,
      state,
      revision,
      last_us,
      last_event_id,
      ordinals: [],
      hashes: [],
    };
  });
  await table.write(tx, table.encode(changes), 0);
  return changes.map(({ state }) => state);
}

/** Merges the firsts and lasts among changes into cells, which are all there. */
async function merge_dated(tx: Transaction, domain: Domain, changes: CellChanges): Promise<void> {
  const cells = [...changes.cells()].filter(({ change }) => change.added_by !== null);
  if (cells.length === 0) return;
  const columns = domain.measures.flatMap((measure, m) => is_dated(measure.kind) ? columns_of({ measure, m }) : []);
  const key = cells_key(domain), given = [...key, ...columns];
  const merged = columns.map(({ name, merged }) => `${name} = ${merged((other) => `u.${other}`)}`);
  const updated = await tx.execute(
    `update ${domain.tables.cells} c set ${merged.join(", ")}
      from (select ${
      given.map(({ name, type }) => `${name}${type === "text" ? ' collate "C" as ' + name : ""}`).join(", ")
    }
        from ${unnested(given.map(({ name }) => name), given.map(({ type }) => type))} u) u
      where ${key.map(({ name, sql }) => `c.${name} = ${sql}`).join(" and ")}`,
    [
      ...key.map(({ array }) => array(cells)),
      ...columns.map(({ array }) => array(cells.map(({ change }) => change))),
    ],
  );
  if (updated !== cells.length) {
    throw new Error(`fill in ${domain.tables.cells}: expected ${cells.length} cells of some streams, found ${updated}`);
  }
}
