import {
  AlertKeeper,
  type AlertsStanding,
  type Change,
  email,
  keep_delivering,
  MOST_FILE_BYTES,
  read_alerts_of,
  read_rules_file,
  read_smtp_url,
  type Receiver,
  replay_rule,
  type Replayed,
  type Rule,
  type RuleFault,
  type RulesFile,
  told_comparison,
  unseen_keys,
  webhook,
  write_file_rules,
} from "../alerts/mod.ts";
import {
  type Config,
  ConfigError,
  lasting,
  printable,
  printable_json,
  system_clock,
  WakeUp,
  write_stderr,
} from "../runtime/mod.ts";
import { DOMAINS } from "./domains.ts";
import { ProgressLine, type Shell, UsageError } from "./shell.ts";
import { format_duration, format_time, time_or_null } from "../kpi/mod.ts";
import { first_h3_resolution } from "../event_log/mod.ts";
import { open_to_read, type Opened } from "./open.ts";
import type { Database } from "../database/mod.ts";

/** Alerts: the rules of the configuration, what they would have done, and what looks at them while a domain is served. */

/** A wrong file of alerts or of reports (`what`), with all that is wrong: a fault of who wrote it. */
export function refused_file(what: string, path: string, faults: readonly RuleFault[]): UsageError {
  const lines = faults.map(({ place, message }) => `  ${printable(`${place}: ${message}`)}`).join("\n");
  return new UsageError(`read the ${what} of ${JSON.stringify(path)}: ${faults.length} fault(s)\n${lines}`);
}

const refused_rules = (path: string, faults: readonly RuleFault[]): UsageError => refused_file("alerts", path, faults);

/** Reads a file of alerts. Throws UsageError where it cannot be read or anything but its rules is wrong with it. */
async function read_alerts(path: string): Promise<RulesFile> {
  const read = read_rules_file(await read_text("alerts", path), DOMAINS.map(({ name }) => name));
  if (!read.ok) throw refused_rules(path, read.faults);
  return read.file;
}

/** The text of a file of alerts or of reports. Throws UsageError where it cannot be read, is too long or is no text. */
export async function read_text(what: string, path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    using file = await Deno.open(path);
    // A device or a pipe may never end: no more is read than may be.
    bytes = await read_at_most(file, MOST_FILE_BYTES + 1);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`read the ${what} of ${JSON.stringify(path)}: ${why}`);
  }
  if (bytes.length > MOST_FILE_BYTES) {
    throw refused_file(what, path, [{ place: "file", message: `expected at most ${MOST_FILE_BYTES} bytes` }]);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refused_file(what, path, [{ place: "file", message: "expected UTF-8" }]);
  }
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

/** Options of `tacho alerts check`, as the command line gives them. */
interface CheckOptions {
  /** Microseconds; absent: the rules are read alone. */
  readonly replay?: number;
}

/**
 * `tacho alerts check`: reads a file of alerts and says all that is wrong with it, for every domain that it names. With `--replay` it also says what
 * each rule of the shell's domain would have done over that much of its log, change by change as JSON lines; nothing is written, nobody is told.
 * Throws UsageError for a faulty file.
 */
export async function alerts_check_verb(shell: Shell, path: string, { replay }: CheckOptions): Promise<void> {
  const file = await read_alerts(path), { config: { currency }, domain } = shell;
  // Of a deployment as the configuration has it: what a log was begun with is seen when it is opened.
  const h3_resolution = first_h3_resolution(shell.shared.h3_resolution);
  for (const declared of DOMAINS) {
    const { board } = declared.make({ currency, h3_resolution });
    const read = read_alerts_of(board, declared.name, file);
    if (!read.ok) throw refused_rules(path, read.faults);
    if (read.rules.length > 0) say(`${declared.name}: ${read.rules.map(({ name }) => name).join(", ")}`);
  }
  if (replay === undefined) return;
  const opened = await open_to_read(shell, { complete: true });
  try {
    const { database, domain: { board }, days } = opened, ruled = { board, days };
    const read = read_alerts_of(board, domain.name, file);
    if (!read.ok) throw refused_rules(path, read.faults);
    if (read.rules.length === 0) say(`no rules of ${domain.name}; name another domain with --domain`);
    for (const rule of read.rules) {
      for (const { dimension, keys } of await unseen_keys(database, ruled, rule)) {
        say(
          `${rule.name}: nothing in the log has the ${dimension} ${keys.map((key) => JSON.stringify(key)).join(", ")}`,
        );
      }
      const progress = new ProgressLine(rule.name, null, shell.clock.now_ms);
      const seen = (windows: number) => progress.add(windows);
      const replayed = await replay_rule(database, ruled, rule, replay, { signal: shell.signal, seen })
        .finally(() => progress.end());
      for (const change of replayed.changes) console.log(printable_json(JSON.stringify(told_change(rule, change))));
      say(summary(replayed));
    }
  } finally {
    await opened.database.close();
  }
}

const say = (line: string): void => write_stderr(`${printable(line)}\n`);

/** A change as a line of JSON. */
const told_change = ({ name, figure, comparison }: Rule, { from, to, window, since_us }: Change) => ({
  rule: name,
  at: time_or_null(window?.to_us ?? null),
  from,
  to,
  figure,
  value: window?.figure ?? null,
  ...window === null ? {} : told_comparison(comparison, window.then, window.value),
  since: time_or_null(since_us),
});

