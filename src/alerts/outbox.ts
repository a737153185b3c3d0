import type { DomainBoard } from "../domains/mod.ts";
import { format_time, time_or_null } from "../kpi/mod.ts";
import { type Comparison, figure_of_rule, read_rule, type Rule } from "./rule.ts";
import { claim_deliveries, type KeptChange, note_delivery } from "./store.ts";
import { createHmac } from "node:crypto";
import { createTransport } from "nodemailer";
import { type Runtime, unless_aborted, type WakeUp } from "../runtime/mod.ts";
import { deliver } from "./deliver.ts";
import type { Database } from "../database/mod.ts";

/**
 * From a change to whoever is told of it: the message, which is the same each time it is sent; the receivers, a server or people; and their outboxes,
 * of which each is delivered once or more, of one rule in order, however long a receiver is away. No receiver holds up another, or a rule of its own.
 */

/** A message, as JSON has it. */
export interface AlertMessage {
  /** By which a receiver knows one that it has already. */
  readonly id: string;
  readonly domain: string;
  readonly rule: string;
  readonly state: string;
  readonly before: string;
  readonly why: string;
  /** In words. */
  readonly text: string;
  readonly figure: string | null;
  readonly unit: string | null;
  readonly value: number | null;
  /** A week before, of rules that hold it against that, and how far it rose or fell since, in percent or points. */
  readonly then?: number | null;
  readonly change?: number | null;
  /** What is usual at that time of the week, of rules that hold it against that, and how many times as far as is usual it lies from it. */
  readonly expected?: number | null;
  readonly score?: number | null;
  readonly since: string | null;
  readonly window: { readonly from: string; readonly to: string } | null;
  readonly noticed: string;
  readonly note: string | null;
  /** The rule as it was written then. */
  readonly definition: unknown;
}

/** A number as it was written. */
const written = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 20 });

/**
 * A figure for a reader: with two decimals, or as many of its six as show that it is not nothing, and on which side it lies of what it is held against.
 * @param against that, in its unit
 */
