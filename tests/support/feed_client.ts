/** A viewer of the feed as a page is one: reads server-sent events, and keeps the columns that they describe. */

export interface Frame {
  readonly event: string;
  readonly id: string | null;
  // deno-lint-ignore no-explicit-any -- frames are JSON that tests look into
  readonly data: any;
}

/** Splits the text of a stream into frames; gives the rest that is not complete. */
export function parse_frames(text: string): { frames: Frame[]; rest: string } {
  const blocks = text.split("\n\n");
  const rest = blocks.pop() ?? "";
  const frames = blocks.map((block) => {
    const fields = new Map(
      block.split("\n").map((line) => {
        const at = line.indexOf(": ");
        return [line.slice(0, at), line.slice(at + 2)] as const;
      }),
    );
    return {
      event: fields.get("event") ?? "",
      id: fields.get("id") ?? null,
      data: JSON.parse(fields.get("data") ?? ""),
    };
  });
  return { frames, rest };
}

/** Reads a stream's frames one by one. */
export class FrameReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #frames: Frame[] = [];
  #rest = "";
  bytes = 0;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** The next frame; null when the stream has ended. */
  async next(): Promise<Frame | null> {
    while (this.#frames.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.bytes += value.byteLength;
      const { frames, rest } = parse_frames(this.#rest + this.#decoder.decode(value, { stream: true }));
      this.#frames.push(...frames);
      this.#rest = rest;
    }
    return this.#frames.shift() ?? null;
  }

  /** The next frame of that event; throws when the stream ends before. */
  async until(event: string): Promise<Frame> {
    for (let frame = await this.next(); frame !== null; frame = await this.next()) {
      if (frame.event === event) return frame;
    }
    throw new Error(`read feed until ${event}: the stream ended`);
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** What a viewer holds. */
export class FeedModel {
  last_event_id: string | null = null;
  columns = new Map<number, Record<string, number>>();
  cards: Record<string, number | null> = {};
  lines: string[] = [];
  breakdowns: unknown = null;
  compared_series: unknown = null;
  computed: Record<string, unknown> = {};
  resets = 0;

  apply({ event, id, data }: Frame): void {
    if (id !== null) this.last_event_id = id;
    if (event === "reset") {
      this.columns.clear();
      this.resets++;
    }
    if (event === "hello") this.columns.clear();
    if (event === "hello" || event === "kpi") {
      const { t, ...columns } = data.series;
      (t as number[]).forEach((start, i) => {
        this.columns.set(
          start,
          Object.fromEntries(Object.keys(columns).map((name) => [name, columns[name][i] as number])),
        );
      });
      for (const start of this.columns.keys()) {
        if (start < data.from_s || start >= data.to_s) this.columns.delete(start);
      }
      this.cards = data.cards;
      this.breakdowns = data.breakdowns;
      this.computed = data.computed;
      if (event === "hello" || data.compared_series !== undefined) this.compared_series = data.compared_series;
    }
    if (event === "hello") this.lines = data.trips.map((line: { trip_id: string }) => line.trip_id);
    if (event === "trip") {
      const newest: string[] = data.trips.map((line: { trip_id: string }) => line.trip_id);
      this.lines = [...newest, ...this.lines.filter((id) => !newest.includes(id))].slice(0, 20);
      if (data.replace === true) this.lines = newest;
    }
  }

  /** The columns in order of time. */
  series(): (readonly [number, Record<string, number>])[] {
    return [...this.columns].sort(([a], [b]) => a - b);
  }
}
