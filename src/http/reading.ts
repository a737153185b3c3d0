import { type Database, type Queryable, snapshot } from "../database/mod.ts";
import { type Head, read_head } from "../event_log/mod.ts";
import { matches_etag, respond } from "./headers.ts";

/** How the API reads: one snapshot of the database, bounded in time, named by its place in the log. */

/** Longest time a statement of the API may take. */
export const STATEMENT_TIMEOUT_MS = 5_000;

/** Runs reads that see one moment of the database. */
export function read_only<T>(database: Database, work: (reading: Queryable) => Promise<T>): Promise<T> {
  return snapshot(database, async (reading) => {
    await reading.execute(`set local statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    return await work(reading);
  });
}

/** The entity tag of everything that is read at one position by one build. */
export function etag_of(head: Pick<Head, "log_id" | "position">, build: string): string {
  return `W/"${head.log_id}-${head.position}-${build}"`;
}

/**
 * Answers with what `work` reads: JSON text. A client that has this position's answer gets 304 and nothing is computed.
 * `work` may give a Response instead (a problem).
 */
export function answer_from_log(
  request: Request,
  source: { readonly database: Database; readonly build: string },
  work: (reading: Queryable, head: Head) => Promise<string | Response>,
): Promise<Response> {
  return read_only(source.database, async (reading) => {
    const head = await read_head(reading);
    return await answer_tagged(request, etag_of(head, source.build), () => work(reading, head));
  });
}

/** Answers under an entity tag: a client that has it gets 304 and nothing is computed. `work` as for `answer_from_log`. */
export async function answer_tagged(
  request: Request,
  etag: string,
  work: () => Promise<string | Response>,
): Promise<Response> {
  const headers = { etag, "cache-control": "no-cache", vary: "authorization, cookie" };
  if (matches_etag(request.headers.get("if-none-match"), etag)) return respond(null, headers, 304);
  const answer = await work();
  return answer instanceof Response ? answer : respond(answer, { ...headers, "content-type": "application/json" });
}
