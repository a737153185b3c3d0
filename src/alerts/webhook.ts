import { createHmac } from "node:crypto";
import type { AlertMessage } from "./message.ts";
import type { Receiver } from "./outbox.ts";

/** A request that takes longer has failed. */
const TIMEOUT_MS = 10_000;

/** What a request is signed with: HMAC-SHA256, in hex, of the time in the header, a full stop and the body. */
export const signature_of = (secret: string, timestamp_s: number, body: string): string =>
  createHmac("sha256", secret).update(`${timestamp_s}.${body}`).digest("hex");

/**
 * A server that is sent each change by POST; any answer of 2xx says that it has it. Redirects are not followed, and of an answer no more than its
 * head is read.
 * @param secret what requests are signed with; null: they are not
 * @param now_ms the clock of signatures
 */
export function webhook(
  name: string,
  url: string,
  secret: string | null,
  { now_ms, timeout_ms = TIMEOUT_MS }: { readonly now_ms: () => number; readonly timeout_ms?: number },
): Receiver {
  return {
    name,
    async send(message: AlertMessage, signal: AbortSignal) {
      const body = JSON.stringify(message), timestamp_s = Math.floor(now_ms() / 1_000);
      const headers = {
        "content-type": "application/json",
        "user-agent": "tacho",
        "tacho-id": message.id,
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
        throw new Error(hidden(cause, url));
      }
      // Nothing of it is wanted; that a connection breaks off then is nobody's concern.
      await answer.body?.cancel().catch(() => {});
      if (!answer.ok) throw new Error(`expected 2xx, got ${answer.status}`);
    },
  };
}

/** What an error says, without the address: what follows its host may be a secret. */
function hidden(cause: unknown, url: string): string {
  const said = cause instanceof Error ? cause.message : String(cause);
  const { pathname, search, host } = new URL(url);
  return [url, `${pathname}${search}`, host].filter((part) => part.length > 1)
    .reduce((text, part) => text.replaceAll(part, "…"), said);
}
