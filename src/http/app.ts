import { createHash } from "node:crypto";
import { OpenAPIHono } from "@hono/zod-openapi";
import { blames_no_data, took_too_long } from "../database/mod.ts";
import type { FeedHub } from "../feed/mod.ts";
import type { Logger } from "../runtime/mod.ts";
import { is_authorized, is_guarded } from "./auth.ts";
import { add_board_routes, type BoardSource } from "./board_route.ts";
import { add_breakdown_route } from "./breakdown_route.ts";
import { add_daily_route } from "./daily_route.ts";
import type { App, Bindings } from "./endpoint.ts";
import { add_entity_routes, type EntitySource } from "./entity_routes.ts";
import { add_event_intake_route, type EventIntake } from "./event_intake_route.ts";
import { Busy, Gate, gated } from "./gate.ts";
import { add_feed_route } from "./feed_route.ts";
import { matches_etag, respond } from "./headers.ts";
import { add_operation_routes, type OperationSource } from "./operation_routes.ts";
import { not_found, problem } from "./problem.ts";
import { STATEMENT_TIMEOUT_MS } from "./reading.ts";
import { refuse_request } from "./request_check.ts";
import { add_series_route } from "./series_route.ts";
import { add_session_route } from "./session_route.ts";
import type { StaticFiles } from "./static_files.ts";
import type { TripSource } from "./trip_route.ts";
import { add_trip_routes } from "./trip_routes.ts";

/** What the HTTP app is made of. */
export interface AppDeps extends BoardSource, EntitySource, OperationSource, Pick<TripSource, "history"> {
  readonly intake: EventIntake | null;
  readonly hub: FeedHub;
  readonly logger: Logger;
  /** The bearer token; null leaves everything open. */
  readonly token: string | null;
  /** The names that it may be asked by besides loopback. Absent: any with a token, loopback alone without one. */
  readonly allowed_hosts?: readonly string[] | null;
  /** How long a body may take, milliseconds; 10 s unless given. */
  readonly most_body_ms?: number;
  readonly static_files: StaticFiles;
  readonly version: string;
}

/** Answers a request that came from an address. Never rejects. */
export type Handler = (request: Request, bindings: Bindings) => Promise<Response>;

/** Readers of the API at a time, whatever they ask: fewer than there are connections, so that the feed never waits for them. */
const READERS = { most: 4, waiting: 100, wait_ms: 2_000 };

/** Makes the app: page, API, feed, probes. */
export function make_app(given: AppDeps): Handler {
  const deps: AppDeps = { ...given, database: gated(given.database, new Gate(READERS)) };
  const app: App = new OpenAPIHono<{ Bindings: Bindings }>();
  app.use(async (context, next) => {
    if (deps.token !== null && is_guarded(context.req.path)) {
      if (!is_authorized(context.req.raw, deps.token, deps.clock.now_ms())) return unauthorized();
    }
    await next();
  });
  add_feed_route(app, deps);
  add_board_routes(app, deps);
  add_daily_route(app, deps);
  add_series_route(app, deps);
  add_breakdown_route(app, deps);
  add_trip_routes(app, deps);
  add_event_intake_route(app, deps);
  add_session_route(app, deps);
  add_operation_routes(app, deps);
  // However many ask for keys, they ask the database two things at a time.
  add_entity_routes(app, { ...deps, database: given.database });
  add_document_route(app, deps.version);
  // Who is not known is asked for the token, whatever page it is.
  const page = (path: string) => ({ req }: { readonly req: { readonly raw: Request } }) => {
    const known = deps.token === null || is_authorized(req.raw, deps.token, deps.clock.now_ms());
    return deps.static_files(req.raw, known ? path : "login/index.html");
  };
  app.get("/", page("index.html"));
  app.get("/trips/:id", page("trip/index.html"));
  app.get("/static/*", (context) => deps.static_files(context.req.raw, context.req.path.slice("/static/".length)));
  refuse_other_methods(app);
  app.notFound((context) => not_found(`no page ${JSON.stringify(context.req.path)}`));
  app.onError((error, context) => {
    if (error instanceof Busy) return busy();
    // That the database is away is said once, by who watches it.
    if (took_too_long(error) || !blames_no_data(error)) {
      deps.logger.log("error", "request failed", { method: context.req.method, path: context.req.path, error });
    }
    return failure(error);
  });
  const hosts = deps.allowed_hosts ?? (deps.token === null ? [] : null);
  return async (request, bindings) => refuse_request(request, hosts) ?? await app.fetch(request, bindings);
}

/** Answers the methods that a path does not take with 405, and OPTIONS, with those that it takes. Every path has its routes by now. */
function refuse_other_methods(app: App): void {
  const methods = Map.groupBy(app.routes.filter(({ method }) => method !== "ALL"), ({ path }) => path);
  for (const [path, routes] of methods) {
    const taken = [...new Set(routes.map(({ method }) => method))];
    const allow = [...taken, ...taken.includes("GET") ? ["HEAD"] : [], "OPTIONS"].join(", ");
    app.all(path, ({ req }) => {
      if (req.method === "OPTIONS") return respond(null, { allow }, 204);
      const detail = `expected one of ${allow}, got ${JSON.stringify(req.method.slice(0, 100))}`;
      return problem({ status: 405, title: "Method not allowed", detail, headers: { allow } });
    });
  }
}

function unauthorized(): Response {
  const detail = "send the token as `Authorization: Bearer …`, or exchange it for a cookie at POST /api/v1/session";
  return problem({ status: 401, title: "Unauthorized", detail, headers: { "www-authenticate": "Bearer" } });
}

function busy(): Response {
  const detail = `${READERS.most} read at a time, and it was not this one's turn within ${READERS.wait_ms / 1000} s`;
  return problem({ status: 503, title: "Busy", detail, headers: { "retry-after": "2" } });
}

/** What a client hears of a failure: enough to know whether to retry, nothing of the inside. */
function failure(error: Error): Response {
  if (took_too_long(error)) {
    const detail = `a statement took longer than ${STATEMENT_TIMEOUT_MS / 1000} s, the most it may; ask for less: ` +
      "a shorter range, a coarser grain, another filter";
    return problem({ status: 503, title: "Took too long", detail });
  }
  if (blames_no_data(error)) {
    const headers = { "retry-after": "5" };
    return problem({ status: 503, title: "Database away", detail: "the database does not answer; try again", headers });
  }
  return problem({ status: 500, title: "Internal error", detail: "the server failed; its log says why" });
}

/** Adds `/openapi.json`, made when it is first asked for: making it takes a hundred times as long as sending it. */
function add_document_route(app: App, version: string): void {
  let made: { readonly text: string; readonly etag: string } | null = null;
  const make = () => {
    const info = { title: "tacho", version, description: "Trip KPIs, live. Errors are RFC 9457 problems." };
    const text = JSON.stringify(app.getOpenAPI31Document({ openapi: "3.1.0", info }));
    return { text, etag: `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"` };
  };
  app.get("/openapi.json", ({ req }) => {
    const { text, etag } = made ??= make();
    const headers = { etag, "cache-control": "no-cache" };
    if (matches_etag(req.header("if-none-match") ?? null, etag)) return respond(null, headers, 304);
    return respond(text, { ...headers, "content-type": "application/json" });
  });
}
