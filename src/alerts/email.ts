import { createTransport } from "nodemailer";
import { unless_aborted } from "../runtime/mod.ts";
import type { AlertMessage } from "./message.ts";
import type { Receiver } from "./outbox.ts";

/** A message that takes longer has failed: less than a program may have it to itself. */
const TIMEOUT_MS = 30_000;
/** The same for each step of talking to the server. */
const STEP_MS = 10_000;
const MOST_SUBJECT = 200;
const LOOPBACK = ["127.0.0.1", "[::1]", "localhost"];

/** Where e-mail is handed in: `smtp://user:password@host:587`, or `smtps://` for TLS from the first byte. */
export interface SmtpServer {
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
export function mail_text(
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
        await unless_aborted(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), sending);
      } catch (cause) {
        signal.throwIfAborted();
        throw new Error(hidden(cause, server));
      } finally {
        // What comes of it after that is nobody's concern.
        sending.catch(() => {});
        transport.close();
      }
    },
  };
}

/** What an error says, without server and login. */
function hidden(cause: unknown, { host, port, auth }: SmtpServer): string {
  const said = cause instanceof Error ? cause.message : String(cause);
  const encoded = auth === null ? [] : [auth.pass, auth.user, btoa(auth.pass), btoa(auth.user)];
  return [`${host}:${port}`, host, ...encoded].reduce((text, part) => text.replaceAll(part, "…"), said);
}
