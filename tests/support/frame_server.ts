import type { DomainBoard } from "../../src/domains/mod.ts";
import { BEAT_MS } from "./fake_server.ts";
import { trips_board } from "./trip_board.ts";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { headers_of } from "../../src/http/answers.ts";

/** The page with the program's files and headers, over a feed whose frames are in the test's hands: states that take days or luck to come about are there at once. */
export class FrameServer implements AsyncDisposable {
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
  readonly #begun = performance.now();
  readonly #beats: ReturnType<typeof setInterval>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** The queries that the feed was opened with. */
  readonly asked: string[] = [];
  /** What is answered of a stream. */
  stream: unknown = null;

  private constructor(
    static_files: Awaited<ReturnType<typeof make_static_files>>,
    private hello: () => unknown,
    private base: string,
  ) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const { pathname, search } = new URL(request.url);
      if (pathname === `${base}/api/v1/feed`) return this.#feed(search);
      if (pathname === `${base}/api/v1/notes`) return Response.json({ notes: [], writable: false });
      if (pathname === `${base}/api/v1/views`) return Response.json({ views: [], writable: false });
      if (pathname.startsWith(`${base}/api/v1/`)) return Response.json(this.stream, { headers: { etag: '"one"' } });
      if (pathname.startsWith("/static/")) return static_files(request, pathname.slice("/static/".length));
      return static_files(request, `${base}/${pathname === `${base}/` ? "" : "stream/"}index.html`.slice(1));
    });
    this.#beats = setInterval(() => this.#beat(), BEAT_MS);
  }

  /** Serves on a free port. @param hello makes the hello of each connection, null: none yet; @param board what the page is told of, @param base where it is */
  static async start(hello: () => unknown, board: DomainBoard = trips_board, base = ""): Promise<FrameServer> {
    return new FrameServer(await make_static_files(ASSETS, { [base]: board }), hello, base);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}${this.base}/`;
  }

  #feed(search: string): Response {
    this.asked.push(search);
    let mine: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        mine = controller;
        this.#streams.add(mine);
        const hello = this.hello();
        if (hello !== null) mine.enqueue(frame("hello", hello));
      },
      cancel: () => {
        this.#streams.delete(mine);
      },
    });
    return new Response(stream, {
      headers: headers_of({ "content-type": "text/event-stream", "cache-control": "no-store" }),
    });
  }

  /** Says to every page that it is there, and that data come: its time stands still, however long the test takes. */
  #beat(): void {
    const hello = this.hello() as { health?: { recorded_ms: number | null } } & Record<string, unknown> | null;
    if (!hello?.health) return;
    const { build, now_ms, position, health } = hello;
    const passed_ms = performance.now() - this.#begun;
    const recorded_ms = health.recorded_ms === null ? null : health.recorded_ms + passed_ms;
    this.send("hb", { build, now_ms, position, health: { ...health, recorded_ms } });
  }

  /** Sends a frame to every page. */
  send(name: string, data: unknown): void {
    for (const stream of this.#streams) stream.enqueue(frame(name, data));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beats);
    for (const stream of this.#streams) stream.close();
    this.#streams.clear();
    await this.#server.shutdown();
  }
}

function frame(name: string, data: unknown): Uint8Array {
  return new TextEncoder().encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
