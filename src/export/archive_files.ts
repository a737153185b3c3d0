import { z } from "zod";
import type { Queryable } from "../database/mod.ts";
import {
  batches_between,
  type BatchHeader,
  next_link,
  type RecordedBatch,
  type RecordedEvent,
  same_hash,
  type Stretch,
} from "../event_log/mod.ts";
import { FileError, open_record_file } from "../files/mod.ts";
import { type ExportedBatch, ExportedLog, hash_of } from "../replay/mod.ts";
import { export_events } from "./table_export.ts";
import type { ExportPlace } from "./place.ts";
import { type ExportColumn, type ExportRow, write_table } from "./table.ts";

/**
 * A stretch of the log as files that stand for themselves: its events as an export has them, its batches with what the hash chain says of each, and a
 * page that says which stretch of which log it is and between which links it lies. Whoever knows one of these links knows that nothing of it
 * was changed.
 */

const PARQUET = { format: "parquet", packing: null } as const;
const POSITIONS_OF_FILE = 1_000_000;
/** Says what is in the others. It is written last: where it is, the archive is whole. */
const PAGE = "archive.json";
const BATCHES = "batches.parquet";

const NUMBERS = [
  "batch",
  "first_position",
  "last_position",
  "messages_read",
  "admitted",
  "duplicates",
  "quarantined",
  "tombstones",
  "skipped",
  "late",
] as const;
const TEXTS = ["kind", "cursors", "note", "recorded_at", "content_hash", "link"] as const;
const BATCH_COLUMNS: readonly ExportColumn[] = [
  ...NUMBERS.map((name) => ({ name, kind: "whole", nullable: false }) as const),
  ...TEXTS.map((name) => ({ name, kind: "text", nullable: name === "note" }) as const),
];

const link_schema = z.string().regex(/^[0-9a-f]{64}$/);
const page_schema = z.object({
  archive_of: z.object({ domain: z.string(), log_id: z.string() }),
  first_position: z.number().int().positive(),
  last_position: z.number().int().positive(),
  first_batch: z.number().int().positive(),
  last_batch: z.number().int().positive(),
  link_before: link_schema,
  link: link_schema,
  partition: z.string(),
  events_files: z.array(z.string().regex(/^events-\d{12}\.parquet$/)),
});

/** What an archive says of itself. */
export type ArchivePage = z.infer<typeof page_schema>;

/** Which stretch is written, of which log, and where to. */
interface ArchiveSource {
  readonly database: Queryable;
  readonly place: ExportPlace;
  readonly domain: string;
  readonly log_id: string;
  readonly stretch: Stretch;
  /** Link of the batch before its first. */
  readonly link_before: Uint8Array;
  readonly signal: AbortSignal;
  /** Hears of events that are written. */
  readonly progress: (events: number) => void;
}

/** Writes an archive. What an earlier run wrote of the same one is left as it is: killed at any moment, the next run goes on. */
export async function write_archive(source: ArchiveSource): Promise<void> {
  const { database, place, domain, log_id, stretch, signal, progress } = source;
  const { first_position, last_position, first_batch, last_batch, link, partition } = stretch;
  await export_events({
    ...{ database, place, form: PARQUET, domain, log_id, signal, progress, types: null },
    ...{ from: first_position, through: last_position, positions_of_file: POSITIONS_OF_FILE },
  });
  const about = { domain, log_id, from: first_batch, through: last_batch };
  await write_table(
    place,
    PARQUET,
    { name: BATCHES, columns: BATCH_COLUMNS, about },
    rows_of(batches_between(database, first_batch - 1, last_batch)),
  );
  const events_files: string[] = [];
  for (let first = first_position; first <= last_position;) {
    events_files.push(`events-${String(first).padStart(12, "0")}.parquet`);
    first = Math.ceil(first / POSITIONS_OF_FILE) * POSITIONS_OF_FILE + 1;
  }
  const page: ArchivePage = {
    archive_of: { domain, log_id },
    ...{ first_position, last_position, first_batch, last_batch, partition, events_files },
    link_before: source.link_before.toHex(),
    link: link.toHex(),
  };
  await place.write(PAGE, `${JSON.stringify(page, null, 2)}\n`);
}

async function* rows_of(batches: AsyncIterable<RecordedBatch>): AsyncGenerator<ExportRow[]> {
  for await (const { header, content_hash, link } of batches) {
    const { kind, cursors, note, recorded_at } = header;
    yield [[
      ...NUMBERS.map((name) => header[name]),
      ...[kind, cursors, note, recorded_at, content_hash.toHex(), link.toHex()],
    ]];
  }
}

/** Reads what an archive says of itself. Throws FileError where there is none, or none that is whole. */
export async function read_archive_page(folder: string): Promise<ArchivePage> {
  const path = `${folder}/${PAGE}`;
  try {
    return page_schema.parse(JSON.parse(await Deno.readTextFile(path)));
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "it is not there" : "it is none that this program wrote";
    throw new FileError(`read archive ${JSON.stringify(path)}: ${why}`, { cause });
  }
}