/** How often and how long a rule would have fired, in a sentence. */
function summary({ rule, stretch, windows, unknown, changes }: Replayed): string {
  if (stretch === null) return `${rule.name}: the log has no event`;
  let fired_us = 0, since_us: number | null = null;
  for (const { from, to, window } of changes) {
    if (to === "firing") since_us = window!.to_us;
    else if (from === "firing" && since_us !== null) {
      fired_us += window!.to_us - since_us;
      since_us = null;
    }
  }
  if (since_us !== null) fired_us += stretch.to_us - since_us;
  const fired = changes.filter(({ to }) => to === "firing").length;
  const silenced = changes.filter(({ to }) => to === "silenced").length;
  const parts = [
    `${windows} windows of ${rule.window} from ${format_time(stretch.from_us)} to ${format_time(stretch.to_us)}`,
    `would have fired ${fired} ${fired === 1 ? "time" : "times"}${
      fired === 0 ? "" : `, for ${format_duration(fired_us)} in all`
    }`,
    ...silenced === 0 ? [] : [`silenced ${silenced} ${silenced === 1 ? "time" : "times"}`],
    ...unknown === 0 ? [] : [`not known in ${unknown}`],
    `${changes.at(-1)?.to ?? "ok"} at the end`,
  ];
  return `${rule.name}: ${parts.join("; ")}`;
}

/** What the configuration says of alerts. */
export interface Alerting {
  /** Null: no file is named; rules of the page are looked at all the same. */
  readonly file: RulesFile | null;
  readonly receivers: readonly Receiver[];
}

const LEAST_SECRET = 16;

/** Reads what the configuration says of alerts. Throws UsageError, or ConfigError where a secret cannot be read; none is quoted. */
export async function alerting_of({ alerts, alert_secret, smtp_url }: Config): Promise<Alerting> {
  if (alerts === null) return { file: null, receivers: [] };
  const file = await read_alerts(alerts), receivers: Receiver[] = [];
  for (const [name, form] of file.receivers) {
    if (form.kind === "webhook") {
      const { url, secret_file } = form;
      const secret = secret_file === null
        ? alert_secret
        : await secret_of(`TACHO_ALERTS: receivers.${name}`, secret_file);
      receivers.push(webhook(name, url, secret, { now_ms: system_clock.now_ms }));
      continue;
    }
    if (smtp_url === null) throw new ConfigError([`TACHO_ALERTS: receivers.${name}: needs TACHO_SMTP_URL as well`]);
    const server = read_smtp_url(smtp_url);
    if (server === null) throw new ConfigError(["TACHO_SMTP_URL: expected smtp://user:password@host:port"]);
    receivers.push(email(name, form, server));
  }
  return { file, receivers };
}

/** The key in a file that a member names. Throws ConfigError; it is not quoted. */
export async function secret_of(place: string, path: string): Promise<string> {
  const where = `${place}.secret_file: ${JSON.stringify(path)}`;
  const text = await Deno.readTextFile(path).catch((cause) => {
    throw new ConfigError([`${where} cannot be read: ${cause instanceof Error ? cause.name : cause}`]);
  });
  const secret = text.trim();
  if (secret.length >= LEAST_SECRET) return secret;
  throw new ConfigError([`${where}: expected at least ${LEAST_SECRET} characters`]);
}

/** The alerts of a domain that is served. */
interface DomainAlerts {
  /** Looks at rules and tells of them until the signal. Never rejects: pages and ingest go on without it, and that it ended is said. */
  run(): Promise<void>;
  standing(): AlertsStanding;
  /** The names of who is told. */
  readonly receivers: readonly string[];
  /** A rule was changed here: it is looked at soon. */
  readonly changed: () => void;
}

/**
 * Makes the rules of the file those of the log, and what looks at them. Throws UsageError for rules that this log's domain cannot have.
 * @param database of their own: nothing else waits for their connections
 */
export async function domain_alerts(
  shell: Shell,
  { domain, days, log_id }: Opened,
  { file, receivers }: Alerting,
  database: Database,
  read_only: boolean,
): Promise<DomainAlerts> {
  const { board } = domain, { config } = shell;
  const names = receivers.map(({ name }) => name), noted = new WakeUp(), woken = new WakeUp();
  if (file !== null) {
    const read = read_alerts_of(board, domain.name, file);
    if (!read.ok) throw refused_rules(config.alerts ?? "", read.faults);
    const written = (file.rules.get(domain.name) ?? []).map((definition, i) => ({
      name: read.rules[i]!.name,
      definition,
    }));
    if (!read_only) await database.transaction((tx) => write_file_rules(tx, written));
  }
  const keeper = new AlertKeeper(shell, {
    database,
    board,
    days,
    receivers: names,
    read_only,
    noted: () => noted.ring(),
  }, woken);
  const kept = (work: Promise<unknown>) => lasting(shell, "alerts are not kept any more", work);
  return {
    async run() {
      const sending = read_only
        ? Promise.resolve()
        : keep_delivering(shell, { database, board, domain: domain.name, log_id, receivers, noted });
      await Promise.all([kept(keeper.run()), kept(sending)]);
    },
    standing: () => keeper.standing(),
    receivers: names,
    changed: () => woken.ring(),
  };
}
