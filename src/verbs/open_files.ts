import { createHash } from "node:crypto";
import { z } from "zod";
import { SCHEMA_NUMBER } from "../database/mod.ts";
import { changed_since, input_files, type InputFile } from "../replay/mod.ts";
import { type Config, has_screen, write_stderr } from "../runtime/mod.ts";
import { remove, take_folder, with_left_folders } from "../sort/mod.ts";
import {
  page_address,
  read_beside,
  replay,
  replay_words,
  type ReplayOptions,
  type ReplaySummary,
  throw_if_refused,
  zone_of_files,
} from "./records/mod.ts";
import { base_of, schema_of } from "./domains.ts";
import { no_feeding } from "./parts/mod.ts";
import { serve } from "./serve.ts";
import { type Shell, UsageError, VERSION } from "./shell.ts";

/** Options of `tacho open`, as the command line gives them. */
interface OpenOptions extends Omit<ReplayOptions, "to" | "speed" | "step" | "resume" | "mostRefused"> {
  readonly dataDir?: string;
  readonly browser: boolean;
}

/** Ports after the configured one that are tried. */
const MORE_PORTS = 20;
/** Folders of files that were opened before are kept, up to so many: opening those again is instant. */
const KEPT_FOLDERS = 5;
const PREFIX = "open-";

const note_schema = z.object({
  /** The version that read the files; of another one they are read again. */
  version: z.string(),
  inputs: z.array(z.object({ path: z.string(), size: z.number(), mtime_ms: z.number().nullable() })),
  time_zone: z.string(),
  /** What came of it and where the page begins; null until all is read. */
  read: z.object({
    words: z.string(),
    window: z.object({ from_us: z.number(), to_us: z.number() }),
  }).nullable(),
  /** The page of the process that works in the folder; null while there is none. */
  page: z.string().nullable(),
});
/** What is known of the log in a folder. */
type Note = z.output<typeof note_schema>;

const version = `${VERSION}, schema ${SCHEMA_NUMBER}`;

/**
 * `tacho open`: files in a browser. They are replayed into an embedded log of their own, which is kept: the same files again open at once,
 * and changed ones are read anew. No server of the configuration is touched. Throws UsageError for a `--data-dir` that is another's.
 */
export async function open_verb(shell: Shell, paths: readonly string[], options: OpenOptions): Promise<void> {
  const replaying: ReplayOptions = { ...options, to: "log", speed: Infinity, resume: false, mostRefused: 100 };
  const inputs = await input_files([...paths, ...read_beside(shell, options)]).catch((cause) => {
    throw new UsageError("open: look at the files", { cause });
  });
  const folder = options.dataDir ?? `${shell.config.data_dir}/${PREFIX}${digest_of(shell, inputs, options)}`;
  const lock = await take_folder(folder);
  if (lock === null) return open_elsewhere(folder, read_note(folder), options);
  try {
    const before = read_note(folder);
    if (before === null) await require_own(folder);
    const own = {
      ...shell.config,
      database_url: null,
      kafka_brokers: null,
      mappings: null,
      signing_key: null,
      data_dir: `${folder}/log`,
    };
    const here: Shell = { ...shell, config: own };
    let note = before !== null && before.read !== null && changed_since(before, version, inputs) === null
      ? { ...before, page: null }
      : null;
    const again = note !== null;
    if (note === null) {
      await remove(own.data_dir);
      const time_zone = options.zone ?? await zone_of_files(here, paths, replaying) ?? own.time_zone;
      write_note(folder, note = { version, inputs, time_zone, read: null, page: null });
      await forget_others(shell.config.data_dir, folder);
      // The page has no address yet that could be told.
      const config = { ...own, time_zone, port: 0 };
      note = {
        ...note,
        read: what_was_read(await replay({ ...here, config }, paths, replaying), config, base_of(shell.domain)),
      };
    }
    await show({ ...here, config: { ...own, time_zone: note.time_zone } }, folder, note, again, options);
  } finally {
    lock.close();
  }
}

/** What came of reading. Throws TooMuchRefused where there is nothing to show. */
function what_was_read(summary: ReplaySummary, config: Config, base: string): NonNullable<Note["read"]> {
  if (summary.window === null) {
    throw_if_refused("open", summary.files, 100);
    throw new UsageError("open: the files hold no events");
  }
  return { words: replay_words(summary, config, base), window: summary.window };
}

