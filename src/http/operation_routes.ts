import { z } from "@hono/zod-openapi";
import { add_endpoint, type App } from "./endpoint.ts";
import type { Metrics } from "./metrics.ts";
import { problem } from "./problem.ts";

/** One thing that must hold before requests should come here. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Why it does not hold; null when it does. */
  readonly reason: string | null;
}

export interface OperationSource {
  /** Asks what must hold: database, ingest. */
  readonly readiness: () => Promise<readonly ReadinessCheck[]> | readonly ReadinessCheck[];
  readonly metrics: Metrics;
}

const STATUS = z.object({ status: z.literal("ok") }).openapi("Status");
const ok = (): Response => Response.json({ status: "ok" }, { headers: { "cache-control": "no-store" } });

/** Adds the probes and `/metrics` to the app. */
export function add_operation_routes(app: App, source: OperationSource): void {
  const answer = { type: "application/json", schema: STATUS };
  add_endpoint(app, {
    path: "/livez",
    summary: "The process answers; touches nothing else",
    query: {},
    params: {},
    answer,
    respond: ok,
  });
  const ready = async (): Promise<Response> => {
    const failed = (await source.readiness()).filter((check) => !check.ok);
    if (failed.length === 0) return ok();
    return problem({
      status: 503,
      title: "Not ready",
      detail: `not ready: ${failed.map(({ name }) => name).join(", ")}`,
      errors: failed.map(({ name, reason }) => ({ path: name, detail: reason ?? "no reason given" })),
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
      respond: ready,
    });
  }
  add_endpoint(app, {
    path: "/metrics",
    summary: "Metrics in Prometheus text format",
    query: {},
    params: {},
    answer: { type: "text/plain", schema: z.string() },
    respond: async () =>
      new Response(await source.metrics.text(), {
        headers: { "content-type": source.metrics.content_type, "cache-control": "no-store" },
      }),
  });
}
