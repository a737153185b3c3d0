import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { trips_board } from "./trip_board.ts";
import { type FeedHub, type FeedLimits, past_states } from "../../src/feed/mod.ts";
import {
  type Handler,
  make_app,
  make_metrics,
  make_static_files,
  type ServedDomain,
  type SharedDeps,
} from "../../src/http/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { stream_history } from "../../src/projection/mod.ts";
import { WakeUp } from "../../src/runtime/mod.ts";
import { healthy, make_hub, ManualTime, silent } from "./read_side.ts";
import { TEST_DOMAIN } from "./trip_pipeline.ts";

/** How far event time has come: noon, and in one partition a little less, in another one so much less that what it brings is late. */
const AT_US = Date.UTC(2026, 2, 1, 12) * 1000;
const partitions = [
  { topic: "trips", partition: 3, watermark_us: AT_US - 400.5e6 },
  { topic: "trips", partition: 0, watermark_us: AT_US - 1e6 },
];

/** The HTTP app on a database, with everything around it known. */
export interface HttpSide {
  readonly handler: Handler;
  readonly hub: FeedHub;
  readonly time: ManualTime;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Posts JSON, or a text as it stands, as this server's own page does. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** An answer's JSON, when its status is the expected one. */
export async function json_of(answer: Promise<Response>, status = 200) {
  const response = await answer, text = await response.text();
  assert.equal(response.status, status, text);
  return JSON.parse(text);
}

export async function make_http_side(
  database: Database,
  options: Partial<SharedDeps & ServedDomain> & {
    readonly limits?: FeedLimits;
    /** Further domains, by what they have of their own. */
    readonly beside?: readonly Partial<ServedDomain>[];
  } = {},
): Promise<HttpSide> {
  const time = new ManualTime("2026-03-01T12:00:30Z");
  const hub = make_hub(database, time, options.limits === undefined ? {} : { limits: options.limits });
  const time_zone = options.time_zone ?? "UTC";
  const figures = {
    position: 3,
    read: 10,
    admitted: 7,
    duplicates: 2,
    quarantined: 1,
    tombstones: 6,
    skipped: 5,
    late: 4,
    lag: null,
    held_partitions: 2,
    open_gaps: 1,
    watermark_us: AT_US,
    partitions,
    repeated: 0,
    foreign_partitions: 0,
    table_reloads: 0,
    stale_tables: 0,
  };
  const boards = Object.fromEntries(
    [{ base: "", board: options.board }, ...options.beside ?? []].map((
      { base = "", board = trips_board },
    ) => [base, board]),
  );
  const all: SharedDeps & ServedDomain = {
    name: "trips",
    base: "",
    database,
    board: trips_board,
    days: days_in(time_zone),
    time_zone,
    currency: "USD",
    history: (events) => stream_history(TEST_DOMAIN, days_in(time_zone), events),
    past: past_states({ ...TEST_DOMAIN, board: options.board ?? trips_board }),
    event_types: TEST_DOMAIN.event_types,
    changes: { appended: new WakeUp(), ending: new AbortController().signal },
    build: "b1",
    version: "0.1.0",
    hub,
    clock: time.clock,
    logger: silent,
    token: null,
    readiness: () => [],
    standing: () => ({ health: healthy(), watermark_us: AT_US, partitions }),
    saved: database,
    alerts: {
      standing: () => ({ rules: [], deliveries: [], troubles: new Map() }),
      receivers: [],
      changed: () => {},
      database,
    },
    unusual: () => ({ closed_us: null, against: "nothing", weeks: 0, keys: 0, left_out: 0, items: [] }),
    intake: { submit: () => Promise.reject(new Error("no test expects events to be posted here")), mappings: [] },
    metrics: make_metrics({
      trips: () => ({ ...figures, subscribers: 0, feed_frames: 0, feed_encodes: 0, feed_skipped: 0 }),
    }),
    static_files: await make_static_files({
      "index.html": "<!doctype html><title>t</title>",
      "stream/index.html": "<!doctype html><title>trip</title>",
      "login/index.html": "<!doctype html><title>token</title>",
      "app.js": "void 0;".repeat(500),
    }, boards),
    ...options,
  };
  const further = options.beside?.map((own) => ({ ...all, ...own })) ?? [];
  const handler = make_app(all, [all, ...further]);
  const get = (path: string, headers: Record<string, string> = {}) =>
    handler(new Request(`http://localhost${path}`, { headers }), { address: "::1" });
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) =>
    await handler(
      new Request(`http://localhost${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", host: "localhost", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
      { address: "::1" },
    );
  return { handler, hub, time, get, post };
}
