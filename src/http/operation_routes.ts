import { z } from "@hono/zod-openapi";
import type { Clock } from "../runtime/mod.ts";
import { is_authorized } from "./auth.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import type { Metrics } from "./metrics.ts";
import { respond } from "./headers.ts";
import { problem } from "./problem.ts";

/** One thing that must hold before requests should come here. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Why it does not hold; where it does, what to know all the same, or null. */
  readonly reason: string | null;
}

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

const STATUS = z.object({ status: z.literal("ok"), remarks: z.array(z.string()).optional() }).openapi("Status");
const ok = (remarks: readonly string[] = []): Response => {
  const body = { status: "ok", ...remarks.length === 0 ? {} : { remarks } };
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
  const ready = async (request: Request): Promise<Response> => {
    const checks = await checks_of(source.domains);
    const failed = checks.filter((check) => !check.ok);
    if (failed.length === 0) {
      return ok(checks.flatMap(({ of, reason }) => reason === null ? [] : [of + told(reason, request, source)]));
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
    });
  };
  for (const path of ["/readyz", "/health"]) {
    add_endpoint(app, {
      path,
      summary: "Database and ingest work",
      query: {},
      params: {},
      answer,
      others: { 503: "Something does not; `errors` says what" },
      respond: (_, request) => ready(request),
    });
  }
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

/** The checks of all domains; `of` says whose each is, where there are several. */
async function checks_of(domains: readonly ReadinessSource[]): Promise<(ReadinessCheck & { readonly of: string })[]> {
  const of = (name: string): string => domains.length === 1 ? "" : `${name}: `;
  const checks = await Promise.all(
    domains.map(async ({ name, readiness }) => (await readiness()).map((check) => ({ ...check, of: of(name) }))),
  );
  return checks.flat();
}

/** A reason for who asks: all of it for who holds the token; of one's own machine without the addresses; since when for strangers. */
function told(reason: string, request: Request, { token, clock }: OperationSource): string {
  if (token === null) return without_addresses(reason);
  if (is_authorized(request, token, clock.now_ms())) return reason;
  return /^.{0,100}? since \S+Z/.exec(reason)?.[0] ?? "the reason is told to who sends the token";
}

/** What follows the words by which drivers say where they could not connect; hosts with a port; bare addresses. */
const ADDRESSES =
  /(?<=\b(?:ENOTFOUND|EAI_AGAIN|ENOENT|EACCES|E[A-Z]*CONN[A-Z]+|E[A-Z]+UNREACH|ETIMEDOUT) )\S+|\[[0-9a-f:.]+\](?::\d+)?|\b(?=[\w.-]*[a-z])[\w-]+(?:\.[\w-]+)*:\d{3,5}\b|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,8}(?![\w:])/gi;

/** Public for its test. */
export const without_addresses = (text: string): string => text.replaceAll(ADDRESSES, "an address");
