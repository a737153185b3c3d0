import { number_or_null, plain_array, type Queryable, text_array, type Transaction, us_of } from "../database/mod.ts";
import { foldable_between, read_head } from "../event_log/mod.ts";
import { CellChanges, type Days, format_time, type Integer, is_kept, type Micros, time_or_null } from "../kpi/mod.ts";
import type { FoldedStep, LogFold } from "../projection/mod.ts";
import { type ChangedStream, first_open, type Publication, WINDOW, type Window } from "./messages.ts";

/**
 * The derived outbox: what a stretch of the log changes in what is published, which is a function of the log alone, however often it is asked; and how
 * far a log is published, with its windows: two tables, changed by the one program that holds the lease.
 */

/** A window that events of the stretch touched. */
interface TouchedWindow {
  readonly bucket_us: number;
  readonly dimension: string;
  /** As contributions have it: by currency it begins with its code. */
  readonly key: string;
  /** The position of the last event that touched it. */
  readonly version: number;
  /** What was added to each of the publication's measures. */
  readonly added: readonly Integer[];
}

/** Windows that begin in [from_us, to_us): an event at the position closed them. */
interface Closing extends Micros {
  readonly position: number;
}

/** What the events after a position up to another changed. */
export interface Gathered {
  readonly after: number;
  readonly through: number;
  /** The newest event time by then, microseconds; null before the first event. */
  readonly watermark_us: number | null;
  readonly windows: readonly TouchedWindow[];
  readonly closings: readonly Closing[];
  readonly streams: readonly ChangedStream[];
}

/** A place in the log that is gathered from. */
interface Place {
  readonly position: number;
  readonly watermark_us: number | null;
}

/**
 * Gathers what the events after a place up to a position change.
 * @param fold has taken all events up to the place that it was given before, and none after
 */
export async function gather(
  reading: Queryable,
  { publication, days }: { readonly publication: Publication; readonly days: Days },
  fold: LogFold,
  from: Place,
  through: number,
): Promise<Gathered> {
  const { position: after } = from, changes = new CellChanges(publication.shape, days);
  const streams = new Map<string, ChangedStream>(), closings: Closing[] = [];
  let { watermark_us } = from;
  for await (const page of foldable_between(reading, after, through)) {
    const heard = ({ event, before, after: { keys }, state }: FoldedStep) => {
      const { stream_id, position, revision } = event;
      const known = streams.get(stream_id);
      const first = known === undefined ? before?.keys ?? null : known.before;
      streams.set(stream_id, { stream_id, before: first, keys, state, revision, position });
    };
    await fold.take(reading, page, changes, { before_first: after, heard });
    for (const { occurred_at_us, position } of page) {
      if (watermark_us !== null && occurred_at_us <= watermark_us) continue;
      // What the first event of all leaves behind was never open: it is told as closed when it comes.
      if (watermark_us !== null) {
        const from_us = first_open(watermark_us), to_us = first_open(occurred_at_us);
        if (to_us > from_us) closings.push({ from_us, to_us, position });
      }
      watermark_us = occurred_at_us;
    }
  }
  const at = publication.measures.map((name) => publication.shape.measures.findIndex((each) => each.name === name));
  const windows: TouchedWindow[] = [];
  for (const { bucket_us, dimension, key, change } of changes.cells()) {
    windows.push({
      bucket_us,
      dimension,
      key,
      version: after + change.last_ordinal,
      added: at.map((m) => change.sum(m)),
    });
  }
  return { after, through, watermark_us, windows, closings, streams: [...streams.values()] };
}

/** Another program publishes by now: what this one has under way counts no more. */
class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** How far a log is published. */
export interface Published {
  /** What is published, as `Publication.signature`; and how often that was begun. */
  readonly topics: string;
  readonly run: number;
  /** Where the windows stand, and up to where everything is acknowledged. */
  readonly derived: Place;
  readonly sent: Place;
  readonly messages: number;
}

const COLUMNS = `topics, run, derived, sent, messages, ${us_of("derived_watermark")}, ${us_of("sent_watermark")}`;

