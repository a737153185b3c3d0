/**
 * Where exports go: a folder, or a prefix of an S3 bucket. A name is a path with slashes below it. What is written is there whole or not at all.
 */
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
export const MOST_NAMES = 1_000_000;

/** Throws where a folder has more. */
export function require_few_names(names: number, shown: string): void {
  if (names > MOST_NAMES) throw new Error(`list ${shown}: expected at most ${MOST_NAMES} names, got more`);
}

/** The place cannot be written or read as it is set up: asking again does not help. */
export class PlaceUnusable extends Error {
  override readonly name = "PlaceUnusable";
}

/** How a text says a place. */
export const PLACE_WORDS = "a folder, or s3://bucket/prefix";
