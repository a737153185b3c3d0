import type { Database } from "../../src/database/mod.ts";
import { type DecodeLimits, DirectIntake, mapped_topic } from "../../src/ingest/mod.ts";
import type { EventIntake } from "../../src/http/mod.ts";
import { make_http_side } from "./http_side.ts";
import { silent } from "./read_side.ts";
import { builtin, BUILTINS } from "./trip_mapping.ts";
import { LIMITS, trip_pipeline } from "./trip_pipeline.ts";

export const TOKEN = "a token of sixteen characters";
export const NOON_MS = Date.UTC(2026, 2, 1, 12);

/** An answer as a test looks into it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- JSON that tests look into
  readonly body: any;
}

/** The HTTP app with an intake on a database, as `serve` puts them together. */
export interface IntakeSide {
  /** Posts a body as the holder of the token, with bare JSON's content type unless the headers say otherwise. */
  post(body: unknown, headers?: Record<string, string>, query?: string): Promise<Answer>;
  /** How many batches were told of. */
  told(): number;
}

/**
 * Makes it.
 * @param options submit: what takes the messages in place of an intake
 */
export async function make_intake_side(
  database: Database,
  options: {
    readonly token?: string | null;
    readonly limits?: DecodeLimits;
    readonly signal?: AbortSignal;
    readonly submit?: EventIntake["submit"];
  } = {},
): Promise<IntakeSide> {
  const mappings = new Map(BUILTINS.map(({ name }) => [mapped_topic(name), builtin(name)]));
  let told = 0;
  const signal = options.signal ?? new AbortController().signal;
  const runtime = { clock: { now_ms: () => NOON_MS }, random: () => 0, logger: silent, signal };
  const direct = new DirectIntake(runtime, {
    database,
    pipeline: trip_pipeline(database, undefined, options.limits ?? LIMITS, mappings),
    committed: () => told++,
  });
  const { token = TOKEN, submit = (topic, messages) => direct.submit(topic, messages) } = options;
  const { handler } = await make_http_side(database, {
    token,
    clock: { now_ms: () => NOON_MS },
    intake: { submit, mappings: BUILTINS.map(({ name }) => name) },
  });
  return {
    told: () => told,
    async post(body, headers = {}, query = "") {
      const given = body instanceof Uint8Array || typeof body === "string" ? body : JSON.stringify(body);
      const answer = await handler(
        new Request(`http://localhost/api/v1/events${query}`, {
          method: "POST",
          body: given as BodyInit,
          headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
        }),
        { address: "::1" },
      );
      return { status: answer.status, headers: answer.headers, body: await answer.json() };
    },
  };
}