const published = (row: Record<string, unknown>): Published => ({
  topics: row.topics as string,
  run: row.run as number,
  derived: { position: Number(row.derived), watermark_us: number_or_null(row.derived_watermark_us) },
  sent: { position: Number(row.sent), watermark_us: number_or_null(row.sent_watermark_us) },
  messages: Number(row.messages),
});

/** How far the log is published, by whichever program. */
export async function read_published(reading: Queryable): Promise<Published> {
  const [row] = await reading.query({ name: "read_published", text: `select ${COLUMNS} from publishing` });
  if (row === undefined) throw new Error("read what is published: publishing has no row; run `tacho migrate`");
  return published(row);
}

/**
 * Takes the lease, or keeps it for so long from now on; null while another program has it.
 * @param holder by what this program is known, and no other
 */
export async function take_lease(database: Queryable, holder: string, seconds: number): Promise<Published | null> {
  const [row] = await database.query({
    name: "take_publishing",
    text: `update publishing set holder = $1, held_until = clock_timestamp() + $2 * interval '1 second'
      where holder = $1 or held_until < clock_timestamp() returning ${COLUMNS}`,
  }, [holder, seconds]);
  return row === undefined ? null : published(row);
}

/** Lets others publish at once. */
export async function leave_lease(database: Queryable, holder: string): Promise<void> {
  await database.execute("update publishing set held_until = '-infinity' where holder = $1", [holder]);
}

/** Begins anew with other topics: all of the log is published in them. */
export async function begin_run(database: Queryable, holder: string, topics: string): Promise<void> {
  const begun = await database.execute(
    `update publishing set topics = $2, run = run + 1, derived = 0, derived_watermark = null, sent = 0, sent_watermark = null
      where holder = $1`,
    [holder, topics],
  );
  if (begun === 0) throw new LeaseLost("begin to publish: another program does");
}

/**
 * Takes what was gathered into the windows: they stand at its end then. One transaction, by who holds the lease and from where they stood.
 * What happens in windows that are not kept any more is told nowhere: nobody
 * knows what they were. Throws LeaseLost.
 */
export async function derive(tx: Transaction, holder: string, run: number, gathered: Gathered): Promise<void> {
  const { after, through, watermark_us, windows, closings } = gathered;
  const moved = await tx.execute({
    name: "derive_published",
    text: `update publishing set derived = $4, derived_watermark = $5
      where holder = $1 and run = $2 and derived = $3 and sent = $3`,
  }, [holder, run, after, through, time_or_null(watermark_us)]);
  if (moved === 0) throw new LeaseLost("publish: another program does");
  const { kept } = await read_head(tx), told = windows.filter(({ bucket_us }) => is_kept(kept, WINDOW, bucket_us));
  for (let from = 0; from < told.length; from += PIECE) await add(tx, run, told.slice(from, from + PIECE));
  for (const { from_us, to_us, position } of closings) {
    await tx.execute({
      name: "close_windows",
      text: `update published_windows set version = $1
        where bucket >= $2::timestamptz and bucket < $3::timestamptz and run = $4 and version < $1`,
    }, [position, format_time(from_us), format_time(to_us), run]);
  }
}

/** Windows that are read or written at a time. */
const PIECE = 5_000;

const places = (windows: readonly Pick<TouchedWindow, "bucket_us" | "dimension" | "key">[]) => [
  plain_array(windows.map(({ bucket_us }) => format_time(bucket_us))),
  text_array(windows.map(({ dimension }) => dimension)),
  text_array(windows.map(({ key }) => key)),
];

async function add(tx: Transaction, run: number, windows: readonly TouchedWindow[]): Promise<void> {
  const standing = new Map((await read_windows(tx, run, windows)).map((each) => [name_of(each), each]));
  const sums = windows.map((window) => {
    const before = standing.get(name_of(window))?.sums;
    return `{${window.added.map((value, m) => (before?.[m] ?? 0n) + BigInt(value)).join(",")}}`;
  });
  await tx.execute({
    name: "write_windows",
    text: `insert into published_windows (bucket, dimension, key, run, version, sums)
      select w.bucket, w.dimension, w.key, $6, w.version, w.sums::numeric[]
      from unnest($1::timestamptz[], $2::text[], $3::text[], $4::bigint[], $5::text[]) as w(bucket, dimension, key, version, sums)
      on conflict on constraint published_windows_pkey
      do update set run = excluded.run, version = excluded.version, sums = excluded.sums`,
  }, [...places(windows), plain_array(windows.map(({ version }) => version)), text_array(sums), run]);
}

