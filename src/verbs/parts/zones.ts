import type { GivenZones } from "../../domains/mod.ts";
import { FileError, open_record_file } from "../../files/mod.ts";
import { AREA_LIMITS, AreasFault, read_areas, read_lines, word } from "../../places/mod.ts";
import type { Config } from "../../runtime/mod.ts";
import { UsageError } from "../shell.ts";

/** What a deployment gives for zones, read once at the start: a file that is no such thing ends the program and says where. */
export async function zones_of(
  { zones, zones_key: key, zones_name: name, zone_names, outline }: Pick<
    Config,
    "zones" | "zones_key" | "zones_name" | "zone_names" | "outline"
  >,
): Promise<GivenZones | null> {
  if (zones === null && zone_names === null && outline === null) return null;
  const areas = zones === null
    ? new Map()
    : await read_whole("TACHO_ZONES", zones, (text) => read_areas(text, { key, name }));
  const backdrop = outline === null ? [] : await read_whole("TACHO_OUTLINE", outline, read_lines);
  const names = new Map<string, string>();
  for (const [key, area] of areas) if (area.name !== key) names.set(key, area.name);
  if (zone_names !== null) {
    for (const [of, called] of await read_names(zone_names, { key, name })) names.set(of, called);
  }
  return { areas, backdrop, names };
}

/** What is made of a file's text. Throws UsageError for a file that cannot be read, is too large, or is none of that. */
async function read_whole<T>(variable: string, file: string, read: (text: string) => T): Promise<T> {
  const refuse = (why: string, cause?: unknown) => new UsageError(`${variable}=${file}: ${why}`, { cause });
  try {
    const { size } = await Deno.stat(file);
    if (size > AREA_LIMITS.bytes) throw refuse(`expected at most ${AREA_LIMITS.bytes} bytes, got ${size}`);
    return read(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof AreasFault) throw refuse(error.message);
    if (error instanceof UsageError) throw error;
    throw refuse(`cannot be read: ${(error as Error).message}`, error);
  }
}

/** Names by key, of a table with a column of each. Throws UsageError. */
async function read_names(
  file: string,
  columns: { readonly key: string; readonly name: string },
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  const refuse = (why: string, cause?: unknown) => new UsageError(`TACHO_ZONE_NAMES=${file}: ${why}`, { cause });
  try {
    for await (const { rows } of (await open_record_file(file)).rows()) {
      for (const row of rows) {
        if (row.record === null) throw refuse(`line ${row.line}: ${row.fault.detail}`);
        for (const column of [columns.key, columns.name]) {
          if (Object.hasOwn(row.record, column)) continue;
          const there = Object.keys(row.record).join(", ").slice(0, 500);
          throw refuse(`expected the columns ${columns.key} and ${columns.name}, got ${there}`);
        }
        const [key, name] = [columns.key, columns.name].map((column) =>
          word(row.record![column], `line ${row.line}, ${column}`)
        );
        if (names.size >= AREA_LIMITS.areas) throw refuse(`expected at most ${AREA_LIMITS.areas} names, got more`);
        names.set(key!, name!);
      }
    }
  } catch (error) {
    if (error instanceof AreasFault || error instanceof FileError) throw refuse(error.message, error);
    throw error;
  }
  if (names.size === 0) throw refuse("expected rows, got none");
  return names;
}
