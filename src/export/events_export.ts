import { z } from "zod";
import type { Queryable } from "../database/mod.ts";
import { batches_of_events, events_between } from "../event_log/mod.ts";
import { type ExportPlace, PlaceUnusable } from "./place.ts";
import { type ExportColumn, type ExportRow, file_ending, type TableForm, write_table } from "./table.ts";

/** The columns of an exported event: those of the log's table, and the batch that it came in. An export of some types says no batches: it is no log. */
const EXPORTED_EVENT: readonly ExportColumn[] = [
  { name: "position", kind: "whole", nullable: false },
  { name: "batch", kind: "whole", nullable: false },
  { name: "stream_id", kind: "text", nullable: false },
  { name: "revision", kind: "whole", nullable: false },
  { name: "event_id", kind: "text", nullable: false },
  { name: "type", kind: "text", nullable: false },
  { name: "schema_version", kind: "whole", nullable: false },
  { name: "occurred_at", kind: "time", nullable: false },
  { name: "recorded_at", kind: "time", nullable: false },
  { name: "data", kind: "json", nullable: false },
  { name: "metadata", kind: "json", nullable: false },
];

/** Which events are exported, how and where to. */
export interface EventsExport {
  readonly database: Queryable;
  readonly place: ExportPlace;
  readonly form: TableForm;
  readonly domain: string;
  readonly log_id: string;
  /** The first and the last position. */
  readonly from: number;
  readonly through: number;
  /** Their types; null: all. */
  readonly types: readonly string[] | null;
  /** Positions of a file: they begin at multiples of it, one more. */
  readonly positions_of_file: number;
  readonly signal: AbortSignal;
  /** Hears of positions that are through. */
  readonly progress: (positions: number) => void;
}

/** What came of an export: its files, and how many of them an earlier run had written. */
export interface ExportedFiles {
  readonly files: number;
  readonly there_before: number;
  readonly events: number;
}

const manifest_schema = z.object({
  events_of: z.object({
    domain: z.string(),
    log_id: z.string(),
    form: z.object({ format: z.string(), gzip: z.boolean() }),
    from: z.number(),
    types: z.array(z.string()).nullable(),
    positions_of_file: z.number(),
  }),
  through: z.number(),
  files: z.array(
    z.object({ name: z.string(), from: z.number(), through: z.number(), events: z.number(), bytes: z.number() }),
  ),
});
type Manifest = z.infer<typeof manifest_schema>;
type WrittenFile = Manifest["files"][number];

/** Says which files are whole, and what is in them. */
const MANIFEST = "events.manifest.json";

/**
 * Exports events into files of a bounded stretch of positions, each of which is there whole or not at all. What the manifest says is there is
 * not written again: killed at any moment, the next run goes on; later, it adds what came since.
 * @throws PlaceUnusable where another export is
 */
export async function export_events(source: EventsExport): Promise<ExportedFiles> {
  const { place, from, through, positions_of_file, signal, progress, domain, log_id, form, types } = source;
  const events_of = {
    domain,
    log_id,
    form,
    from,
    types: types === null ? null : [...types],
    positions_of_file,
  };
  const before = await read_manifest(place, { events_of, through });
  const known = new Map(before.map((file) => [file.name, file]));
  const files: WrittenFile[] = [];
  let there_before = 0;
  for (let first = from; first <= through;) {
    signal.throwIfAborted();
    const last = Math.min(through, Math.ceil(first / positions_of_file) * positions_of_file);
    const name = `events-${String(first).padStart(12, "0")}${file_ending(form)}`;
    const file = known.get(name);
    if (file?.through === last && await place.size(name) === file.bytes) {
      files.push(file);
      there_before++;
      progress(last - first + 1);
    } else {
      files.push(await write_file(source, name, first, last));
      // Files after it are of the same stretches as before, or there are none.
      const rest = before.filter((other) => other.from > last);
      await place.write(MANIFEST, manifest_text({ events_of, through, files: [...files, ...rest] }));
    }
    first = last + 1;
  }
  if (files.length === 0) await place.write(MANIFEST, manifest_text({ events_of, through, files }));
  return { files: files.length, there_before, events: files.reduce((sum, { events }) => sum + events, 0) };
}

const manifest_text = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`;

/** The files that are there of the same export. Throws PlaceUnusable where there is another one. */
async function read_manifest(
  place: ExportPlace,
  { events_of, through }: Pick<Manifest, "events_of" | "through">,
): Promise<readonly WrittenFile[]> {
  const text = await place.read(MANIFEST);
  if (text === null) return [];
  const another = (what: string) =>
    new PlaceUnusable(
      `export to ${place.shown}: ${MANIFEST} there is ${what}; choose another place, or remove that one`,
    );
  let manifest: Manifest;
  try {
    manifest = manifest_schema.parse(JSON.parse(text));
  } catch (cause) {
    throw Object.assign(another("none that this program wrote"), { cause });
  }
  const names = Object.keys(events_of) as (keyof typeof events_of)[];
  for (const name of names) {
    const [there, wanted] = [JSON.stringify(manifest.events_of[name]), JSON.stringify(events_of[name])];
    if (there !== wanted) throw another(`that of another export: its ${name} is ${there}, that of this one ${wanted}`);
  }
  if (manifest.through > through) {
    throw another(`that of an export up to position ${manifest.through}, this one ends at ${through}`);
  }
  return manifest.files;
}

async function write_file(source: EventsExport, name: string, first: number, last: number): Promise<WrittenFile> {
  const { place, form, domain, log_id, types } = source;
  const columns = EXPORTED_EVENT.filter(({ name }) => types === null || name !== "batch");
  const about = { domain, log_id, from: first, through: last };
  const { rows, bytes } = await write_table(place, form, { name, columns, about }, rows_of(source, first, last));
  return { name, from: first, through: last, events: rows, bytes };
}

async function* rows_of(
  { database, types, signal, progress }: EventsExport,
  first: number,
  last: number,
): AsyncGenerator<ExportRow[]> {
  const batch_of = batches_of_events(database);
  for await (const page of events_between(database, first - 1, last)) {
    signal.throwIfAborted();
    const rows: ExportRow[] = [];
    for (const event of page) {
      if (types !== null && !types.includes(event.type)) continue;
      rows.push([
        event.position,
        ...types === null ? [await batch_of(event.position)] : [],
        event.stream_id,
        event.revision,
        event.event_id,
        event.type,
        event.schema_version,
        event.occurred_at_us,
        event.recorded_at_us,
        event.data,
        event.metadata,
      ]);
    }
    yield rows;
    progress(page.length);
  }
}
