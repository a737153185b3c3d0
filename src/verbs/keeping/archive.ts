import {
  type Archive,
  batches_between,
  bring_back,
  drop_taken,
  FIRST_LINK,
  next_stretch,
  Overtaken,
  read_archives,
  type Stretch,
  take_out,
  while_alone,
} from "../../event_log/mod.ts";
import {
  type ArchivePage,
  copy_archive,
  FolderPlace,
  read_archive_page,
  verified_events,
  verify_archive,
  write_archive,
} from "../../export/mod.ts";
import { FileError } from "../../files/mod.ts";
import { read_models } from "../../projection/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { with_scratch } from "../../sort/mod.ts";
import { place_of } from "../exports.ts";
import { open_log, type Opened, type Opening } from "../open.ts";
import { ProgressLine, type Shell, UsageError, when_free } from "../shell.ts";

/** Options of `tacho archive make`, as the command line gives them. */
interface ArchiveOptions {
  readonly out: string;
  /** Microseconds. */
  readonly olderThan: number;
  readonly drop: boolean;
  readonly dryRun: boolean;
}

/**
 * `tacho archive make`: writes whole partitions of the log to files, all of whose batches are old enough, reads them back, and takes their events
 * out of the table, while others append. Ended at any moment, the next one goes on: until the files are there and right nothing is taken out, and
 * that is one transaction. `--drop` removes what was taken out for good, once more after its files were read. It runs as the tables' owner.
 */
export async function archive_make_verb(shell: Shell, options: ArchiveOptions): Promise<void> {
  const { out, olderThan: older_us, drop, dryRun: dry_run } = options;
  // A place that cannot be is said before the log is opened.
  place_of(out, shell.config);
  // What it lacks is made from the events that are to go.
  await with_log(shell, { complete: true }, async (opened) => {
    const { database } = opened, before_us = system_clock.now_ms() * 1000 - older_us;
    const made = (await read_models(database)).find(({ state }) => state !== "replaced");
    if (made !== undefined) {
      throw new UsageError(
        `archive: ${made.name} is being rebuilt from the log; wait for it, or \`tacho rebuild --drop\``,
      );
    }
    let stretch = await next_stretch(database, before_us);
    if (dry_run) {
      console.log(stretch === null ? NOTHING : `would archive ${told(stretch)} next; nothing was changed`);
      return;
    }
    if (stretch === null) console.log(NOTHING);
    for (; stretch !== null; stretch = await next_stretch(database, before_us)) {
      const place = await written(shell, opened, stretch, out);
      await patiently(shell, () => take_out(database, stretch!, place));
      console.log(`archived ${told(stretch)} in ${place}`);
    }
    if (!drop) return;
    for (const archive of await read_archives(database)) {
      if (!archive.detached) continue;
      await checked(shell, archive.place, archive, opened);
      await drop_taken(database, archive);
      console.log(`dropped ${told(archive)}: only ${archive.place} has them now`);
    }
  });
}

const NOTHING = "nothing to archive: no partition of the log is full, and as old as asked for";

/** `tacho archive list`: the archives of the log, one JSON object a line. */
export async function archive_list_verb(shell: Shell): Promise<void> {
  const { database } = await open_log(shell);
  try {
    for (const { link, ...archive } of await read_archives(database)) {
      console.log(JSON.stringify({ ...archive, link: link.toHex() }));
    }
  } finally {
    await database.close();
  }
}

/** `tacho archive attach`: brings the newest archive back into the log, row for row, after every event and batch of it was found to be right. */
export async function archive_attach_verb(shell: Shell, { from }: { readonly from?: string }): Promise<void> {
  await with_log(shell, {}, async (opened) => {
    const { database } = opened, archive = (await read_archives(database)).at(-1);
    if (archive === undefined) throw new UsageError("archive attach: nothing of this log is archived");
    const place = from ?? archive.place;
    await with_files(shell, place, async (folder) => {
      const page = await page_of({ place, folder }, archive, opened);
      const line = new ProgressLine(`attach ${place}`, events_in(archive), system_clock.now_ms);
      const heard = async function* () {
        for await (const events of verified_events(folder, page, shell.signal)) {
          yield events;
          line.add(events.length);
        }
      };
      try {
        await patiently(shell, () => bring_back(database, archive, heard()));
      } finally {
        line.end();
      }
    });
    console.log(`attached ${told(archive)}: the log has them again`);
  });
}