/** Serves the log until the signal, with the page at the times that the files cover. */
async function show(shell: Shell, folder: string, note: Note, again: boolean, { browser }: OpenOptions): Promise<void> {
  const { read } = note;
  if (read === null) throw new Error(`open ${JSON.stringify(folder)}: nothing was read`);
  await serve([shell], {
    feeding: no_feeding,
    more_ports: MORE_PORTS,
    ready: (url) => {
      const page =
        page_address({ ...shell.config, port: Number(new URL(url).port || 80) }, read.window, base_of(shell.domain)) ??
          url;
      write_note(folder, { ...note, page });
      const told = again ? `${read.words} (read before; the files are as they were then)` : read.words;
      write_stderr(`${told}\n`);
      console.log(
        `\n  ${page}\n\n  Ctrl-C ends it; the same command opens it again at once. Days are those of ${note.time_zone}.\n`,
      );
      if (browser) open_browser(page);
    },
  });
}

/** Another process has these files open, or reads them. */
function open_elsewhere(folder: string, note: Note | null, { browser }: OpenOptions): void {
  if (note === null || note.page === null) {
    throw new UsageError(`open: another tacho is reading these files now (in ${JSON.stringify(folder)})`);
  }
  console.log(`\n  ${note.page}\n\n  Another tacho has these files open there.\n`);
  if (browser) open_browser(note.page);
}

/** The folder's name follows from which files are read, and how. */
function digest_of({ config, domain }: Shell, inputs: readonly InputFile[], options: OpenOptions): string {
  const { dataDir: _dir, browser: _browser, ...how } = options;
  const { time_zone, currency, h3_resolution } = config;
  const own = schema_of(domain) === null ? [] : [domain.name];
  const what = [inputs.map(({ path }) => path), how, time_zone, currency, h3_resolution, ...own];
  return createHash("sha256").update(JSON.stringify(what)).digest("hex").slice(0, 16);
}

function read_note(folder: string): Note | null {
  const path = `${folder}/open.json`;
  try {
    return note_schema.parse(JSON.parse(Deno.readTextFileSync(path)));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw new Error(`read ${JSON.stringify(path)}; remove that folder to read the files anew`, { cause });
  }
}

/** Writes the note whole, or leaves the old one. */
function write_note(folder: string, note: Note): void {
  const path = `${folder}/open.json`;
  Deno.writeTextFileSync(`${path}.new`, JSON.stringify(note));
  Deno.renameSync(`${path}.new`, path);
}

/** A folder without a note must be empty: what lies in it would not be ours to remove. */
async function require_own(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name === "lock" || name === "open.json.new") continue;
    throw new UsageError(
      `open: expected --data-dir to be a new folder, or one that \`tacho open\` made; ${JSON.stringify(folder)} holds ${
        JSON.stringify(name)
      }`,
    );
  }
}

/** Removes the folders that were opened longest ago, past those that are kept; none in which a process works. */
async function forget_others(data_dir: string, folder: string): Promise<void> {
  const left: { readonly path: string; readonly opened_ms: number }[] = [];
  await with_left_folders(data_dir, PREFIX, async (path) => {
    if (path === folder) return;
    const { mtime } = await Deno.stat(`${path}/open.json`).catch(() => Deno.stat(path));
    left.push({ path, opened_ms: mtime?.getTime() ?? 0 });
  });
  const old = left.sort((a, b) => b.opened_ms - a.opened_ms).slice(KEPT_FOLDERS - 1).map(({ path }) => path);
  await with_left_folders(data_dir, PREFIX, async (path) => {
    if (old.includes(path)) await remove(path);
  });
}

const BROWSERS: Readonly<Partial<Record<typeof Deno.build.os, string>>> = {
  linux: "xdg-open",
  darwin: "open",
  windows: "explorer",
};

/** Opens the reader's browser, where there is one and the program may start it; the address is on the terminal either way. */
function open_browser(page: string): void {
  const command = BROWSERS[Deno.build.os];
  if (command === undefined || !has_screen()) return;
  if (Deno.permissions.querySync({ name: "run", command }).state !== "granted") return;
  try {
    new Deno.Command(command, { args: [page], stdin: "null", stdout: "null", stderr: "null" }).spawn().unref();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) write_stderr(`open: the browser cannot be started: ${error}\n`);
  }
}
