import { FrameReader } from "./feed_client.ts";

/** What /readyz said once: its status, and by check since when it fails and why. */
interface Probe {
  readonly status: number;
  readonly failing: ReadonlyMap<string, { readonly since: string; readonly why: string }>;
}

/** What a program says of an outage while it lasts: its probe again and again, and the health of every frame of its feed. */
export class OutageWatch {
  readonly probes: Probe[] = [];
  // deno-lint-ignore no-explicit-any -- frames are JSON that tests look into
  readonly healths: any[] = [];
  readonly #url: string;
  readonly #feed: FrameReader;
  readonly #reading: Promise<void>;

  private constructor(url: string, feed: FrameReader) {
    this.#url = url;
    this.#feed = feed;
    this.#reading = this.#read();
  }

  /** Begins to read the feed of the page at `url`. */
  static async open(url: string): Promise<OutageWatch> {
    const response = await fetch(`${url}api/v1/feed`);
    if (response.body === null) throw new Error(`read the feed of ${url}: no body`);
    return new OutageWatch(url, new FrameReader(response.body));
  }

  async #read(): Promise<void> {
    for (let frame = await this.#feed.next(); frame !== null; frame = await this.#feed.next()) {
      if (frame.data.health !== undefined) this.healths.push(frame.data.health);
    }
  }

  /** Asks the probe now. */
  async probe(): Promise<Probe> {
    const response = await fetch(`${this.#url}readyz`);
    const { errors = [] } = await response.json();
    const failing = new Map<string, { since: string; why: string }>();
    for (const { path, detail } of errors) {
      const [, since = "", why = ""] = / since (\S+Z): (.*)$/.exec(detail) ?? [];
      failing.set(path, { since, why });
    }
    const probe = { status: response.status, failing };
    this.probes.push(probe);
    return probe;
  }

  /** Ends the feed. */
  async close(): Promise<void> {
    await this.#feed.cancel();
    await this.#reading;
  }
}

/** One wait that a program told of in its log. */
export interface ToldWait {
  readonly since: string;
  readonly reason: string;
  readonly attempt: number;
  readonly next_try_ms: number;
}

/** The waits that a log tells of, in order. */
export function told_waits(log: string): ToldWait[] {
  const line = / warn .*waiting since=(\S+) reason=("(?:[^"\\]|\\.)*"|\S+) attempt=(\d+) next_try_ms=(\d+)$/gm;
  return [...log.matchAll(line)].map(([, since = "", reason = "", attempt, next_try_ms]) => (
    { since, reason, attempt: Number(attempt), next_try_ms: Number(next_try_ms) }
  ));
}
