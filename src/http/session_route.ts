import { z } from "@hono/zod-openapi";
import type { Clock } from "../runtime/mod.ts";
import { is_token, open_session, session_cookie } from "./auth.ts";
import { Bodies } from "./bodies.ts";
import type { App } from "./endpoint.ts";
import { respond } from "./headers.ts";
import { bad_request, problem } from "./problem.ts";

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
