import { createHash } from "node:crypto";
import { plain_array, type Queryable, type Snapshot, text_array } from "../database/mod.ts";
import { type Domain, in_currency, type StateFact } from "../domains/mod.ts";
import {
  batches_between,
  batches_of_events,
  event_line,
  events_between,
  FIRST_LINK,
  fold_recorded,
  header_text,
  read_aliases,
  read_at,
} from "../event_log/mod.ts";
import { filter_sql, measures_in, Parameters, past_states } from "../feed/mod.ts";
import { type Days, format_time } from "../kpi/mod.ts";
import { DayFigure, summed_figure, type WantedFigure } from "./day_figure.ts";
import { RECEIPT_LIMITS, receipt_text, type ReceiptAbout, ReceiptCheck, type ReceiptLine } from "./receipt_check.ts";

/** No receipt can be made: there is no such stream, no checkpoint, or too much to put in. */
export class NoReceipt extends Error {
  override readonly name = "NoReceipt";
}

/** What a receipt is wanted of. */
export type Wanted = { readonly stream: string } | WantedFigure;

interface ReceiptSource {
  readonly database: Queryable;
  readonly domain: Domain;
  readonly days: Days;
  readonly log_id: string;
  readonly deployment: ReceiptAbout["deployment"];
  /** Whether all events of the log up to the checkpoint are put in, which then proves that none was left out. */
  readonly complete: boolean;
  readonly signal: AbortSignal;
  /** Takes the next piece of the file. */
  readonly write: (text: string) => Promise<void>;
  /** Hears how many events and headers more were written. */
  readonly progress: (lines: number) => void;
}

/** The streams that a receipt is of, each with the positions of its events up to the one that it is as of. */
type Streams = ReadonlyMap<string, readonly number[]>;

/** A checkpoint as it is put into a receipt. */
interface SignedText {
  readonly batch: number;
  readonly statement: string;
  readonly signature: string;
}

/** A stretch of batches that ends with a checkpoint. */
interface StretchOfBatches {
  readonly first: number;
  readonly checkpoint: SignedText;
  /** The batches whose events are put in, ascending; the others are told by the hash of theirs. */
  readonly whole: ReadonlySet<number> | "all";
}

/** Events that are looked at at a time. */
const PAGE = 1_000;

/** What is found in one moment of the database; what it names does not change any more. */
interface FoundForReceipt {
  /** What is wanted, with persons by their aliases, as events name them: whoever checks knows no other names. */
  readonly wanted: Wanted;
  /** Of the last checkpoint, which it is as of. */
  readonly position: number;
  readonly checkpoint: SignedText;
  readonly streams: Streams;
}

/**
 * Finds the last checkpoint, and the streams that make what is wanted as of it. Throws NoReceipt, FigureUnknown, TooMuchChangedSince.
 * @param reading one moment of the database
 */
export async function find_for_receipt(
  reading: Snapshot,
  { domain, days }: Pick<ReceiptSource, "domain" | "days">,
  wanted: Wanted,
): Promise<FoundForReceipt> {
  const [last] = await reading.query<SignedRow & { position: string; head: string }>(
    `select c.*, (select last_position from batches b where b.batch = c.batch) as position, (select position from log_head) as head
     from log_checkpoints c order by batch desc limit 1`,
  );
  if (last === undefined) throw new NoReceipt("there is no checkpoint of this log: sign one, with `tacho checkpoint`");
  const position = Number(last.position), checkpoint = signed_text(last);
  if ("stream" in wanted) {
    const streams = await positions_of(reading, domain, [wanted.stream], position);
    if (streams.size > 0) return { wanted, position, checkpoint, streams };
    throw new NoReceipt(
      `there is no event of ${domain.noun} ${
        JSON.stringify(wanted.stream)
      } up to the last checkpoint, position ${position}`,
    );
  }
  const aliased = { ...wanted, filter: await with_aliases(reading, domain, wanted.filter) };
  const ids = await contributors(reading, { domain, days }, aliased, { position, head: Number(last.head) });
  const streams = new Map<string, readonly number[]>();
  let events = 0;
  for (let from = 0; from < ids.length; from += PAGE) {
    for (const [id, positions] of await positions_of(reading, domain, ids.slice(from, from + PAGE), position)) {
      streams.set(id, positions);
      events += positions.length;
    }
    if (events > RECEIPT_LIMITS.own) throw too_much(`more than ${RECEIPT_LIMITS.own} events make it`);
  }
  return { wanted: aliased, position, checkpoint, streams };
}

/** A filter with the aliases of the persons that it names, of those that have one. */
async function with_aliases(reading: Queryable, { board: { persons = [] } }: Domain, filter: WantedFigure["filter"]) {
  const aliased: Record<string, string> = { ...filter };
  for (const [dimension, id] of Object.entries(filter)) {
    if (persons.includes(dimension)) aliased[dimension] = (await read_aliases(reading, dimension, [id])).get(id) ?? id;
  }
  return aliased;
}

