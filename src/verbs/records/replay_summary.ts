import type { Days, Micros } from "../../kpi/mod.ts";
import type { EventTimes, FileCounts, Refusal, Stretch, WaitingVoids } from "../../replay/mod.ts";
import { type Config, printable } from "../../runtime/mod.ts";
import type { LogCounts } from "./replay_send.ts";

/** What came of a replay that ran to its end. Files and what was sent are counted whole, whichever process of the replay did it. */
export interface ReplaySummary {
  readonly to: "kafka" | "log";
  readonly files: readonly FileCounts[];
  /** Messages that arrived: events, and rows that were refused. */
  readonly sent: number;
  /** Rows that equal an earlier one of their file; null where no file has rows that are numbered. */
  readonly equal_rows: number | null;
  /** Rows that take a ride back which their file does not have; of what this process sent. */
  readonly voids: WaitingVoids;
  /** What the log made of what this process sent; null for a topic. */
  readonly log: LogCounts | null;
  /** Whether an earlier process of the replay sent some of it. */
  readonly resumed: boolean;
  /** When the events happened; null without any. */
  readonly times: Stretch | null;
  /** What of that the page shows best: whole hours or days, microseconds; null without events. */
  readonly window: Micros | null;
}

const HOUR_US = 3_600e6;
/** The page shows 400 days at most; whole days may be longer than 24 hours, and begin before what they have to hold. */
const MOST_DAYS = 397;
/** Longer stretches are shown by the hour or day. */
const BY_HOUR_US = 36 * HOUR_US;

/** The stretch to open the page at. */
export function page_window(times: EventTimes, days: Days): Micros | null {
  const stretch = times.most_within(MOST_DAYS);
  if (stretch === null) return null;
  const { first_us, last_us } = stretch;
  if (last_us - first_us > BY_HOUR_US) {
    return { from_us: days.day_of(first_us).start_us, to_us: days.day_of(last_us).end_us };
  }
  return {
    from_us: Math.floor(first_us / HOUR_US) * HOUR_US,
    to_us: (Math.floor(last_us / HOUR_US) + 1) * HOUR_US,
  };
}

/**
 * Where the page of a configuration shows a stretch; null when it does not say which port that is.
 * @param base below which path the domain is served
 */
export function page_address(
  { host, port }: Config,
  window: Micros,
  base = "",
): string | null {
  if (port === 0) return null;
  // An address to listen on is none to open.
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  const time = (us: number) => new Date(us / 1000).toISOString().replace(".000Z", "Z");
  return `http://${name}:${port}${base}/?from=${time(window.from_us)}&to=${time(window.to_us)}`;
}

const number = (value: number | bigint): string => value.toLocaleString("en-US");
const counted = (value: number, one: string, several = `${one}s`): string =>
  `${number(value)} ${value === 1 ? one : several}`;

/** An amount for people: `−1,517.51`. */
function amount(micros: bigint): string {
  const digits = (micros < 0n ? -micros : micros).toString().padStart(7, "0");
  const cents = digits.slice(-6).replace(/0{1,4}$/, "");
  return `${micros < 0n ? "−" : ""}${number(BigInt(digits.slice(0, -6)))}.${cents}`;
}

/** Reasons that are told one by one. */
const TOLD_REASONS = 5;

/** Why so many were refused: `negative total_amount, −1,517.51`. */
export function reasons_words(refused: number, refusals: readonly Refusal[]): string {
  const told = refusals.slice(0, TOLD_REASONS).map(({ reason, count, amounts, sum_micros }) => {
    const several = refusals.length > 1 || count !== refused ? `${number(count)} ` : "";
    const sum = amounts === 0 ? "" : `, ${amount(sum_micros)}`;
    const readable = amounts === 0 || amounts === count ? "" : ` in ${number(amounts)} of them`;
    return `${several}${printable(reason)}${sum}${readable}`;
  });
  const others = refusals.slice(TOLD_REASONS).reduce((sum, { count }) => sum + count, 0);
  if (others > 0) told.push(`${number(others)} for other reasons`);
  return told.join("; ");
}

/** Refusals of several files together, the most frequent first. */
function together(files: readonly FileCounts[]): Refusal[] {
  const sums = new Map<string, Refusal>();
  for (const { refusals } of files) {
    for (const { reason, count, amounts, sum_micros } of refusals) {
      const before = sums.get(reason) ?? { reason, count: 0, amounts: 0, sum_micros: 0n };
      sums.set(reason, {
        reason,
        count: before.count + count,
        amounts: before.amounts + amounts,
        sum_micros: before.sum_micros + sum_micros,
      });
    }
  }
  return [...sums.values()].sort((a, b) => b.count - a.count);
}

