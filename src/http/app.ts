import { OpenAPIHono } from "@hono/zod-openapi";
import { createHash } from "node:crypto";
import { DatabaseUnsuitable, may_pass, took_too_long } from "../database/mod.ts";
import { EventsArchived, LogElsewhere } from "../event_log/mod.ts";
import type { FeedHub } from "../feed/mod.ts";
import type { Clock, Logger } from "../runtime/mod.ts";
import {
  add_alerts_routes,
  add_board_routes,
  add_breakdown_route,
  add_entity_routes,
  add_event_intake_route,
  add_events_route,
  add_feed_route,
  add_health_route,
  add_items_route,
  add_keys_route,
  add_kpi_routes,
  add_map_route,
  add_saved_routes,
  add_search_route,
  add_segments_route,
  add_stream_list_route,
  add_stream_route,
  add_unusual_items_route,
  add_unusual_route,
  type AlertsSource,
  type BoardSource,
  type EntitySource,
  event_bodies,
  type EventIntake,
  type EventsSource,
  type HealthSource,
  type SavedSource,
  type StreamSource,
  title,
  type UnusualSource,
} from "./api/mod.ts";
import { matches_etag, not_found, problem, type RequestFault, respond } from "./answers.ts";
import { add_session_route, is_authorized, is_guarded } from "./auth.ts";
import type { Bodies } from "./bodies.ts";
import type { App, Bindings } from "./endpoint.ts";
import type { Metrics } from "./metrics.ts";
import { Busy, Gate, gated, STATEMENT_TIMEOUT_MS } from "./reading.ts";
import { add_operation_routes, add_readiness_route, page_before, type ReadinessSource } from "./operation_routes.ts";
import type { StaticFiles } from "./static_files.ts";

/** What the domains of a program share. */
export interface SharedDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  /** The bearer token; null leaves everything open. */
  readonly token: string | null;
  /** The names that it may be asked by besides loopback. Absent: any with a token, loopback alone without one. */
  readonly allowed_hosts?: readonly string[] | null;
  /** How long a body may take, milliseconds; 10 s unless given. */
  readonly most_body_ms?: number;
  readonly static_files: StaticFiles;
  readonly metrics: Metrics;
  readonly build: string;
  readonly version: string;
  /** Domains that are to be served and are not yet, whose readiness says why; below their base all is answered 503. */
  readonly unopened?: readonly (ReadinessSource & Pick<ServedDomain, "base">)[];
}

/** What one domain is served from. */
export interface ServedDomain extends
  Omit<
    BoardSource & EntitySource & StreamSource & EventsSource & AlertsSource & SavedSource & UnusualSource,
    keyof SharedDeps
  >,
  ReadinessSource,
  HealthSource {
  /** Below which path it is served: `/payments`; "" of the one at the root. */
  readonly base: string;
  readonly hub: FeedHub;
  /** Null: this program takes nothing in. */
  readonly intake: EventIntake | null;
}

/** Answers a request that came from an address. Never rejects. */
export type Handler = (request: Request, bindings: Bindings) => Promise<Response>;

/** Readers of a domain's API at a time, whatever they ask: fewer than there are connections, so that the feed never waits for them. */
const READERS = { most: 4, waiting: 100, wait_ms: 2_000 };

/**
 * Makes the app: probes, metrics, session and files once, and below the base of each domain its page, API, feed and OpenAPI document. Without
 * a domain at the root `/` leads to the first one's page.
 */
