import { MOST_FILE_BYTES, read_rules_file, type RuleFault, type RulesFile } from "../../alerts/mod.ts";
import { printable } from "../../runtime/mod.ts";
import { DOMAINS } from "../domains.ts";
import { UsageError } from "../shell.ts";

/** Wrong rules, with all that is wrong: a fault of who wrote them. */
export function refused_rules(path: string, faults: readonly RuleFault[]): UsageError {
  const lines = faults.map(({ place, message }) => `  ${printable(`${place}: ${message}`)}`).join("\n");
  return new UsageError(`read the alerts of ${JSON.stringify(path)}: ${faults.length} fault(s)\n${lines}`);
}

/** Reads a file of alerts. Throws UsageError where it cannot be read or anything but its rules is wrong with it. */
export async function read_alerts(path: string): Promise<RulesFile> {
  let bytes: Uint8Array;
  try {
    using file = await Deno.open(path);
    // A device or a pipe may never end: no more is read than may be.
    bytes = await read_at_most(file, MOST_FILE_BYTES + 1);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`read the alerts of ${JSON.stringify(path)}: ${why}`);
  }
  if (bytes.length > MOST_FILE_BYTES) {
    throw refused_rules(path, [{ place: "file", message: `expected at most ${MOST_FILE_BYTES} bytes` }]);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refused_rules(path, [{ place: "file", message: "expected UTF-8" }]);
  }
  const read = read_rules_file(text, DOMAINS.map(({ name }) => name));
  if (!read.ok) throw refused_rules(path, read.faults);
  return read.file;
}

async function read_at_most(file: Deno.FsFile, most: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(most);
  let length = 0;
  while (length < most) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  return bytes.subarray(0, length);
}
