import type { DeclaredDomain } from "../domains/mod.ts";
import { type Archive, Faults } from "../event_log/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { BeyondTheLog, type Scope, type Verified, verify } from "../projection/mod.ts";
import { check_checkpoints, type CheckpointsCheck } from "../proof/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { with_scratch } from "../sort/mod.ts";
import { place_of } from "./exports.ts";
import { open_log } from "./open.ts";
import { believed_keys, verify_receipt } from "./proof/mod.ts";
import { ProgressLine, type Shell, UsageError } from "./shell.ts";

/** Options of `tacho verify`, as the command line gives them. */
interface VerifyOptions {
  readonly from: number;
  readonly sample: number;
  readonly seed?: number;
  /** Where checkpoints are held, and files of the keys that are believed. */
  readonly checkpoints?: string;
  readonly key?: readonly string[];
  /** The file of a receipt, which is checked instead of the log. */
  readonly receipt?: string;
}

/** The log or its read models are not what they must be. */
class InconsistentLog extends Error {}

/** Verification was stopped before its end: that is no statement about the log. */
class VerifyStopped extends Error {}

/**
 * `tacho verify`: recomputes chain, positions, cursors, streams and cells from the log; says in one line that all is well and what was not
 * looked at, or where it is not. Stopped by a signal it fails: whoever waits for the result must not take it for a good one.
 */
export async function verify_verb(shell: Shell, options: VerifyOptions): Promise<void> {
  const { from, sample: share, seed, checkpoints, key = [], receipt } = options;
  if (receipt !== undefined) {
    if (checkpoints !== undefined || from > 1 || share < 1) {
      throw new UsageError(
        "verify: --receipt is checked by itself, without the log; leave the other options but --key out",
      );
    }
    return await verify_receipt(shell, receipt, key);
  }
  const scope = { from, share, seed: seed ?? Math.floor(Math.random() * 2 ** 32) };
  if (seed !== undefined && share === 1) throw new UsageError("verify: --seed chooses a sample; give --sample too");
  if (key.length > 0 && checkpoints === undefined) {
    throw new UsageError("verify: --key is of checkpoints and receipts; give --checkpoints or --receipt too");
  }
  const held = checkpoints === undefined
    ? null
    : { place: place_of(checkpoints, shell.config), keys: await believed_keys(shell.config, key) };
  let line: ProgressLine | null = null, close: (() => Promise<void>) | null = null;
  const begin = (part: string, total: number | null) => {
    line?.end();
    const begun = line = new ProgressLine(`verify ${part}`, total, system_clock.now_ms);
    return (done: number) => begun.add(done);
  };
  try {
    const { database, domain, days, log_id } = await open_log(shell, { complete: true });
    close = () => database.close();
    const agreement = held === null ? null : await held_against({ ...held, database, log_id }, shell, begin);
    const verified = await with_scratch(
      shell.config.data_dir,
      "verify",
      (folder) => verify({ database, domain, days, folder, signal: shell.signal, watch: begin }, scope),
    ).finally(() => line?.end());
    const { disk_bytes } = verified.most;
    if (disk_bytes > 0) shell.logger.log("info", "sorted on disk", { bytes: disk_bytes });
    const found = [...agreement?.faults ?? [], ...verified.faults];
    if (found.length > 0) {
      const faults = found.map((fault) => `\n  ${fault}`).join("");
      throw new InconsistentLog(`verify: the log is not consistent at position ${verified.position}${faults}`);
    }
    console.log(told(shell.domain, verified, scope) + (agreement?.told ?? ""));
  } catch (error) {
    if (error instanceof BeyondTheLog) throw new UsageError(error.message);
    if (shell.signal.aborted && error === shell.signal.reason) {
      throw new VerifyStopped("verify: stopped by a signal before the end; whether the log is consistent is not known");
    }
    throw error;
  } finally {
    await close?.();
  }
}

