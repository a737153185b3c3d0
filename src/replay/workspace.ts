import { createHash } from "node:crypto";
import { z } from "zod";
import { remove, take_folder, with_left_folders } from "../sort/mod.ts";
import { type Arrival, OTHER_REASONS, type ReplayEvent, type ReplayPoint } from "./account.ts";

const SAVE_EVERY_MS = 200;
/** What arrivals are refused for, by file: there are few reasons, and the note of them is written five times a second. */
const MOST_REFUSALS = 1_000;

/** An event that was refused on arrival. */
export interface RefusedOnArrival {
  readonly event: ReplayEvent;
  readonly reason: string;
  /** What the field in fault holds, where that is an amount. */
  readonly amount_micros: bigint | null;
}

/** Keeps account of what arrived, on disk a few times a second: a process that is killed sends at most that much again. */
export class Journal {
  readonly #workspace: Workspace;
  readonly #now_ms: () => number;
  /** The last event that an earlier process of this replay sent; null when there was none. */
  readonly resumed_after: ReplayPoint | null;
  #state: ReplayState;
  #saved_ms = -Infinity;

  /** @param before what an earlier process of this replay left; null when there was none */
  constructor(
    workspace: Workspace,
    version: string,
    inputs: readonly InputFile[],
    before: ReplayState | null,
    now_ms: () => number,
  ) {
    this.#workspace = workspace;
    this.#now_ms = now_ms;
    this.resumed_after = before?.point ?? null;
    this.#state = before ?? { version, inputs, point: null, sent: 0 };
    this.save();
  }

  /** Messages that arrived, those of earlier processes included. */
  get sent(): number {
    return this.#state.sent;
  }

  /** Rows among them that equal an earlier one of their file and were told apart from it. */
  get equal_rows(): number {
    return this.#state.equal_rows ?? 0;
  }

  /** Events among them that were refused on arrival; what was refused before it was sent is not. */
  get refused(): readonly Arrival[] {
    return this.#state.refused ?? [];
  }

  /**
   * The next events arrived.
   * @param refused those of them that were refused there
   */
  arrived(events: readonly ReplayEvent[], refused: readonly RefusedOnArrival[] = []): void {
    const last = events.at(-1);
    if (last === undefined) return;
    const { at_us, turn, file, line, nth } = last;
    // What takes another event back has that one's number, whatever there was before it.
    const again = events.reduce(
      (count, { number = 1, turn, nth }) => number > 1 && turn === 0 && nth === 0 ? count + 1 : count,
      0,
    );
    this.#state = {
      ...this.#state,
      point: { at_us, turn, file, line, nth },
      sent: this.sent + events.length,
      equal_rows: this.equal_rows + again,
      ...(refused.length === 0 ? {} : { refused: with_refused(this.refused, refused) }),
    };
    if (this.#now_ms() - this.#saved_ms >= SAVE_EVERY_MS) this.save();
  }

  /** Writes down how far it came. */
  save(): void {
    this.#workspace.save(this.#state);
    this.#saved_ms = this.#now_ms();
  }
}

/** Counts with further refusals: those of one file, place in the record and reason are one. */
function with_refused(before: readonly Arrival[], refused: readonly RefusedOnArrival[]): Arrival[] {
  const key = (file: number, nth: number, reason: string) => `${file} ${nth} ${reason}`;
  const counts = new Map(before.map((each) => [key(each[0], each[1], each[2]), each]));
  for (const { event: { file, nth }, reason, amount_micros } of refused) {
    const full = counts.size >= MOST_REFUSALS && !counts.has(key(file, nth, reason));
    const name = full ? OTHER_REASONS : reason;
    const [, , , count, amounts, sum] = counts.get(key(file, nth, name)) ?? [file, nth, name, 0, 0, "0"];
    const [more, micros] = amount_micros === null ? [0, 0n] : [1, amount_micros];
    counts.set(key(file, nth, name), [file, nth, name, count + 1, amounts + more, String(BigInt(sum) + micros)]);
  }
  return [...counts.values()];
}

/** A file that a replay reads, as it was when the replay began. */
export interface InputFile {
  readonly path: string;
  readonly size: number;
  readonly mtime_ms: number | null;
}

/** What a replay is: the same again is resumed, another one is not. */
interface ReplayIdentity {
  /** All that decides which events are sent and where to, as JSON. */
  readonly what: string;
  readonly inputs: readonly InputFile[];
}

