import {
  AlertKeeper,
  type AlertsStanding,
  email,
  keep_delivering,
  read_alerts_of,
  read_smtp_url,
  type Receiver,
  type RulesFile,
  webhook,
  write_file_rules,
} from "../../alerts/mod.ts";
import type { Database } from "../../database/mod.ts";
import { type Config, ConfigError, system_clock, WakeUp } from "../../runtime/mod.ts";
import type { Opened } from "../open.ts";
import type { Shell } from "../shell.ts";
import { read_alerts, refused_rules } from "./rules.ts";

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
      const secret = secret_file === null ? alert_secret : await secret_of(name, secret_file);
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

async function secret_of(name: string, path: string): Promise<string> {
  const where = `receivers.${name}.secret_file: ${JSON.stringify(path)}`;
  const text = await Deno.readTextFile(path).catch((cause) => {
    throw new ConfigError([`TACHO_ALERTS: ${where} cannot be read: ${cause instanceof Error ? cause.name : cause}`]);
  });
  const secret = text.trim();
  if (secret.length >= LEAST_SECRET) return secret;
  throw new ConfigError([`TACHO_ALERTS: ${where}: expected at least ${LEAST_SECRET} characters`]);
}

/** The alerts of a domain that is served. */
export interface DomainAlerts {
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
  const { board } = domain, { signal, logger, config } = shell;
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
  const lasting = async (work: Promise<unknown>) => {
    try {
      await work;
    } catch (error) {
      if (!signal.aborted) logger.log("error", "alerts are not kept any more", { reason: error });
    }
  };
  return {
    async run() {
      const sending = read_only
        ? Promise.resolve()
        : keep_delivering(shell, { database, board, domain: domain.name, log_id, receivers, noted });
      await Promise.all([lasting(keeper.run()), lasting(sending)]);
    },
    standing: () => keeper.standing(),
    receivers: names,
    changed: () => woken.ring(),
  };
}