/** Copies an archive into a folder, which is made, from wherever it is: it is read there. Throws FileError where there is none that is whole. */
export async function copy_archive(place: ExportPlace, folder: string, signal: AbortSignal): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const copy = async (name: string) => {
    if (await place.copy(name, `${folder}/${name}`, signal)) return;
    throw new FileError(`read archive ${JSON.stringify(`${place.shown}/${name}`)}: it is not there`);
  };
  await copy(PAGE);
  for (const name of [...(await read_archive_page(folder)).events_files, BATCHES]) await copy(name);
}

type Link = Pick<RecordedBatch, "content_hash" | "link"> & { readonly header: BatchHeader };

async function* batches_of(folder: string): AsyncGenerator<Link> {
  const file = await open_record_file(`${folder}/${BATCHES}`);
  for await (const { rows } of file.rows()) {
    for (const { line, record } of rows) {
      const fault = (name: string) =>
        new FileError(`read archive ${JSON.stringify(`${folder}/${BATCHES}`)}: row ${line}: ${name} cannot be read`);
      const number = (name: typeof NUMBERS[number]): number => {
        const value = Number(record?.[name] ?? NaN);
        if (!Number.isSafeInteger(value)) throw fault(name);
        return value;
      };
      const text = (name: typeof TEXTS[number]): string => {
        const value = record?.[name];
        if (typeof value !== "string") throw fault(name);
        return value;
      };
      const hash = (name: "content_hash" | "link"): Uint8Array => {
        const value = text(name);
        if (!link_schema.safeParse(value).success) throw fault(name);
        return Uint8Array.fromHex(value);
      };
      yield {
        header: {
          ...Object.fromEntries(NUMBERS.map((name) => [name, number(name)])) as Record<typeof NUMBERS[number], number>,
          kind: text("kind") as BatchHeader["kind"],
          cursors: text("cursors"),
          note: record?.note == null ? null : text("note"),
          recorded_at: text("recorded_at"),
        },
        content_hash: hash("content_hash"),
        link: hash("link"),
      };
    }
  }
}

async function* events_of(
  folder: string,
  { events_files }: ArchivePage,
  signal: AbortSignal,
): AsyncGenerator<ExportedBatch> {
  const exported = new ExportedLog();
  for (const name of events_files) {
    const path = `${folder}/${name}`, file = await open_record_file(path);
    for await (const { rows } of file.rows()) {
      signal.throwIfAborted();
      yield* exported.batches_of(path, rows);
    }
  }
  yield* exported.rest();
}

/**
 * Reads an archive and recomputes its part of the hash chain: every event, every batch, from the link before it to its last. Gives its batches' events,
 * each when it is known to be right.
 * @param heard hears of each batch
 * Throws FileError where it is not what was written.
 */
export async function* verified_events(
  folder: string,
  page: ArchivePage,
  signal: AbortSignal,
  heard: (batch: Link) => void = () => {},
): AsyncGenerator<readonly RecordedEvent[]> {
  const wrong = (what: string) => new FileError(`verify archive ${JSON.stringify(folder)}: ${what}`);
  const events = events_of(folder, page, signal);
  const nothing = hash_of({ batch: 0, events: [] });
  let link = Uint8Array.fromHex(page.link_before), batch = page.first_batch - 1, position = page.first_position - 1;
  for await (const each of batches_of(folder)) {
    const { header, content_hash } = each;
    if (header.batch !== batch + 1) throw wrong(`expected batch ${batch + 1}, got ${header.batch}`);
    const own = header.admitted === 0 ? null : (await events.next()).value as ExportedBatch | undefined;
    if (own !== null) {
      const [first, last] = [own?.events[0]?.position, own?.events.at(-1)?.position];
      if (first !== header.first_position || first !== position + 1 || last !== header.last_position) {
        throw wrong(
          `expected events ${position + 1} to ${header.last_position} of batch ${header.batch}, got ${
            first ?? "none"
          } to ${last ?? "none"}`,
        );
      }
      position = last;
    }
    if (!same_hash(own == null ? nothing : hash_of(own), content_hash)) {
      throw wrong(`the events of batch ${header.batch} are not what was appended: their hash differs`);
    }
    const next = new Uint8Array(next_link(link, content_hash, header));
    if (!same_hash(next, each.link)) throw wrong(`batch ${header.batch} is not what was appended: its link differs`);
    link = next;
    batch = header.batch;
    heard(each);
    if (own != null) yield own.events;
  }
  const more = await events.next();
  if (more.done !== true) {
    throw wrong(`event ${more.value.events[0]!.position}, after the last batch, belongs to no batch`);
  }
  if (batch !== page.last_batch || position !== page.last_position || link.toHex() !== page.link) {
    throw wrong(
      `expected it to end with batch ${page.last_batch}, position ${page.last_position} and link ${page.link}, got ${batch}, ${position} and ${link.toHex()}`,
    );
  }
}

/** Reads an archive to its end. @returns how many events and batches are right. Throws FileError where one is not. */
export async function verify_archive(
  folder: string,
  page: ArchivePage,
  signal: AbortSignal,
  progress: (events: number) => void,
): Promise<{ readonly events: number; readonly batches: number }> {
  let events = 0, batches = 0;
  for await (const some of verified_events(folder, page, signal, () => batches++)) {
    events += some.length;
    progress(some.length);
  }
  return { events, batches };
}