export function make_app(shared: SharedDeps, domains: readonly ServedDomain[]): Handler {
  const { token, clock, logger, static_files } = shared;
  const app: App = new OpenAPIHono<{ Bindings: Bindings }>();
  const { unopened = [] } = shared;
  const bases = [...domains, ...unopened].map(({ base }) => base);
  app.use(async ({ req }, next) => {
    if (token !== null && is_guarded(req.path, bases)) {
      if (!is_authorized(req.raw, token, clock.now_ms())) return unauthorized();
    }
    await next();
  });
  add_session_route(app, shared);
  add_operation_routes(app, { ...shared, domains: [...domains, ...unopened] });
  app.get("/static/*", ({ req }) => static_files(req.raw, req.path.slice("/static/".length)));
  const bodies = event_bodies(shared.most_body_ms);
  for (const domain of domains) add_domain(app, shared, domain, bodies);
  for (const domain of unopened) {
    if (domain.base !== "") add_readiness_route(app.basePath(domain.base), "/readyz", [domain], shared);
  }
  if (!bases.includes("")) {
    add_document_route(app, shared.version, "What the domains of this program share.");
    app.get("/", ({ req }) => lead_to(`${bases[0]}/`, req.raw));
  }
  refuse_other_methods(app);
  for (const domain of unopened) {
    const { base } = domain;
    app.get(`${base}/`, ({ req }) => page_before(domain, req.raw, [...domains, ...unopened], shared));
    if (base !== "") { for (const path of [base, `${base}/*`]) app.all(path, () => not_open_yet(domain.name)); }
  }
  const at_root = unopened.find(({ base }) => base === "");
  app.notFound((context) =>
    at_root === undefined ? not_found(`no page ${JSON.stringify(context.req.path)}`) : not_open_yet(at_root.name)
  );
  app.onError((error, context) => {
    if (error instanceof Busy) return busy();
    if (error instanceof EventsArchived) {
      const title = error instanceof LogElsewhere ? "The log is elsewhere" : "Archived";
      return problem({ status: 410, title, detail: error.message });
    }
    // That the database is away is said once, by who watches it.
    if (!is_away(error)) {
      logger.log("error", "request failed", { method: context.req.method, path: context.req.path, error });
    }
    return failure(error);
  });
  const hosts = shared.allowed_hosts ?? (token === null ? [] : null);
  return async (request, bindings) => refuse_request(request, hosts) ?? await app.fetch(request, bindings);
}

/** Adds what a domain has of its own, all of it below its base. */
function add_domain(root: App, shared: SharedDeps, domain: ServedDomain, bodies: Bodies): void {
  const { base } = domain;
  const { token, clock, static_files } = shared;
  // The router is the root's, the OpenAPI document its own.
  const app: App = base === "" ? root : root.basePath(base);
  // That of the domain at the root is the whole program's.
  if (base !== "") add_readiness_route(app, "/readyz", [domain], shared);
  const deps = { ...shared, ...domain, database: gated(domain.database, new Gate(READERS)) };
  add_feed_route(app, deps);
  add_board_routes(app, deps);
  add_health_route(app, domain);
  add_alerts_routes(app, deps);
  add_saved_routes(app, deps);
  add_unusual_route(app, deps);
  add_unusual_items_route(app, deps);
  add_kpi_routes(app, deps);
  add_map_route(app, deps);
  add_breakdown_route(app, deps);
  add_keys_route(app, deps);
  add_items_route(app, deps);
  add_segments_route(app, deps);
  add_search_route(app, deps);
  add_stream_list_route(app, deps);
  add_stream_route(app, deps);
  add_events_route(app, deps);
  add_event_intake_route(app, { ...deps, bodies });
  // However many ask for keys, they ask the database two things at a time.
  add_entity_routes(app, { ...deps, database: domain.database });
  add_document_route(app, shared.version, `${title(domain.board.noun)} KPIs, live.`);
  // Who is not known is asked for the token, whatever page it is.
  const page = (path: string) => ({ req }: { readonly req: { readonly raw: Request } }) => {
    const known = token === null || is_authorized(req.raw, token, clock.now_ms());
    return static_files(req.raw, known ? path : "login/index.html");
  };
  root.get(`${base}/`, page(`${base}/index.html`.slice(1)));
  app.get(`/${domain.name}/:id`, page(`${base}/stream/index.html`.slice(1)));
  if (base !== "") root.get(base, ({ req }) => lead_to(`${base}/`, req.raw));
}

/**
 * What the API of a domain answers to this program itself, without a server: boards, and the items of figures. Rejects with what its reading throws.
 * @returns from a path with its query to the answer
 */
export function board_answers(source: BoardSource): (path: string) => Promise<Response> {
  const app: App = new OpenAPIHono<{ Bindings: Bindings }>();
  add_board_routes(app, source);
  add_items_route(app, source);
  app.onError((error) => {
    throw error;
  });
  return async (path) => await app.fetch(new Request(`http://localhost${path}`), { address: "" });
}

/** Leads to a path, with what the address asks for. */
const lead_to = (path: string, { url }: Request): Response =>
  respond(null, { location: path + new URL(url).search, "cache-control": "no-cache" }, 302);

/** A domain whose log is not open: whoever sends it something is to come again. */
const not_open_yet = (domain: string): Response =>
  problem({
    status: 503,
    title: "Not open yet",
    detail: `the log of ${domain} is not open; /readyz says why`,
    headers: { "retry-after": "5" },
  });

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

