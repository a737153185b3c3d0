import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { made_map } from "./made_places.ts";
import { made_board, made_trip, made_trips, made_view, type MadeTrip } from "./made_trips.ts";
import { DECLARED, health_of } from "./page_frames.ts";
import { trips_board } from "./trip_board.ts";

type Fields = Record<string, unknown>;

/** How often a server says that it is there, milliseconds. */
export const BEAT_MS = 10_000;

/** When its time begins, at noon in New York: buckets of all widths have just begun, and clocks change in no range that is looked at. */
const BEGIN_MS = Date.UTC(2026, 5, 17, 16, 0, 1);

/** Answers for the page's files; it may take its time. */
type Files = (request: Request, path: string) => Response | Promise<Response>;

interface Viewer {
  readonly query: URLSearchParams;
  readonly send: (name: string, data: unknown, id?: number) => void;
  readonly end: () => void;
}

/**
 * A server for the page alone: its files, a feed and boards of then from made trips, all in the test's hands. What the real
 * server says is not proven by it; what the page makes of it is. Its time begins at the same moment whenever it is started, and pages go by
 * their server's clock: what they show does not depend on when they are looked at. `await using` stops it.
 */
export class FakeServer implements AsyncDisposable {
  readonly trips: MadeTrip[];
  /** Replaces fields of every hello and kpi to come. */
  changes: (board: Fields, query: URLSearchParams) => Fields = () => ({});
  health: Fields = {};
  /** What boards of then are answered with instead, as a problem. */
  failure: { readonly status: number; readonly title: string; readonly detail: string } | null = null;
  /** Why every view is refused; null shows them. */
  refusal: string | null = null;
  /** How many cells a map has, and why none is told; null tells them. */
  places = 700;
  map_failure: { readonly status: number; readonly title: string; readonly detail: string } | null = null;
  /** What feeds wait for before they are answered. */
  held: Promise<void> | null = null;
  /** Queries of feeds and boards, oldest first. */
  readonly asked: string[] = [];
  readonly #begun = performance.now();
  readonly #viewers = new Set<Viewer>();
  readonly #beats: ReturnType<typeof setInterval>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(days: number, files: Files, port: number) {
    this.trips = days === 0 ? [] : made_trips(Math.floor(BEGIN_MS / 1000), days);
    this.#server = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/api/v1/feed") await this.held;
      if (pathname === "/api/v1/feed") return this.#feed(searchParams);
      if (pathname === "/api/v1/board") return this.#board(searchParams);
      if (pathname === "/api/v1/notes") return Response.json({ notes: [], writable: false });
      if (pathname === "/api/v1/views") return Response.json({ views: [], writable: false });
      if (pathname === "/api/v1/kpis/map") return this.#map(searchParams);
      return files(request, pathname === "/" ? "index.html" : pathname.replace(/^\/static\/(?:@[^/]*\/)?/, ""));
    });
    this.#beats = setInterval(() => this.#beat(), BEAT_MS);
  }

  /** Starts it with the trips of some days. `files` answers for the page's files; those of the program unless given. */
  static async start(
    days = 15,
    options: { readonly port?: number; readonly files?: Files } = {},
  ): Promise<FakeServer> {
    return new FakeServer(
      days,
      options.files ?? await make_static_files(ASSETS, { "": trips_board }),
      options.port ?? 0,
    );
  }

  /** The page's address. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** Queries of feeds alone, oldest first; and whether a page has also asked for a board, as it does where a stream does not come for seconds. */
  get feeds(): { readonly asked: readonly string[]; readonly late: boolean } {
    const asked = this.asked.filter((query) => query.startsWith("feed "));
    return { asked, late: asked.length < this.asked.length };
  }

  /** What its clock says. */
  get now_ms(): number {
    return BEGIN_MS + Math.floor(performance.now() - this.#begun);
  }

  /** How many streams are open. */
  get viewers(): number {
    return this.#viewers.size;
  }

  /** Adds trips that end now, and tells every viewer. */
  add(count: number, status?: string): void {
    const at_s = Math.floor(this.now_ms / 1000);
    for (let i = 0; i < count; i++) this.trips.push(made_trip(this.trips.length, at_s, status));
    this.tell();
  }

  /** Sends every viewer a kpi, and the newest trips. */
  tell(): void {
    for (const viewer of this.#viewers) {
      const { trips, ...board } = this.#figures(viewer.query);
      viewer.send("kpi", board, Number(board.position));
      viewer.send("trip", { position: board.position, trips });
    }
  }

  /** Says to every viewer that it is there, as the real one does: a link that is silent is given up. */
  #beat(): void {
    const position = this.trips.at(-1)?.position ?? 0;
    const beat = { build: "one", now_ms: this.now_ms, position, health: this.#health() };
    for (const viewer of this.#viewers) viewer.send("hb", beat);
  }

  /** Ends every stream at once. */
  cut(): void {
    for (const viewer of this.#viewers) viewer.end();
  }

  #health(): Fields {
    const { now_ms } = this;
    return health_of({
      ingest: { state: "running", since_ms: now_ms },
      recorded_ms: now_ms - 300,
      events_per_s: 12.4,
      late: 37,
      ...this.health,
    });
  }

  #figures(query: URLSearchParams): Fields {
    const { now_ms } = this, health = this.#health();
    const board = { ...made_board(this.trips, made_view(query, now_ms / 1000), now_ms / 1000), now_ms, health };
    return { ...board, ...this.changes(board, query) };
  }

  #hello(query: URLSearchParams): Fields {
    return {
      log_id: "log",
      build: "one",
      declared: DECLARED,
      time_zone: "America/New_York",
      currency: "USD",
      ...this.#figures(query),
    };
  }

  #feed(query: URLSearchParams): Response {
    this.asked.push(`feed ${query}`);
    if (this.refusal !== null) return problem({ status: 400, title: "Bad request", detail: this.refusal });
    const encoder = new TextEncoder();
    let viewer: Viewer;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (name: string, data: unknown, id?: number) => {
          const id_line = id === undefined ? "" : `id: log-${id}\n`;
          try {
            controller.enqueue(encoder.encode(`event: ${name}\n${id_line}data: ${JSON.stringify(data)}\n\n`));
          } catch {
            this.#viewers.delete(viewer); // Who left in between is told nothing more.
          }
        };
        const end = () => {
          if (this.#viewers.delete(viewer)) controller.close();
        };
        viewer = { query, send, end };
        this.#viewers.add(viewer);
        const hello = this.#hello(query);
        send("hello", hello, Number(hello.position));
      },
      cancel: () => {
        this.#viewers.delete(viewer);
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
  }

  #map(query: URLSearchParams): Response {
    this.asked.push(`map ${query}`);
    if (this.map_failure !== null) return problem(this.map_failure);
    return Response.json(made_map(query, this.places, this.trips.length));
  }

  #board(query: URLSearchParams): Response {
    this.asked.push(`board ${query}`);
    if (this.refusal !== null) return problem({ status: 400, title: "Bad request", detail: this.refusal });
    if (this.failure !== null) return problem(this.failure);
    const position = query.has("as_of_position") ? Number(query.get("as_of_position")) : null;
    const newest = this.trips.at(-1);
    // Without a moment it is asked whether the view is refused.
    const then_s = position === null
      ? (query.has("as_of") ? Date.parse(query.get("as_of")!) : this.now_ms) / 1000
      : this.trips.findLast((trip) => trip.position <= position)?.at_s ?? 0;
    if (Number.isNaN(then_s)) return problem({ status: 400, title: "Bad request", detail: "no such view" });
    const { health: _health, ...hello } = this.#hello(new URLSearchParams());
    const board = made_board(this.trips, made_view(query, then_s), then_s);
    const as_of = { position: board.position, recorded_ms: then_s * 1000, head: newest?.position ?? 0 };
    return Response.json({ ...hello, ...board, now_ms: then_s * 1000, as_of, ...this.changes(board, query) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beats);
    this.cut();
    await this.#server.shutdown();
  }
}

function problem(fields: { readonly status: number; readonly title: string; readonly detail: string }): Response {
  return Response.json(fields, { status: fields.status });
}