/** Holds the log against checkpoints: what is wrong, and in words what agrees. */
async function held_against(
  held: Pick<CheckpointsCheck, "database" | "log_id" | "place" | "keys">,
  { domain: { name: domain }, signal }: Shell,
  watch: (part: string, total: number | null) => (done: number) => void,
): Promise<{ readonly faults: readonly string[]; readonly told: string }> {
  const faults = new Faults(), progress = watch("checkpoints", null);
  const { outside, kept, last } = await check_checkpoints({ ...held, domain, faults, signal, progress });
  const where = `${count(outside, "checkpoint")} in ${held.place.shown} and ${kept} in the log agree`;
  const until = last === null ? "" : `, the last one of batch ${last.batch}, signed ${last.signed_at}`;
  return { faults: faults.told(), told: `; ${where}${until}` };
}

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** What was found to be well, and what was not looked at, in one line. */
export function told(
  { name, noun }: Pick<DeclaredDomain, "name" | "noun">,
  {
    position,
    events,
    batches,
    trusted_batch,
    cursors,
    gaps,
    open_gaps,
    quarantined,
    only_counted,
    streams,
    folded,
    cells,
    archives,
    kept,
  }: Omit<
    Verified,
    "most" | "examined"
  >,
  { from, share, seed }: Scope,
): string {
  const chain = `${count(events, "event")} in ${count(batches, "batch", "batches")}, chain unbroken${
    trusted_batch === 0 ? "" : ` if the stored link of batch ${trusted_batch} is right`
  }, ${count(cursors, "cursor")} where the batches left off, ${count(quarantined, "quarantined message")} as ${
    quarantined === 1 ? "its" : "their"
  } batches wrote ${quarantined === 1 ? "it" : "them"}`;
  const removed = Object.entries(kept).map(([grain, us]) => `cells of ${grain} before ${format_time(us)}, not kept`);
  const on_record = (gaps.length === 0 ? "" : `; on record: ${gaps.join("; ")}`) +
    (open_gaps === 0 ? "" : `; not accepted: ${count(open_gaps, "gap")}, see \`tacho accept-gap --dry-run\``);
  const counted = only_counted === 0
    ? []
    : [`${count(only_counted, "quarantined message")} of earlier batches but for their number`];
  const of_archive = ({ first_position, last_position, place }: Archive) =>
    `events ${first_position} to ${last_position}, archived in ${place}: \`tacho verify --archive\` checks them`;
  if (from <= 1 && share === 1 && archives.length === 0) {
    return `consistent: ${chain}; ${count(streams, noun)} and ${count(cells, "cell")} are what the events make them${
      counted.length + removed.length === 0 ? "" : `; not checked: ${[...counted, ...removed].join(", ")}`
    }${on_record}`;
  }
  const since = `with an event from position ${from} on`;
  const chosen = [
    ...from > 1 ? [since] : [],
    ...archives.length > 0 ? ["without archived events"] : [],
    ...share < 1 ? [`in a sample of ${share} drawn by seed ${seed}`] : [],
  ].join(" and ");
  const unseen = [
    ...archives.map(of_archive),
    ...trusted_batch > 0 ? [`batches 1 to ${trusted_batch}`, "cursors that no later batch moved"] : [],
    ...counted,
    ...removed,
    ...cells > 0 ? ["which position changed each cell last"] : [],
    ...streams > folded ? [`the other ${count(streams - folded, noun)} against their events`] : [],
  ];
  const chance = share < 1
    ? ` (a wrong ${noun} ${from > 1 ? `${since} ` : ""}had a chance of ${share} to be found)`
    : "";
  return `consistent as far as checked, at position ${position}: ${chain}; ${folded} of ${
    count(streams, noun)
  }, those ${chosen}, ` +
    `are what their events make them; all ${count(cells, "cell")} are what the rows of all ${name} make them; ` +
    `not checked: ${unseen.join(", ") || "nothing"}${chance}${on_record}`;
}
