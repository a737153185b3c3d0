import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/**
 * Who may read: holders of the token, by `Authorization: Bearer`, or by the session cookie that the token is exchanged
 * for (an EventSource sends no Authorization). Sessions are signed, not stored: every instance with the token knows them,
 * and another token ends them all.
 */

export const SESSION_COOKIE = "tacho_session";
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
export function session_cookie(value: string, secure: boolean): string {
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