const too_much = (what: string): NoReceipt =>
  new NoReceipt(
    `${what}, the most that a receipt holds: take a shorter day's worth with --filter, or sign checkpoints more often`,
  );

async function positions_of(
  reading: Queryable,
  { tables: { states }, stream_column }: Domain,
  ids: readonly string[],
  position: number,
): Promise<Map<string, number[]>> {
  const rows = await reading.query<{ id: string; positions: string[] }>(
    `select ${stream_column} as id, array(select p::text from unnest(positions) p where p <= $2 order by p) as positions
     from ${states} where ${stream_column} = any($1::text[]) order by 1`,
    [text_array(ids), position],
  );
  return new Map(
    rows.filter(({ positions }) => positions.length > 0).map(({ id, positions }) => [id, positions.map(Number)]),
  );
}

/** The ids of the streams that contribute to a figure of a day, as of a position. */
async function contributors(
  reading: Queryable,
  { domain, days }: Pick<ReceiptSource, "domain" | "days">,
  wanted: WantedFigure,
  { position, head }: { readonly position: number; readonly head: number },
): Promise<string[]> {
  const board = in_currency(domain.board, wanted.currency);
  const { start_us, end_us } = new DayFigure(domain, days, wanted).day_us(wanted.day);
  const measures = measures_in(summed_figure(board, wanted.figure));
  const relation = await past_states(domain)(reading, position, head, board);
  const parameters = new Parameters(relation.values);
  const [from, to] = [start_us, end_us].map((us) => `${parameters.add(format_time(us))}::timestamptz`);
  const has = ({ at, each, counts }: StateFact) => {
    const within = `${at} >= ${from} and ${at} < ${to} and ${counts}`;
    return each === undefined ? `(${within})` : `exists (select from ${each} where ${within})`;
  };
  const facts = board.facts.filter(({ adds }) => measures.some((name) => name in adds)).map(has);
  const filter = Object.entries(wanted.filter).map(([dimension, key]) => ({ dimension, keys: [key], excluded: false }));
  const rows = await reading.query<{ id: string }>(
    `select states.${board.stream_column} as id from ${relation.sql} states
     where (${facts.join(" or ")}) and ${filter_sql(board, filter, parameters)} limit ${RECEIPT_LIMITS.own + 1}`,
    parameters.values,
  );
  if (rows.length > RECEIPT_LIMITS.own) throw too_much(`more than ${RECEIPT_LIMITS.own} of ${domain.name} make it`);
  return rows.map(({ id }) => id);
}

/** What was written. */
interface WrittenReceipt {
  readonly about: ReceiptAbout;
  readonly streams: number;
  readonly events: number;
  readonly headers: number;
}

/**
 * Writes a receipt: what it is of, whole batches that hold its events, the headers of those from there to the next checkpoint, and that. It
 * is checked while it is written, but for the signatures: what does not come to what the log says is not handed out as if it did. Throws NoReceipt
 * where it would hold too much, and ReceiptWrong where the log is not consistent.
 */
export async function write_receipt(
  source: ReceiptSource,
  { wanted, position, checkpoint, streams }: FoundForReceipt,
): Promise<WrittenReceipt> {
  const { database, domain, days, log_id, deployment, complete, signal, write, progress } = source;
  const about: ReceiptAbout = {
    tacho_receipt: 1,
    domain: domain.name,
    log_id,
    deployment,
    position,
    complete,
    ...("stream" in wanted ? {} : { figure: await told_figure(source, wanted, streams) }),
  };
  const stretches = complete
    ? [{ first: 1, checkpoint, whole: "all" as const }]
    : await stretches_to(database, await batches_with(database, streams));
  const size = await size_of(database, stretches);
  const check = new ReceiptCheck(null, () => ({ domain, days })), digest = createHash("sha256");
  const put = async (line: ReceiptAbout | ReceiptLine) => {
    const text = receipt_text(line);
    if (!("sha256" in line)) digest.update(text);
    await check.take(text);
    await write(text);
  };
  await put(about);
  if (!complete || "stream" in wanted) {
    for (const [stream, positions] of streams) await put({ stream, revisions: positions.length });
  }
  for (const { first, whole, checkpoint: { batch: end, statement, signature } } of stretches) {
    await put({ link: await link_before(database, first) });
    for await (const { header, content_hash } of batches_between(database, first - 1, end)) {
      signal.throwIfAborted();
      const batch = header_text(header), { first_position, last_position } = header;
      const has = (whole === "all" || whole.has(header.batch)) && last_position >= first_position;
      await put(has ? { batch } : { batch, content: content_hash.toHex() });
      progress(1);
      if (!has) continue;
      for await (const page of events_between(database, first_position - 1, last_position)) {
        for (const event of page) await put({ event: event_line(event).slice(0, -1) });
        progress(page.length);
      }
    }
    await put({ checkpoint: statement, signature });
  }
  // What it is as of is signed, too.
  if (stretches.at(-1)?.checkpoint.batch !== checkpoint.batch) {
    await put({ checkpoint: checkpoint.statement, signature: checkpoint.signature });
  }
  await put({ sha256: digest.digest("hex") });
  check.end();
  return { about, streams: streams.size, ...size };
}