const name_of = ({ bucket_us, dimension, key }: Pick<Window, "bucket_us" | "dimension" | "key">): string =>
  `${bucket_us} ${dimension} ${key}`;

const WINDOW_COLUMNS = `${us_of("w.bucket")}, w.dimension, w.key, w.version,
  w.sums::text[] as sums`;

const window = (row: Record<string, unknown>): Window => ({
  bucket_us: Number(row.bucket_us),
  dimension: row.dimension as string,
  key: row.key as string,
  version: Number(row.version),
  sums: (row.sums as string[]).map(BigInt),
});

/** Windows by their names, as they stand. */
async function read_windows(
  reading: Queryable,
  run: number,
  wanted: readonly Pick<TouchedWindow, "bucket_us" | "dimension" | "key">[],
): Promise<Window[]> {
  const rows = await reading.query({
    name: "read_windows",
    // Key by key: with a join the planner may read the whole table.
    text:
      `select ${WINDOW_COLUMNS} from unnest($1::timestamptz[], $2::text[], $3::text[]) as asked(bucket, dimension, key)
      cross join lateral (
        select * from published_windows found
        where found.bucket = asked.bucket and found.dimension = asked.dimension and found.key = asked.key and found.run = $4
        limit 1
      ) w`,
  }, [...places(wanted), run]);
  return rows.map(window);
}

/** The windows that what was gathered changed or closed, as they stand after it, each once, in pieces. */
export async function* changed_windows(
  reading: Queryable,
  run: number,
  { windows, closings }: Pick<Gathered, "windows" | "closings">,
): AsyncGenerator<Window[]> {
  const closed = closings.length === 0
    ? null
    : { from_us: closings[0]!.from_us, to_us: closings.at(-1)!.to_us, position: NaN };
  const touched = windows.filter(({ bucket_us }) =>
    closed === null || bucket_us < closed.from_us || bucket_us >= closed.to_us
  );
  for (let from = 0; from < touched.length; from += PIECE) {
    yield await read_windows(reading, run, touched.slice(from, from + PIECE));
  }
  if (closed !== null) yield* windows_of(reading, run, closed);
}

/** All windows that begin in a stretch of time, in pieces. */
async function* windows_of(reading: Queryable, run: number, { from_us, to_us }: Closing): AsyncGenerator<Window[]> {
  let last: Pick<Window, "bucket_us" | "dimension" | "key"> = { bucket_us: from_us, dimension: "", key: "" };
  for (;;) {
    const rows = await reading.query({
      name: "windows_of",
      text: `select ${WINDOW_COLUMNS} from published_windows w
        where (w.bucket, w.dimension, w.key) > ($1::timestamptz, $2::text, $3::text) and w.bucket < $4::timestamptz and w.run = $5
        order by w.bucket, w.dimension, w.key limit ${PIECE}`,
    }, [format_time(last.bucket_us), last.dimension, last.key, format_time(to_us), run]);
    if (rows.length > 0) yield rows.map(window);
    if (rows.length < PIECE) return;
    last = window(rows.at(-1)!);
  }
}

/** Notes that everything up to where the windows stand was acknowledged. Throws LeaseLost. */
export async function note_sent(
  database: Queryable,
  holder: string,
  run: number,
  through: number,
  messages: number,
): Promise<void> {
  const noted = await database.execute({
    name: "note_sent",
    text: `update publishing set sent = derived, sent_watermark = derived_watermark, messages = messages + $4
      where holder = $1 and run = $2 and derived = $3`,
  }, [holder, run, through, messages]);
  if (noted === 0) throw new LeaseLost("note what was published: another program does it");
}