/** How far a replay came. */
export interface ReplayState {
  readonly version: string;
  readonly inputs: readonly InputFile[];
  /** The last event of which it is known that it and all before it arrived; null for none. */
  readonly point: ReplayPoint | null;
  /** Messages up to there. */
  readonly sent: number;
  /** Rows among them that equal an earlier one of their file; none where that is not said. */
  readonly equal_rows?: number | undefined;
  /** What of them was refused on arrival; none where that is not said. */
  readonly refused?: readonly Arrival[] | undefined;
}

const state_schema = z.object({
  version: z.string(),
  inputs: z.array(z.object({ path: z.string(), size: z.number(), mtime_ms: z.number().nullable() })),
  point: z.object({ at_us: z.number(), turn: z.number(), file: z.number(), line: z.number(), nth: z.number() })
    .nullable(),
  sent: z.number(),
  equal_rows: z.number().optional(),
  refused: z.array(z.tuple([z.number(), z.number(), z.string(), z.number(), z.number(), z.string()])).optional(),
});

/** The files of a replay that must not have changed, as they are now. Throws when one cannot be read. */
export async function input_files(paths: readonly string[]): Promise<InputFile[]> {
  return await Promise.all(paths.map(async (path) => {
    const { size, mtime } = await Deno.stat(path);
    return { path: await Deno.realPath(path), size, mtime_ms: mtime?.getTime() ?? null };
  }));
}

/** Another process does the same replay. */
export class ReplayRunning extends Error {
  override readonly name = "ReplayRunning";
}

/**
 * The folder of one replay in the data directory: `replay-<digest of what it is>`, with its lock, its state, and the runs of its sort. The
 * system lets go of the lock however the process ends; runs of processes that are gone are removed by the next replay, whichever it is.
 */
export class Workspace {
  readonly #folder: string;
  readonly #lock: Deno.FsFile;

  private constructor(folder: string, lock: Deno.FsFile) {
    this.#folder = folder;
    this.#lock = lock;
  }

  /** Makes or takes over the folder, without runs. Throws ReplayRunning. */
  static async open(data_dir: string, { what, inputs }: ReplayIdentity): Promise<Workspace> {
    const paths = inputs.map(({ path }) => path);
    const digest = createHash("sha256").update(JSON.stringify([what, paths])).digest("hex").slice(0, 16);
    const folder = `${data_dir}/replay-${digest}`;
    const lock = await take_folder(folder);
    if (lock === null) {
      throw new ReplayRunning(`replay: another process replays the same files to the same place (${folder})`);
    }
    await remove(`${folder}/runs`);
    await with_left_folders(data_dir, "replay-", (left) => remove(`${left}/runs`));
    return new Workspace(folder, lock);
  }

  /** Where runs go; made by whoever writes the first. */
  get runs(): string {
    return `${this.#folder}/runs`;
  }

  /** How far an earlier process came; null when there is none to resume. */
  async state(): Promise<ReplayState | null> {
    const path = `${this.#folder}/state.json`;
    try {
      return state_schema.parse(JSON.parse(await Deno.readTextFile(path)));
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return null;
      throw new Error(`read ${JSON.stringify(path)}; without it the replay can only begin anew`, { cause });
    }
  }

  /** Keeps how far the replay came: the new state whole, or the old one. */
  save(state: ReplayState): void {
    const path = `${this.#folder}/state.json`;
    Deno.writeTextFileSync(`${path}.new`, JSON.stringify(state));
    Deno.renameSync(`${path}.new`, path);
  }

  async remove_runs(): Promise<void> {
    await remove(this.runs);
  }

  /** Removes the runs and lets go; the state stays for the next process, unless the replay is through. */
  async close(through: boolean): Promise<void> {
    await remove(through ? this.#folder : this.runs);
    this.#lock.close();
  }
}

/** Why a replay cannot go on where it stopped, in words; null when it can. */
export function changed_since(
  state: Pick<ReplayState, "version" | "inputs">,
  version: string,
  inputs: readonly InputFile[],
): string | null {
  if (state.version !== version) return `it was begun by tacho ${state.version}, this is ${version}`;
  const now = new Map(inputs.map((input) => [input.path, input]));
  for (const { path, size, mtime_ms } of state.inputs) {
    const input = now.get(path);
    if (input?.size !== size || input.mtime_ms !== mtime_ms) {
      const shown = (bytes: number | undefined, ms: number | null | undefined) =>
        `${bytes ?? "no"} bytes of ${ms === null || ms === undefined ? "unknown time" : new Date(ms).toISOString()}`;
      return `${JSON.stringify(path)} changed: expected ${shown(size, mtime_ms)}, got ${
        shown(input?.size, input?.mtime_ms)
      }`;
    }
  }
  return null;
}
