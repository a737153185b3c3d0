import type { Handler } from "./app.ts";

/** How long open requests may take to end before they are cut. */
const GRACE_MS = 5_000;

/** What is served, until it is shut down. */
export interface Served {
  /** The port that was bound; another than asked for when that was 0. */
  readonly port: number;
  /**
   * Takes no more connections and waits for open requests, but no longer than the grace: what is still open then no longer
   * keeps the program alive. Streams are to be ended first.
   */
  shutdown(): Promise<void>;
}

/**
 * Serves a handler. Throws when the address cannot be bound.
 * @param where.port 0 takes a free one
 * @param where.signal cuts everything at once, unless a shutdown has begun; absent: only a shutdown ends it
 */
export function serve_http(
  handler: Handler,
  where: { readonly host: string; readonly port: number; readonly signal?: AbortSignal; readonly grace_ms?: number },
): Served {
  // Deno throws where nobody can catch it when the signal it was given is aborted after a shutdown has begun: it gets one
  // of its own, which is not.
  const own = new AbortController();
  const cut = () => own.abort();
  where.signal?.addEventListener("abort", cut, { once: true });
  const server = Deno.serve({
    hostname: where.host,
    port: where.port,
    signal: own.signal,
    onListen: () => {},
  }, (request, info) =>
    handler(request, {
      // Few ask for it, and it is dear to make.
      get address() {
        return info.remoteAddr.hostname;
      },
    }));
  return {
    port: server.addr.port,
    async shutdown() {
      where.signal?.removeEventListener("abort", cut);
      if (own.signal.aborted) return await server.finished;
      const grace = Promise.withResolvers<void>();
      const timer = setTimeout(() => {
        server.unref();
        grace.resolve();
      }, where.grace_ms ?? GRACE_MS);
      await Promise.race([server.shutdown(), grace.promise]);
      clearTimeout(timer);
    },
  };
}