/** The figure with the value that the events make it, as of the position. */
async function told_figure(
  { database, domain, days, signal }: ReceiptSource,
  wanted: WantedFigure,
  streams: Streams,
): Promise<NonNullable<ReceiptAbout["figure"]>> {
  const sum = new DayFigure(domain, days, wanted), all = [...streams];
  for (let from = 0; from < all.length; from += PAGE) {
    signal.throwIfAborted();
    const page = all.slice(from, from + PAGE);
    const events = await read_at(database, page.flatMap(([, positions]) => [...positions]));
    for (const [stream, own] of Map.groupBy(events, ({ stream_id }) => stream_id)) {
      const folded = fold_recorded(domain, own);
      if (!folded.ok) throw new NoReceipt(`fold ${domain.noun} ${JSON.stringify(stream)}: ${folded.fault}`);
      sum.add(domain.contribution(folded.state));
    }
  }
  const { figure: name, day, filter, currency = null } = wanted;
  return { name, day, filter: { ...filter }, currency, value: sum.value() };
}

/** The batches that hold the events of streams, ascending. */
async function batches_with(database: Queryable, streams: Streams): Promise<number[]> {
  const batch_of = batches_of_events(database), found: number[] = [];
  for (const position of [...streams.values()].flat().sort((a, b) => a - b)) {
    const batch = await batch_of(position);
    if (found.at(-1) !== batch) found.push(batch);
  }
  return found;
}

type SignedRow = { readonly batch: string; readonly statement: string; readonly signature: Uint8Array };

const signed_text = ({ batch, statement, signature }: SignedRow): SignedText => (
  { batch: Number(batch), statement, signature: signature.toHex() }
);

/** The first checkpoint of a batch or a later one. */
async function checkpoint_from(database: Queryable, batch: number): Promise<SignedText> {
  const [row] = await database.query<SignedRow>(
    "select batch, statement, signature from log_checkpoints where batch >= $1 order by batch limit 1",
    [batch],
  );
  if (row === undefined) throw new NoReceipt(`there is no checkpoint of batch ${batch} or a later one`);
  return signed_text(row);
}

/** Each from a batch that is needed to the next checkpoint. What lies between stretches is not needed: links before them are what checkpoints sign. */
async function stretches_to(database: Queryable, needed: readonly number[]): Promise<StretchOfBatches[]> {
  const stretches: StretchOfBatches[] = [];
  for (let i = 0; i < needed.length;) {
    const first = needed[i]!, checkpoint = await checkpoint_from(database, first), whole = new Set<number>();
    while (i < needed.length && needed[i]! <= checkpoint.batch) whole.add(needed[i++]!);
    stretches.push({ first, checkpoint, whole });
  }
  return stretches;
}

/** How much is written. Throws NoReceipt past what a receipt holds. */
async function size_of(
  database: Queryable,
  stretches: readonly StretchOfBatches[],
): Promise<{ readonly events: number; readonly headers: number }> {
  let events = 0, headers = 0;
  for (const { first, whole, checkpoint } of stretches) {
    headers += checkpoint.batch - first + 1;
    const [values, where] = whole === "all"
      ? [checkpoint.batch, "batch <= $1"] as const
      : [plain_array([...whole]), "batch = any($1::bigint[])"] as const;
    const [row] = await database.query<{ events: string | null }>(
      `select sum(admitted) as events from batches where ${where}`,
      [values],
    );
    events += Number(row?.events ?? 0);
  }
  if (events > RECEIPT_LIMITS.events) {
    throw too_much(`the batches that hold it have ${events} events, more than ${RECEIPT_LIMITS.events}`);
  }
  if (headers > RECEIPT_LIMITS.headers) {
    throw too_much(`up to its checkpoints there are ${headers} batches, more than ${RECEIPT_LIMITS.headers}`);
  }
  return { events, headers };
}

async function link_before(database: Queryable, batch: number): Promise<string> {
  if (batch === 1) return FIRST_LINK.toHex();
  const [row] = await database.query<{ link: Uint8Array }>("select link from batches where batch = $1", [batch - 1]);
  if (row === undefined) throw new NoReceipt(`batch ${batch - 1} is missing: see \`tacho verify\``);
  return row.link.toHex();
}
