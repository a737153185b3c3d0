import { z } from "@hono/zod-openapi";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../runtime/mod.ts";
import { bad_request, problem, respond } from "./answers.ts";
import { Bodies } from "./bodies.ts";
import type { App } from "./endpoint.ts";

/**
 * Who may read: holders of the token, by `Authorization: Bearer`, or by the session cookie that the token is exchanged
 * for (an EventSource sends no Authorization). Sessions are signed, not stored: every instance with the token knows them,
 * and another token ends them all.
 */

const SESSION_COOKIE = "tacho_session";
/** How long a session lasts. */
export const SESSION_S = 30 * 86_400;

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();

/** Compares in a time that does not depend on where the texts differ, nor on how long they are. */
function same_text(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

const sign = (token: string, expires_s: number): string =>
  createHmac("sha256", token).update(`tacho session until ${expires_s}`).digest("base64url");

/** Whether this is the token. */
export function is_token(given: string, token: string): boolean {
  return same_text(given, token);
}

/** A new session's value, good until SESSION_S from now. */
export function open_session(token: string, now_ms: number): string {
  const expires_s = Math.floor(now_ms / 1000) + SESSION_S;
  return `${expires_s}.${sign(token, expires_s)}`;
}

/** Whether a session is signed by this token and has not ended. */
export function is_session(value: string, token: string, now_ms: number): boolean {
  const match = /^(\d{1,12})\.([\w-]{43})$/.exec(value);
  if (match === null) return false;
  const expires_s = Number(match[1]);
  return same_text(match[2]!, sign(token, expires_s)) && expires_s > now_ms / 1000;
}

/** The header that gives a browser the session. `secure` keeps it to https. */
function session_cookie(value: string, secure: boolean): string {
  return `${SESSION_COOKIE}=${value}; Path=/; Max-Age=${SESSION_S}; HttpOnly; SameSite=Strict${
    secure ? "; Secure" : ""
  }`;
}

/** The value of a request's cookie of that name; null when it has none. */
function cookie(request: Request, name: string): string | null {
  for (const part of (request.headers.get("cookie") ?? "").split(";")) {
    const at = part.indexOf("=");
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return null;
}

/** The token that a request gives as `Authorization: Bearer`; null when it gives none. */
export function bearer_of(request: Request): string | null {
  return /^Bearer +(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? null;
}

/** Whether a request may read what the token guards. */
export function is_authorized(request: Request, token: string, now_ms: number): boolean {
  const bearer = bearer_of(request);
  if (bearer !== null) return is_token(bearer, token);
  const session = cookie(request, SESSION_COOKIE);
  return session !== null && is_session(session, token, now_ms);
}

/**
 * Whether the token guards a path: the API and the figures, but neither the page's shell nor the probes.
 * @param bases below which paths domains are served
 */
export function is_guarded(path: string, bases: readonly string[]): boolean {
  if (path === "/api/v1/session") return false;
  return ["", ...bases].some((base) =>
    path.startsWith(base) && /^\/(?:api|metrics)(?:\/|$)/.test(path.slice(base.length))
  );
}

/** Anybody may send a token: bodies of strangers have room of their own, so that they take none from who holds it. */
const BODIES = { most_bytes: 16_384, most_ms: 10_000, bodies: 64, bodies_of_address: 32, bytes: 1 << 20 };

const SESSION = z.object({ token: z.string().min(1).max(1_000) });

/** Adds `POST /api/v1/session`: the token, as a form or JSON, for the cookie that a browser's feed needs. */
export function add_session_route(
  app: App,
  source: { readonly token: string | null; readonly clock: Clock; readonly most_body_ms?: number },
): void {
  const bodies = new Bodies({ ...BODIES, most_ms: source.most_body_ms ?? BODIES.most_ms });
  app.openAPIRegistry.registerPath({
    method: "post",
    path: "/api/v1/session",
    summary: "Exchange the token for a session cookie",
    request: {
      body: {
        required: true,
        content: { "application/json": { schema: SESSION }, "application/x-www-form-urlencoded": { schema: SESSION } },
      },
    },
    responses: {
      204: { description: "The cookie is set" },
      400: { description: "No token was sent" },
      401: { description: "Not the token" },
    },
  });
  const open = (request: Request, body: Uint8Array): Response => {
    const text = new TextDecoder().decode(body);
    const given = SESSION.safeParse(read_body(text, request.headers.get("content-type") ?? ""));
    if (!given.success) {
      return bad_request("read the token", [{ path: "token", detail: "expected a form or JSON object with a token" }]);
    }
    if (source.token === null) return respond(null, {}, 204);
    if (!is_token(given.data.token, source.token)) {
      return problem({ status: 401, title: "Unauthorized", detail: "this is not the token" });
    }
    const secure = new URL(request.url).protocol === "https:" || request.headers.get("x-forwarded-proto") === "https";
    const cookie = session_cookie(open_session(source.token, source.clock.now_ms()), secure);
    return respond(null, { "set-cookie": cookie, "cache-control": "no-store" }, 204);
  };
  app.post("/api/v1/session", ({ req, env }) => bodies.take(req.raw, env.address, (body) => open(req.raw, body)));
}

/** The fields of a body; null when it is neither a form nor JSON. */
function read_body(text: string, content_type: string): unknown {
  if (content_type.startsWith("application/x-www-form-urlencoded")) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