/** `tacho verify --archive`: recomputes the hash chain of an archive from its files, without a database. */
export function verify_archive_verb(shell: Shell, place: string): Promise<void> {
  return with_files(shell, place, async (folder) => {
    const page = await read_archive_page(folder),
      { archive_of, first_position, last_position, link_before, link } = page;
    const line = new ProgressLine(`verify ${place}`, last_position - first_position + 1, system_clock.now_ms);
    try {
      const { events, batches } = await verify_archive(folder, page, shell.signal, (some) => line.add(some));
      line.end();
      console.log(
        `consistent: ${events} events in ${batches} batches of the log ${archive_of.log_id} (${archive_of.domain}), ` +
          `positions ${first_position} to ${last_position}, chain unbroken if the link before them is ${link_before}; their last link is ${link}`,
      );
    } catch (error) {
      line.end();
      throw error;
    }
  });
}

/** Lends the files of an archive in a folder: its own, or one in the data directory that they are copied to, which goes at the end. */
function with_files<T>(shell: Shell, text: string, work: (folder: string) => Promise<T>): Promise<T> {
  const { config, signal } = shell, place = place_of(text, config);
  if (place instanceof FolderPlace) return work(text);
  return with_scratch(config.data_dir, "archive", async (made) => {
    const folder = await made();
    try {
      await copy_archive(place, folder, signal);
      return await work(folder);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      throw new FileError(error.message.replaceAll(folder, text), { cause: error.cause });
    }
  });
}

const events_in = ({ first_position, last_position }: Stretch): number => last_position - first_position + 1;

const told = ({ first_position, last_position, first_batch, last_batch }: Stretch): string =>
  `events ${first_position} to ${last_position}, batches ${first_batch} to ${last_batch},`;

async function with_log(shell: Shell, opening: Opening, work: (opened: Opened) => Promise<void>): Promise<void> {
  const opened = await open_log(shell, opening), { database } = opened;
  try {
    await while_alone(database, () => work(opened));
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error;
    throw new UsageError(error.message);
  } finally {
    await database.close();
  }
}

/** Does what keeps appenders out as soon as nobody reads the events for long. */
const patiently = (shell: Shell, work: () => Promise<void>): Promise<void> =>
  when_free(shell, ["others read the events; it is tried again"], work);

/** Writes a stretch and reads it back. @returns where it is */
async function written(shell: Shell, opened: Opened, stretch: Stretch, out: string): Promise<string> {
  const { database, log_id } = opened, { signal, domain: { name: domain } } = shell;
  const text = `${out.replace(/\/+$/, "")}/${domain}-${String(stretch.first_position).padStart(12, "0")}`;
  const place = place_of(text, shell.config);
  const line = new ProgressLine(`archive ${text}`, events_in(stretch), system_clock.now_ms);
  try {
    await write_archive({
      ...{ database, place, domain, log_id, stretch, signal },
      link_before: await link_before(opened, stretch),
      progress: (events) => line.add(events),
    });
  } finally {
    line.end();
  }
  await checked(shell, text, stretch, opened);
  return place instanceof FolderPlace ? await Deno.realPath(text) : text;
}

async function link_before({ database }: Opened, { first_batch }: Stretch): Promise<Uint8Array> {
  for await (const { link } of batches_between(database, first_batch - 2, first_batch - 1)) return link;
  return FIRST_LINK;
}

/** What an archive says of itself, which has to be what the log knows of it. */
async function page_of(
  { place, folder }: { readonly place: string; readonly folder: string },
  stretch: Stretch | Archive,
  opened: Opened,
): Promise<ArchivePage> {
  const page = await read_archive_page(folder);
  const wanted = [opened.log_id, stretch.first_position, stretch.last_position, stretch.link.toHex()];
  const found = [page.archive_of.log_id, page.first_position, page.last_position, page.link];
  if (wanted.some((value, i) => value !== found[i])) {
    throw new UsageError(
      `archive: expected in ${place} log ${wanted[0]}, positions ${wanted[1]} to ${wanted[2]}, link ${wanted[3]}; ` +
        `got ${found[0]}, ${found[1]} to ${found[2]}, ${found[3]}`,
    );
  }
  return page;
}

/** Reads an archive to its end. Throws where it is not the very stretch of this log. */
function checked(shell: Shell, place: string, stretch: Stretch, opened: Opened): Promise<void> {
  return with_files(shell, place, async (folder) => {
    const page = await page_of({ place, folder }, stretch, opened);
    const line = new ProgressLine(`verify ${place}`, events_in(stretch), system_clock.now_ms);
    try {
      await verify_archive(folder, page, shell.signal, (events) => line.add(events));
    } finally {
      line.end();
    }
  });
}
