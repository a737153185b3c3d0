import { type Change, read_alerts_of, replay_rule, type Replayed, type Rule, unseen_keys } from "../../alerts/mod.ts";
import { format_duration, format_time } from "../../kpi/mod.ts";
import { printable, printable_json, write_stderr } from "../../runtime/mod.ts";
import { DOMAINS } from "../domains.ts";
import { open_to_read } from "../open.ts";
import { ProgressLine, type Shell } from "../shell.ts";
import { read_alerts, refused_rules } from "./rules.ts";

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
  const file = await read_alerts(path), { config, domain } = shell;
  for (const declared of DOMAINS) {
    const { currency } = config;
    // Of a deployment as the configuration has it: what a log was begun with is seen when it is opened.
    const h3_resolution = typeof config.h3_resolution === "number" ? config.h3_resolution : 8;
    const board = declared.make({ currency, ...declared === DOMAINS[0] ? { h3_resolution } : {} }).board;
    const read = read_alerts_of(board, declared.name, file);
    if (!read.ok) throw refused_rules(path, read.faults);
    if (read.rules.length > 0) say(`${declared.name}: ${read.rules.map(({ name }) => name).join(", ")}`);
  }
  if (replay === undefined) return;
  const opened = await open_to_read(shell);
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
      const replayed = await replay_rule(database, ruled, rule, replay, { signal: shell.signal, seen });
      for (const change of replayed.changes) console.log(printable_json(JSON.stringify(told_change(rule, change))));
      say(summary(replayed));
    }
  } finally {
    await opened.database.close();
  }
}

const say = (line: string): void => write_stderr(`${printable(line)}\n`);

/** A change as a line of JSON. */
const told_change = ({ name, figure }: Rule, { from, to, window, since_us }: Change) => ({
  rule: name,
  at: window === null ? null : format_time(window.to_us),
  from,
  to,
  figure,
  value: window?.figure ?? null,
  ...window?.then === null || window === null ? {} : { then: window.then, change: window.value },
  since: since_us === null ? null : format_time(since_us),
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
