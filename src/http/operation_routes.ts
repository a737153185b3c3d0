import { z } from "@hono/zod-openapi";
import type { Clock } from "../runtime/mod.ts";
import { problem, respond } from "./answers.ts";
import { is_authorized } from "./auth.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import type { Metrics } from "./metrics.ts";
import type { NamedBase } from "../domains/mod.ts";

/** One thing that must hold before requests should come here. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Why it does not hold; where it does, what to know all the same, or null. */
  readonly reason: string | null;
}

/** A domain, as probes ask for it. */
export interface ReadinessSource {
  /** The domain's name. */
  readonly name: string;
  /** Asks what must hold: database, ingest. */
  readonly readiness: () => Promise<readonly ReadinessCheck[]> | readonly ReadinessCheck[];
}

interface OperationSource {
  readonly domains: readonly ReadinessSource[];
  readonly metrics: Metrics;
  readonly token: string | null;
  readonly clock: Clock;
}

const STATUS = z.object({
  status: z.literal("ok"),
  /** Of several domains: by name whether each is ready. */
  domains: z.record(z.string(), z.enum(["ok", "not ready"])).optional(),
  remarks: z.array(z.string()).optional(),
}).openapi("Status");
type Told = Pick<z.output<typeof STATUS>, "domains" | "remarks">;
const ok = ({ domains, remarks = [] }: Told = {}): Response => {
  const body = {
    status: "ok",
    ...domains === undefined ? {} : { domains },
    ...remarks.length === 0 ? {} : { remarks },
  };
  return respond(JSON.stringify(body), { "content-type": "application/json", "cache-control": "no-store" });
};

/** Adds the probes and `/metrics` to the app. */
export function add_operation_routes(app: App, source: OperationSource): void {
  const answer = { type: "application/json", schema: STATUS };
  add_endpoint(app, {
    path: "/livez",
    summary: "The process answers; touches nothing else",
    query: {},
    params: {},
    answer,
    respond: () => ok(),
  });
  for (const path of ["/readyz", "/health"]) add_readiness_route(app, path, source.domains, source);
  add_endpoint(app, {
    path: "/metrics",
    summary: "Metrics in Prometheus text format",
    query: {},
    params: {},
    answer: { type: "text/plain", schema: z.string() },
    respond: async () =>
      respond(await source.metrics.text(), {
        "content-type": source.metrics.content_type,
        "cache-control": "no-store",
      }),
  });
}

/**
 * Adds a probe of domains: ready when all of them are.
 * @param app whose document says it
 */
export function add_readiness_route(
  app: App,
  path: string,
  domains: readonly ReadinessSource[],
  source: Pick<OperationSource, "token" | "clock">,
): void {
  const ready = async (request: Request): Promise<Response> => {
    const checks = await checks_of(domains);
    const failed = checks.filter((check) => !check.ok);
    const broken = new Set(failed.map(({ domain }) => domain));
    const each = domains.length === 1 ? {} : {
      domains: Object.fromEntries(domains.map(({ name }) => [name, broken.has(name) ? "not ready" : "ok"] as const)),
    };
    if (failed.length === 0) {
      const remarks = checks.flatMap(({ of, reason }) => reason === null ? [] : [of + told(reason, request, source)]);
      return ok({ ...each, remarks });
    }
    return problem({
      status: 503,
      title: "Not ready",
      detail: `not ready: ${failed.map(({ of, name }) => of + name).join(", ")}`,
      errors: failed.map(({ of, name, reason }) => ({
        path: of + name,
        detail: told(reason ?? "no reason given", request, source),
      })),
      headers: { "retry-after": "5" },
      members: each,
    });
  };
  add_endpoint(app, {
    path,
    summary: "Database and ingest work",
    query: {},
    params: {},
    answer: { type: "application/json", schema: STATUS },
    others: { 503: "Something does not; `errors` says what" },
    respond: (_, request) => ready(request),
  });
}

/** The checks of all domains; `of` says whose each is, where there are several. */
async function checks_of(
  domains: readonly ReadinessSource[],
): Promise<(ReadinessCheck & { readonly domain: string; readonly of: string })[]> {
  const of = (name: string): string => domains.length === 1 ? "" : `${name}: `;
  const checks = await Promise.all(
    domains.map(async ({ name, readiness }) =>
      (await readiness()).map((check) => ({ ...check, domain: name, of: of(name) }))
    ),
  );
  return checks.flat();
}

/** A reason for who asks: all of it for who holds the token; of one's own machine without the addresses; since when for strangers. */
function told(
  reason: string,
  request: Request,
  { token, clock }: Pick<OperationSource, "token" | "clock">,
): string {
  if (token === null) return without_addresses(reason);
  if (is_authorized(request, token, clock.now_ms())) return reason;
  return /^.{0,100}? since \S+Z/.exec(reason)?.[0] ?? "the reason is told to who sends the token";
}

/** What follows the words by which drivers say where they could not connect; hosts with a port; bare addresses. */
const ADDRESSES =
  /(?<=\b(?:ENOTFOUND|EAI_AGAIN|ENOENT|EACCES|E[A-Z]*CONN[A-Z]+|E[A-Z]+UNREACH|ETIMEDOUT) )\S+|\[[0-9a-f:.]+\](?::\d+)?|\b(?=[\w.-]*[a-z])[\w-]+(?:\.[\w-]+)*:\d{3,5}\b|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,8}(?![\w:])/gi;

/** A reason without the addresses that drivers quote in it. */
export const without_addresses = (text: string): string => text.replaceAll(ADDRESSES, "an address");

/** How often the browser looks again, seconds. */
const LOOK_S = 5;

const as_html = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/**
 * The page of a domain whose log is not open: says why, leads to the other domains, and gives way to the board by itself.
 * @param all every domain of the program
 */
export async function page_before(
  { name, readiness }: ReadinessSource,
  request: Request,
  all: readonly NamedBase[],
  shared: { readonly token: string | null; readonly clock: Clock },
): Promise<Response> {
  const why = (await readiness()).flatMap(({ reason }) => reason === null ? [] : [told(reason, request, shared)]);
  const links = all.filter((each) => each.name !== name).map((each) =>
    `<a class="link" href="${each.base}/">${each.name}</a>`
  );
  const html = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="icon" href="data:,">
    <title>${name}: not open</title>
    <link rel="stylesheet" href="/static/style.css">
    <link rel="stylesheet" href="/static/login/login.css">
  </head>
  <body>
    <main class="login panel">
      <h1>tacho ${name}</h1>
      The log is not open. This is tried again, and the board comes by itself.
      <p role="status">${why.map(as_html).join("<br>")}</p>
      ${links.join(" ")}
    </main>
  </body>
</html>
`;
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    refresh: `${LOOK_S}`,
    "retry-after": `${LOOK_S}`,
  };
  return respond(html, headers, 503);
}