/** A time with the offset that the clocks of a zone have then. */
const local = (us: number, zone: string): string =>
  Temporal.Instant.fromEpochMilliseconds(Math.floor(us / 1e6) * 1_000).toZonedDateTimeISO(zone)
    .toString({ timeZoneName: "never", smallestUnit: "second" });

/** What came of a replay, in one line. @param base below which path the domain is served */
export function replay_words(summary: ReplaySummary, config: Config, base = ""): string {
  const { files, log, to, resumed, equal_rows, voids, times, window } = summary;
  const sum = (of: (file: FileCounts) => number) => files.reduce((all, file) => all + of(file), 0);
  const refused = sum((file) => file.refused), skipped = sum((file) => file.skipped);
  const of_this_run = resumed ? ", by this run alone" : "";
  const events = counted(sum((file) => file.events), "event");
  const parts = [
    `${counted(sum((file) => file.records), "record")} of ${counted(files.length, "file")} read`,
    to === "kafka" ? `${events} sent to topic ${config.topics[0]}` : `${events} sent to the log`,
  ];
  if (log !== null) {
    const { admitted, duplicates } = log;
    const known = admitted === 0 && duplicates > 0 && !resumed ? ": all of it was there before" : "";
    parts.push(`${number(admitted)} admitted, ${counted(duplicates, "duplicate")}${known}${of_this_run}`);
  }
  if (skipped > 0) parts.push(`${number(skipped)} skipped`);
  if (equal_rows !== null && equal_rows > 0) parts.push(counted(equal_rows, "equal row"));
  if (voids.count > 0) {
    parts.push(`${counted(voids.count, "void")} without a ride in the file, ${amount(voids.sum_micros)}${of_this_run}`);
  }
  parts.push(refused === 0 ? "0 refused" : `${number(refused)} refused: ${reasons_words(refused, together(files))}`);
  if (times !== null) {
    const { time_zone } = config;
    parts.push(`event times ${local(times.first_us, time_zone)} to ${local(times.last_us, time_zone)} (${time_zone})`);
  }
  const page = window === null ? null : page_address(config, window, base);
  if (page !== null) parts.push(page);
  return `replayed: ${parts.join("; ")}`;
}

/** Too much of a file was refused, or nothing of it came in: the command failed, though all of it was done. */
export class TooMuchRefused extends Error {
  override readonly name = "TooMuchRefused";
}

/** Why the work on a file failed, in words; null when it did not. */
function failure_of(file: FileCounts, most_percent: number): string | null {
  const { path, records, skipped, refused, refusals, first_fault, passed } = file;
  const quoted = JSON.stringify(path);
  if (records === 0) return `${quoted} holds no records`;
  const wanted = records - skipped;
  const first = first_fault === null ? "" : `; the first: ${printable(first_fault)}`;
  const why = `of ${counted(wanted, "record")}, ${number(refused)} refused: ${
    reasons_words(refused, refusals)
  }${first}`;
  if (wanted === 0) return `${quoted}: all of its ${counted(records, "record")} were skipped`;
  if (passed === 0) return `${quoted}: nothing was admitted: ${why}`;
  const percent = refused * 100 / wanted;
  if (percent <= most_percent) return null;
  return `${quoted}: ${percent.toFixed(2)} % were refused, at most ${most_percent} % may be (--most-refused): ${why}`;
}

/** Files that are told of one by one. */
const TOLD_FILES = 10;

/**
 * Ends a command that did all its work, and to no avail for one of its files at least.
 * @param most_percent of a file's records, how many may be refused; those that are skipped count for nothing
 * @throws TooMuchRefused
 */
export function throw_if_refused(verb: string, files: readonly FileCounts[], most_percent: number): void {
  const failures = files.flatMap((file) => failure_of(file, most_percent) ?? []);
  if (failures.length === 0) return;
  const more = failures.length > TOLD_FILES ? `; and ${failures.length - TOLD_FILES} more` : "";
  const which = files.length === 1 ? "" : `${failures.length} of ${files.length} files failed: `;
  throw new TooMuchRefused(`${verb}: ${which}${failures.slice(0, TOLD_FILES).join("; ")}${more}`);
}
