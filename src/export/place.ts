/**
 * Where exports go: a folder, or a prefix of an S3 bucket. A name is a path with slashes below it. What is written is there whole or not at all.
 */

/** Such a place. */
export interface ExportPlace {
  /** How people call it; without secrets. */
  readonly shown: string;
  /** The text of that name; null where there is none. */
  read(name: string): Promise<string | null>;
  /** How many bytes are under that name; null where nothing is. */
  size(name: string): Promise<number | null>;
  /** The names, ascending, that stand in a folder of it, without those in folders below; none where there is no such folder. At most MOST_NAMES. */
  list(folder: string): Promise<string[]>;
  /** Puts a text under a name, in place of what is there. */
  write(name: string, text: string): Promise<void>;
  /** Begins what is too long to hold. */
  begin(name: string): Promise<PlacedFile>;
  /** Copies what is under a name into a file of this machine, in place of what is there. @returns whether there is something under it */
  copy(name: string, path: string, signal: AbortSignal): Promise<boolean>;
}

/** A file on its way to its place. Nobody sees it before it is finished. */
export interface PlacedFile {
  /** Its next bytes, which are taken over. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Puts it under its name, in place of what is there. */
  finish(): Promise<void>;
  /** Gives it up: nothing of it stays. */
  abandon(): Promise<void>;
}

/** Most names that a folder of a place is listed with. */
const MOST_NAMES = 1_000_000;

/** Throws where a folder has more. */
export function require_few_names(names: number, shown: string): void {
  if (names > MOST_NAMES) throw new Error(`list ${shown}: expected at most ${MOST_NAMES} names, got more`);
}

/** The place cannot be written or read as it is set up: asking again does not help. */
export class PlaceUnusable extends Error {
  override readonly name = "PlaceUnusable";
}

/** What is being written stands under such a name until it is whole. */
const part_of = (file: string): string => `${file}.${crypto.randomUUID()}.part`;
const IS_PART = /\.[0-9a-f-]{36}\.part$/;
/** Parts so old are of writers that were killed: none takes so long for a file. */
const LEFT_MS = 600_000;

/** A folder, which is made where it is absent. A file is written beside its place, brought to disk, then renamed. */
export class FolderPlace implements ExportPlace {
  readonly shown: string;
  readonly #folder: string;
  readonly #now_ms: () => number;

  constructor(folder: string, now_ms: () => number) {
    this.#folder = folder.replace(/\/+$/, "") || "/";
    this.shown = this.#folder;
    this.#now_ms = now_ms;
  }

  async read(name: string): Promise<string | null> {
    try {
      return await Deno.readTextFile(`${this.#folder}/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw this.#unusable("read", name, error);
    }
  }

  async size(name: string): Promise<number | null> {
    try {
      return (await Deno.stat(`${this.#folder}/${name}`)).size;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw this.#unusable("read", name, error);
    }
  }

  async list(folder: string): Promise<string[]> {
    const names: string[] = [];
    try {
      for await (const { name, isFile } of Deno.readDir(`${this.#folder}/${folder}`)) {
        if (isFile && !IS_PART.test(name)) names.push(`${folder}/${name}`);
        require_few_names(names.length, `${this.shown}/${folder}`);
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw this.#unusable("list", folder, error);
    }
    return names.sort();
  }

  async write(name: string, text: string): Promise<void> {
    const file = await this.begin(name);
    await file.write(new TextEncoder().encode(text));
    await file.finish();
  }

  async begin(name: string): Promise<PlacedFile> {
    const file = `${this.#folder}/${name}`, folder = file.slice(0, file.lastIndexOf("/")), part = part_of(file);
    let open: Deno.FsFile | null = null;
    const abandon = async () => {
      open?.close();
      open = null;
      await Deno.remove(part).catch((also) => {
        if (!(also instanceof Deno.errors.NotFound || also instanceof Deno.errors.NotADirectory)) throw also;
      });
    };
    /** Does a step of it; when that fails, nothing of it stays. */
    const step = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        await abandon();
        throw this.#unusable("write", name, error);
      }
    };
    const written = await step(async () => {
      await Deno.mkdir(folder, { recursive: true });
      await this.#sweep(folder);
      return open = await Deno.open(part, { write: true, createNew: true });
    });
    return {
      write: (bytes) =>
        step(async () => {
          for (let at = 0; at < bytes.length;) at += await written.write(bytes.subarray(at));
        }),
      finish: () =>
        step(async () => {
          await written.sync();
          written.close();
          open = null;
          await Deno.rename(part, file);
        }),
      abandon,
    };
  }

  async copy(name: string, path: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    try {
      await Deno.copyFile(`${this.#folder}/${name}`, path);
      return true;
    } catch (error) {
      if (await this.size(name) === null) return false;
      throw this.#unusable("copy", name, error);
    }
  }

  /** Removes what writers left that were killed. */
  async #sweep(folder: string): Promise<void> {
    for await (const { name } of Deno.readDir(folder)) {
      if (!IS_PART.test(name)) continue;
      try {
        const { mtime } = await Deno.stat(`${folder}/${name}`);
        if (mtime !== null && this.#now_ms() - mtime.getTime() > LEFT_MS) await Deno.remove(`${folder}/${name}`);
      } catch (error) {
        // Its writer was done with it meanwhile.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  #unusable(action: string, name: string, cause: unknown): unknown {
    if (cause instanceof Deno.errors.NotCapable) {
      const why =
        `this program may not ${action} there: \`deno task export\` may, \`deno task start\` writes below .tacho/ alone`;
      return new PlaceUnusable(`${action} ${JSON.stringify(`${this.#folder}/${name}`)}: ${why}`, { cause });
    }
    const said = cause instanceof Error ? cause.message : String(cause);
    return new Error(`${action} ${JSON.stringify(`${this.#folder}/${name}`)}: ${said}`, { cause });
  }
}
