import { OpenAPIHono } from "@hono/zod-openapi";
import { blames_no_data, took_too_long } from "../database/mod.ts";
import type { FeedHub } from "../feed/mod.ts";
import type { Logger } from "../runtime/mod.ts";
import { is_authorized, is_guarded } from "./auth.ts";
import { add_board_route, type BoardSource } from "./board_route.ts";
import { add_breakdown_route } from "./breakdown_route.ts";
import { add_daily_route } from "./daily_route.ts";
import type { App, Bindings } from "./endpoint.ts";
import { add_entity_routes } from "./entity_routes.ts";
import { add_event_intake_route, type EventIntake, EVENTS_PATH, MOST_INTAKE_BYTES } from "./event_intake_route.ts";
import { add_feed_route } from "./feed_route.ts";
import { SECURITY_HEADERS } from "./headers.ts";
import { add_operation_routes, type OperationSource } from "./operation_routes.ts";
import { not_found, problem } from "./problem.ts";
import { add_series_route } from "./series_route.ts";
import { add_session_route } from "./session_route.ts";
import type { StaticFiles } from "./static_files.ts";
import type { TripSource } from "./trip_route.ts";
import { add_trip_routes } from "./trip_routes.ts";

/** What the HTTP app is made of. */
export interface AppDeps extends BoardSource, OperationSource, Pick<TripSource, "history"> {
  readonly intake: EventIntake;
  readonly hub: FeedHub;
  readonly logger: Logger;
  /** The bearer token; null leaves everything open. */
  readonly token: string | null;
  readonly static_files: StaticFiles;
  readonly version: string;
}

/** Answers a request that came from an address. Never rejects. */
export type Handler = (request: Request, bindings: Bindings) => Promise<Response>;

/** Largest body of a request; events may be more. */
const MOST_BODY_BYTES = 16_384;

/** Makes the app: page, API, feed, probes. */
export function make_app(deps: AppDeps): Handler {
  const app: App = new OpenAPIHono<{ Bindings: Bindings }>();
  app.use(async (context, next) => {
    const most_bytes = context.req.path === EVENTS_PATH ? MOST_INTAKE_BYTES : MOST_BODY_BYTES;
    const { request, too_large } = await bounded(context.req.raw, most_bytes);
    if (too_large) {
      const detail = `expected a body of at most ${most_bytes} bytes`;
      return problem({ status: 413, title: "Content too large", detail });
    }
    context.req.raw = request;
    if (deps.token !== null && is_guarded(context.req.path)) {
      if (!is_authorized(request, deps.token, deps.clock.now_ms())) return unauthorized();
    }
    await next();
  });
  add_feed_route(app, deps);
  add_board_route(app, deps);
  add_daily_route(app, deps);
  add_series_route(app, deps);
  add_breakdown_route(app, deps);
  add_trip_routes(app, deps);
  add_event_intake_route(app, deps);
  add_session_route(app, deps);
  add_operation_routes(app, deps);
  add_entity_routes(app, deps);
  app.get("/openapi.json", (context) => context.json(document_of(app, deps.version)));
  // Who is not known is asked for the token, whatever page it is.
  const page = (path: string) => ({ req }: { readonly req: { readonly raw: Request } }) => {
    const known = deps.token === null || is_authorized(req.raw, deps.token, deps.clock.now_ms());
    return deps.static_files(req.raw, known ? path : "login/index.html");
  };
  app.get("/", page("index.html"));
  app.get("/trips/:id", page("trip/index.html"));
  app.get("/static/*", (context) => deps.static_files(context.req.raw, context.req.path.slice("/static/".length)));
  app.notFound((context) => not_found(`no page ${JSON.stringify(context.req.path)}`));
  app.onError((error, context) => {
    deps.logger.log("error", "request failed", { method: context.req.method, path: context.req.path, error });
    return failure(error);
  });
  return async (request, bindings) => {
    const answer = await app.fetch(request, bindings);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
    return answer;
  };
}

/** Reads a request's body whole before anything is answered: Deno's server resets connections that are answered earlier. */
async function bounded(request: Request, most_bytes: number): Promise<{ request: Request; too_large: boolean }> {
  if (request.body === null) return { request, too_large: false };
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > most_bytes) return { request, too_large: true };
    chunks.push(new Uint8Array(chunk));
  }
  const { method, headers } = request;
  return { request: new Request(request.url, { method, headers, body: new Blob(chunks) }), too_large: false };
}

function unauthorized(): Response {
  const detail = "send the token as `Authorization: Bearer …`, or exchange it for a cookie at POST /api/v1/session";
  return problem({ status: 401, title: "Unauthorized", detail, headers: { "www-authenticate": "Bearer" } });
}

/** What a client hears of a failure: enough to know whether to retry, nothing of the inside. */
function failure(error: Error): Response {
  if (took_too_long(error)) {
    return problem({ status: 503, title: "Took too long", detail: "ask for a shorter range or a coarser grain" });
  }
  if (blames_no_data(error)) {
    const headers = { "retry-after": "5" };
    return problem({ status: 503, title: "Database away", detail: "the database does not answer; try again", headers });
  }
  return problem({ status: 500, title: "Internal error", detail: "the server failed; its log says why" });
}

function document_of(app: App, version: string) {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "tacho", version, description: "Trip KPIs, live. Errors are RFC 9457 problems." },
  });
}