/** Whether it is the database that cannot be worked with for now. What it refuses for good (a column that is not there, a right that is missing) is our fault, or an operator's. */
const is_away = (error: Error): boolean => may_pass(error) || error instanceof DatabaseUnsuitable;

/** What a client hears of a failure: enough to know whether to retry, nothing of the inside. */
function failure(error: Error): Response {
  if (took_too_long(error)) {
    const detail = `a statement took longer than ${STATEMENT_TIMEOUT_MS / 1000} s, the most it may; ask for less: ` +
      "a shorter range, a coarser grain, another filter";
    return problem({ status: 503, title: "Took too long", detail });
  }
  if (is_away(error)) {
    const headers = { "retry-after": "5" };
    return problem({ status: 503, title: "Database away", detail: "the database does not answer; try again", headers });
  }
  return problem({ status: 500, title: "Internal error", detail: "the server failed; its log says why" });
}

/** Adds `/openapi.json`, made when it is first asked for: making it takes a hundred times as long as sending it. */
function add_document_route(app: App, version: string, says: string): void {
  let made: { readonly text: string; readonly etag: string } | null = null;
  const make = () => {
    const info = { title: "tacho", version, description: `${says} Errors are RFC 9457 problems.` };
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

/**
 * What every request is held against before anything else of it is looked at: its host and its address. Nothing of its body is read for
 * that. Pure.
 */

/** Longest address of a request, characters; a proxy's own limit is often 8,192. */
const MOST_ADDRESS = 16_384;
/** What a server without a token answers to: names that lead nowhere but to this machine. */
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::(\d{1,5}))?$/i;

/**
 * The problem of a request that goes no further; null of one that may.
 * @param hosts the names it may be asked by besides loopback, in lower case, without port; null: any
 */
function refuse_request(request: Request, hosts: readonly string[] | null): Response | null {
  const { url } = request;
  const [, authority = "", address = ""] = /^[a-z]+:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
  // Deno writes the Host header into the URL, unless the request line names another host: both must hold.
  const host_header = request.headers.get("host");
  for (const given of host_header === null || host_header === "" ? [authority] : [host_header, authority]) {
    const host = host_of(given);
    if (host === null) {
      return wrong("the host", [{ path: "Host", detail: `expected a host and perhaps a port, got ${quoted(given)}` }]);
    }
    if (hosts !== null && !LOOPBACK_HOSTS.includes(host) && !hosts.includes(host)) return wrong_host(host);
  }
  if (!address.startsWith("/")) return wrong("the address", [{ path: "path", detail: "expected a path" }]);
  if (address.length > MOST_ADDRESS) {
    const detail = `expected an address of at most ${MOST_ADDRESS} characters, got ${address.length}`;
    return problem({ status: 414, title: "Address too long", detail });
  }
  const faults = address_faults(address);
  return faults.length === 0 ? null : wrong("the address", faults);
}

/** Without a port and a last dot, in lower case; null of what is no host. */
function host_of(authority: string): string | null {
  const [, host, port = "0"] = AUTHORITY.exec(authority) ?? [];
  if (host === undefined || Number(port) > 65_535) return null;
  return host.toLowerCase().replace(/\.$/, "");
}

function wrong_host(host: string): Response {
  const detail = `this server is not asked for as ${quoted(host)}: a page elsewhere could have led a browser here. ` +
    "Expected localhost, or a name of TACHO_ALLOWED_HOSTS";
  return problem({ status: 421, title: "Misdirected request", detail });
}

/** What of a path and a query cannot be read as text: broken percent-encoding, bytes that are not UTF-8, NUL. */
function address_faults(address: string): RequestFault[] {
  const [path = "", query = ""] = /^([^?#]*)\??([^#]*)/.exec(address)?.slice(1) ?? [];
  const parts = [["path", path], ...query.split("&").map((part) => [parameter_name(part), part] as const)] as const;
  return parts.flatMap(([name, part]) => {
    const text = decoded(part);
    if (text === null) return [{ path: name, detail: "expected percent-encoded UTF-8" }];
    return text.includes("\0") ? [{ path: name, detail: "expected no NUL (%00)" }] : [];
  });
}

const parameter_name = (part: string): string => {
  const name = part.split("=", 1)[0]!;
  return decoded(name) ?? name;
};

function decoded(text: string): string | null {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const wrong = (what: string, errors: readonly RequestFault[]): Response =>
  problem({ status: 400, title: "Bad request", detail: `${what} cannot be read`, errors });

/** Foreign text within a sentence, cut where it is long. */
const quoted = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
