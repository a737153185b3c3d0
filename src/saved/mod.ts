/**
 * What readers of a board keep for all who look at it: views with a name, and notes at moments of event time, each with who saved it and when.
 * Figures know nothing of it, and it is in no log: what is removed is gone.
 */
import { type Queryable, type Transaction, us_of } from "../database/mod.ts";
import { format_time, type Micros } from "../kpi/mod.ts";

/** How many views and notes a log has at most. */
export const MOST_SAVED = { views: 200, notes: 5_000 };

/** A view of the board. */
interface SavedView {
  readonly name: string;
  /** What its address has behind the question mark. */
  readonly query: string;
  readonly by: string;
  readonly saved_us: number;
}

/** A note at a moment of event time. */
interface SavedNote {
  readonly id: number;
  readonly at_us: number;
  readonly text: string;
  readonly by: string;
  readonly saved_us: number;
}

/** What came of a change. */
type SavedOutcome = "done" | "absent" | "exists" | "too many";

/** All views, by name. */
export async function read_views(reading: Queryable): Promise<SavedView[]> {
  const rows = await reading.query({
    name: "read_saved_views",
    text: `select name, query, saved_by, ${us_of("saved_at")} from saved_views order by lower(name), name`,
  });
  return rows.map((row) => ({
    name: String(row.name),
    query: String(row.query),
    by: String(row.saved_by),
    saved_us: Number(row.saved_at_us),
  }));
}

/** Saves a view. @param fresh whether one of its name is left as it is */
export async function put_view(
  tx: Transaction,
  { name, query, by }: Omit<SavedView, "saved_us">,
  fresh: boolean,
): Promise<SavedOutcome> {
  await tx.execute("lock table saved_views in share row exclusive mode");
  const [found] = await tx.query(
    "select exists (select from saved_views where name = $1) as is_there, (select count(*) from saved_views) as views",
    [name],
  );
  if (found!.is_there === true) {
    if (fresh) return "exists";
  } else if (Number(found!.views) >= MOST_SAVED.views) return "too many";
  await tx.execute(
    `insert into saved_views (name, query, saved_by) values ($1, $2, $3) on conflict on constraint saved_views_pkey
     do update set query = excluded.query, saved_by = excluded.saved_by, saved_at = now()`,
    [name, query, by],
  );
  return "done";
}

/** Removes a view. */
export async function remove_view(tx: Transaction, name: string): Promise<SavedOutcome> {
  return await tx.execute("delete from saved_views where name = $1", [name]) > 0 ? "done" : "absent";
}

/** The notes at moments in [from_us, to_us), the latest of them first, so many at most. */
export async function read_notes(
  reading: Queryable,
  { from_us, to_us, limit }: Micros & { readonly limit: number },
): Promise<SavedNote[]> {
  const rows = await reading.query({
    name: "read_saved_notes",
    text: `select note_id, ${us_of("noted_at")}, note, saved_by, ${us_of("saved_at")} from saved_notes
      where noted_at >= $1::timestamptz and noted_at < $2::timestamptz order by noted_at desc, note_id desc limit $3`,
  }, [format_time(from_us), format_time(to_us), limit]);
  return rows.map((row) => ({
    id: Number(row.note_id),
    at_us: Number(row.noted_at_us),
    text: String(row.note),
    by: String(row.saved_by),
    saved_us: Number(row.saved_at_us),
  }));
}

/** Puts a note, and gives its id; null: there are as many as there may be. */
export async function put_note(
  tx: Transaction,
  { at_us, text, by }: Omit<SavedNote, "id" | "saved_us">,
): Promise<number | null> {
  await tx.execute("lock table saved_notes in share row exclusive mode");
  const [row] = await tx.query(
    `insert into saved_notes (noted_at, note, saved_by) select $1::timestamptz, $2, $3
     where (select count(*) from saved_notes) < ${MOST_SAVED.notes} returning note_id`,
    [format_time(at_us), text, by],
  );
  return row === undefined ? null : Number(row.note_id);
}

/** Removes a note. */
export async function remove_note(tx: Transaction, id: number): Promise<SavedOutcome> {
  return await tx.execute("delete from saved_notes where note_id = $1::bigint", [String(id)]) > 0 ? "done" : "absent";
}