function number(value: number | null, against: number | null = null): string {
  if (value === null) return "not known";
  const told = (digits: number) => {
    const told = Number(value.toFixed(digits));
    return [0, against ?? 0].every((each) => Math.sign(told - each) === Math.sign(value - each));
  };
  const digits = [2, 3, 4, 5].find(told) ?? 6;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/** What a rule's threshold says. */
const LIMITS: Readonly<Record<Comparison, (threshold: string) => string>> = {
  above: (threshold) => `above ${threshold}`,
  below: (threshold) => `below ${threshold}`,
  rises: (threshold) => `${threshold} % above a week before`,
  falls: (threshold) => `${threshold} % below a week before`,
  score: (threshold) => `${threshold} times as far from usual as is usual`,
};

/** What a figure is held against, by the names that messages have for it; nothing where that is a constant. */
export function told_comparison(
  comparison: Comparison | undefined,
  then: number | null,
  change: number | null,
): Pick<AlertMessage, "then" | "change" | "expected" | "score"> {
  if (comparison === "score") return { expected: then, score: change };
  return comparison === "rises" || comparison === "falls" ? { then, change } : {};
}

/** A rule in words: `completed below 20`. */
export function rule_words({ figure, comparison, threshold, filter }: Rule): string {
  const of = filter.map(({ dimension, keys, excluded }) => `${dimension} ${excluded ? "not " : ""}${keys.join(", ")}`);
  return `${figure}${of.length === 0 ? "" : ` (${of.join("; ")})`} ${LIMITS[comparison](written(threshold))}`;
}

/** The message of a change. */
export function message_of(
  board: DomainBoard,
  { domain, log_id }: { readonly domain: string; readonly log_id: string },
  { id, rule, definition, from, to, why, since_us, window, figure, then, change, noticed_us }: KeptChange,
): AlertMessage {
  const read = read_rule(board, definition), of = read.ok ? read.rule : null;
  const held = told_comparison(of?.comparison, then, change);
  const since = time_or_null(since_us);
  const because = {
    window: "",
    corrected: "; late events say so",
    changed: "; the rule was changed",
    removed: "; the rule was removed",
  };
  const compared = Object.keys(held).length > 0, held_against = compared ? then : of?.threshold ?? null;
  const before = held.expected !== undefined
    ? ` (usually ${number(then, figure)})`
    : held.then !== undefined
    ? ` (${number(then, figure)} a week before)`
    : "";
  const seen = window === null ? "" : `, is ${number(figure, held_against)}${before}`;
  const words = `${of === null ? "" : `: ${rule_words(of)}`}${seen}`;
  const text = to === "resolved"
    ? `${domain} ${rule} is over${words}${because[why]}`
    : `${domain} ${rule} fires${words}${since === null ? "" : `, since ${since}`}${because[why]}`;
  return {
    id: `${log_id}.${id}`,
    domain,
    rule,
    state: to,
    before: from,
    why,
    text,
    figure: of?.figure ?? null,
    unit: of === null ? null : figure_of_rule(board, of).unit,
    value: figure,
    ...held,
    since,
    window: window === null ? null : { from: format_time(window.from_us), to: format_time(window.to_us) },
    noticed: format_time(noticed_us),
    note: of?.note ?? null,
    definition,
  };
}

/** Who is told. */
export interface Receiver {
  /** As the file calls it. */
  readonly name: string;
  /** Resolves when it has the message; once more does no harm. What it throws says nothing that is secret. */
  readonly send: (message: AlertMessage, signal: AbortSignal) => Promise<void>;
}

/** What went wrong, without the parts that may be secret. */
function hidden(cause: unknown, secrets: readonly string[]): string {
  const said = cause instanceof Error ? cause.message : String(cause);
  return secrets.reduce((text, part) => text.replaceAll(part, "…"), said);
}

/** A request that takes longer has failed. */
const REQUEST_MS = 10_000;

/** What is sent by POST. */
interface Posted {
  /** By which a receiver knows what it has already. */
  readonly id: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** `content-type` among them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a request is signed with: HMAC-SHA256, in hex, of the time in the header, a full stop and the body. */
const signature_of = (secret: string, timestamp_s: number, body: Posted["body"]): string =>
  createHmac("sha256", secret).update(`${timestamp_s}.`).update(body).digest("hex");

/**
 * Makes what sends to a server by POST. It resolves for any answer of 2xx, which says that the server has it, and throws without what may be secret
 * for all else. Redirects are not followed, and of an answer no more than its head is read.
 * @param secret what requests are signed with; null: they are not
 * @param now_ms the clock of signatures
 */
export function poster(
  url: string,
  secret: string | null,
  { now_ms, timeout_ms = REQUEST_MS }: { readonly now_ms: () => number; readonly timeout_ms?: number },
): (posted: Posted, signal: AbortSignal) => Promise<void> {
  return async ({ id, body, headers: own }, signal) => {
    const timestamp_s = Math.floor(now_ms() / 1_000);
    const headers = {
      ...own,
      "user-agent": "tacho",
      "tacho-id": id,
      "tacho-timestamp": String(timestamp_s),
      ...secret === null ? {} : { "tacho-signature": `v1=${signature_of(secret, timestamp_s, body)}` },
    };
    const limit = AbortSignal.timeout(timeout_ms);
    let answer: Response;
    try {
      answer = await fetch(url, {
        method: "POST",
        headers,
        body,
        redirect: "manual",
        signal: AbortSignal.any([limit, signal]),
      });
    } catch (cause) {
      signal.throwIfAborted();
      if (limit.aborted) throw new Error(`expected an answer within ${timeout_ms / 1_000} s, got none`);
      throw new Error(hidden(cause, parts_of(url)));
    }
    // Nothing of it is wanted; that a connection breaks off then is nobody's concern.
    await answer.body?.cancel().catch(() => {});
    if (!answer.ok) throw new Error(`expected 2xx, got ${answer.status}`);
  };
}

/** A server that is sent each change as JSON, as `poster` does. */
export function webhook(name: string, ...of: Parameters<typeof poster>): Receiver {
  const post = poster(...of), headers = { "content-type": "application/json" };
  return { name, send: (message, signal) => post({ id: message.id, body: JSON.stringify(message), headers }, signal) };
}

/** An address and its parts: what follows the host may be a secret. */
function parts_of(url: string): string[] {
  const { pathname, search, host } = new URL(url);
  return [url, `${pathname}${search}`, host].filter((part) => part.length > 1);
}

/** A mail that takes longer has failed: less than a program may have it to itself. */
const MAIL_MS = 30_000;
/** The same for each step of talking to the server. */
const STEP_MS = 10_000;
const MOST_SUBJECT = 200;
const LOOPBACK = ["127.0.0.1", "[::1]", "localhost"];

/** Where e-mail is handed in: `smtp://user:password@host:587`, or `smtps://` for TLS from the first byte. */
interface SmtpServer {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly auth: { readonly user: string; readonly pass: string } | null;
}

/** Reads the address of a server; null of what is none. Pure. */
export function read_smtp_url(text: string): SmtpServer | null {
  if (!/^smtps?:\/\/[^\s/?#]+\/?$/.test(text) || !URL.canParse(text)) return null;
  const { protocol, hostname, port, username, password } = new URL(text);
  if (hostname === "" || (username === "") !== (password === "")) return null;
  const secure = protocol === "smtps:";
  try {
    const auth = username === "" ? null : { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
    return { host: hostname, port: port === "" ? secure ? 465 : 587 : Number(port), secure, auth };
  } catch {
    return null;
  }
}

/** What stands in a mail, below its subject. Pure. */
function mail_text(
  { text, rule, domain, state, before, note, since, window, noticed, id }: AlertMessage,
): string {
  const lines = [
    text,
    "",
    ...note === null ? [] : [note, ""],
    `rule: ${rule} of ${domain}, ${before} → ${state}`,
    ...since === null ? [] : [`since: ${since}`],
    ...window === null ? [] : [`window: ${window.from} to ${window.to}, event time`],
    `noticed: ${noticed}`,
    `id: ${id}`,
  ];
  return lines.join("\n");
}

/**
 * People who are told by e-mail: a message each change, to all of them, by one Message-ID however often it is sent. A password goes over TLS
 * alone, but to this machine.
 */
export function email(
  name: string,
  { to, from }: { readonly to: readonly string[]; readonly from: string },
  server: SmtpServer,
  step_ms = STEP_MS,
): Receiver {
  const { host, port, secure, auth } = server;
  return {
    name,
    async send(message: AlertMessage, signal: AbortSignal) {
      const transport = createTransport({
        host: host.replace(/^\[|\]$/g, ""),
        port,
        secure,
        // The machine's own name is nobody's business, and wants a right.
        name: "tacho.invalid",
        ...auth === null ? {} : { auth },
        requireTLS: auth !== null && !secure && !LOOPBACK.includes(host),
        connectionTimeout: step_ms,
        greetingTimeout: step_ms,
        socketTimeout: step_ms,
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      const sending = transport.sendMail({
        from,
        to: [...to],
        subject: message.text.replaceAll(/\s+/g, " ").slice(0, MOST_SUBJECT),
        text: mail_text(message),
        messageId: `<${message.id}@tacho.invalid>`,
        headers: { "Auto-Submitted": "auto-generated", "X-Tacho-Id": message.id },
      });
      try {
        await unless_aborted(AbortSignal.any([signal, AbortSignal.timeout(MAIL_MS)]), sending);
      } catch (cause) {
        signal.throwIfAborted();
        throw new Error(hidden(cause, secrets_of(server)));
      } finally {
        // What comes of it after that is nobody's concern.
        sending.catch(() => {});
        transport.close();
      }
    },
  };
}

/** A server and its login, as errors may quote them. */
function secrets_of({ host, port, auth }: SmtpServer): string[] {
  const encoded = auth === null ? [] : [auth.pass, auth.user, btoa(auth.pass), btoa(auth.user)];
  return [`${host}:${port}`, host, ...encoded];
}

/** Whose changes are delivered, and to whom. */
interface OutboxSource {
  readonly database: Database;
  readonly board: DomainBoard;
  readonly domain: string;
  readonly log_id: string;
  readonly receivers: readonly Receiver[];
  /** Rings when there may be something to deliver; what other programs noted is looked for. */
  readonly noted: WakeUp;
}

/** Delivers changes until the signal; rejects with its reason. Resolves at once where nobody is told. */
export async function keep_delivering(runtime: Runtime, source: OutboxSource): Promise<void> {
  const { database, noted, board } = source;
  await Promise.all(source.receivers.map((receiver) =>
    deliver(runtime, {
      one: "an alert",
      many: "alerts",
      noted,
      async claim(most, holder, claim_s) {
        const claimed = await claim_deliveries(database, receiver.name, { most, holder, claim_s });
        return claimed.map((each) => {
          const message = message_of(board, source, each.change);
          return {
            id: message.id,
            about: { receiver: receiver.name, rule: message.rule },
            attempts: each.attempts,
            send: (signal) => receiver.send(message, signal),
            note: (failed) => note_delivery(database, each, holder, failed),
          };
        });
      },
    })
  ));
}
