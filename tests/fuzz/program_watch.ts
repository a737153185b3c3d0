import { shell } from "../support/shell.ts";
import type { ServingProgram } from "../support/tacho_program.ts";

/** What a process had in memory through a run, MiB. */
export interface Memory {
  /** Medians of the first and the last quarter of the samples. */
  readonly first_quarter_mib: number;
  readonly last_quarter_mib: number;
  /** The most at any time, as the kernel noted it. */
  readonly peak_mib: number;
  readonly samples: number;
}

const EVERY_MS = 500;

/**
 * Watches a program while it works: it has to run, answer, never say that ingest has stopped, keep its viewer, and get on. It may pause: where
 * the machine is busy, a broker's silence is all it takes.
 */
export class ProgramWatch implements AsyncDisposable {
  readonly #program: ServingProgram;
  readonly #read: () => Promise<number>;
  readonly #stuck_ms: number;
  readonly #resident_mib: number[] = [];
  #peak_mib = 0;
  readonly #over = new AbortController();
  readonly #watching: Promise<void>;
  readonly #failed = Promise.withResolvers<never>();
  #paused = 0;

  /**
   * @param read how many messages it has read so far
   * @param stuck_ms how long it may take to read the next one
   */
  constructor(program: ServingProgram, read: () => Promise<number>, stuck_ms: number) {
    this.#program = program;
    this.#read = read;
    this.#stuck_ms = stuck_ms;
    this.#failed.promise.catch(() => {});
    this.#watching = Promise.all([this.#watch(), this.#view()]).then(() => {}, this.#failed.reject);
  }

  /** Does the work under watch; rejects as soon as something is wrong with the program, with what that said last. */
  async during<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {});
    return await this.#program.brings(Promise.race([work, this.#failed.promise]));
  }

  /** How often, of all looks at it, it was not ready. */
  get paused(): number {
    return this.#paused;
  }

  memory(): Memory {
    const samples = this.#resident_mib;
    const quarter = Math.max(Math.floor(samples.length / 4), 1);
    const median = (some: readonly number[]) => some.toSorted((a, b) => a - b)[some.length >> 1] ?? 0;
    return {
      first_quarter_mib: median(samples.slice(0, quarter)),
      last_quarter_mib: median(samples.slice(-quarter)),
      peak_mib: this.#peak_mib,
      samples: samples.length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    let read = -1;
    let moved_ms = performance.now();
    while (!this.#over.signal.aborted) {
      if (!this.#program.running) throw new Error(`watch tacho: it ended with exit code ${await this.#program.ended}`);
      await this.#sample_memory();
      const response = await fetch(`${this.#program.url}readyz`);
      const text = await response.text();
      const paused = response.status === 503 && text.includes('"detail":"paused since ');
      if (response.status !== 200 && !paused) throw new Error(`watch tacho: ${response.status} ${text}`);
      if (paused) this.#paused++;
      const now = await this.#read();
      if (now !== read) moved_ms = performance.now();
      read = now;
      if (performance.now() - moved_ms > this.#stuck_ms) {
        throw new Error(`watch tacho: it stands at ${read} messages for ${this.#stuck_ms} ms`);
      }
      await pause(this.#over.signal);
    }
  }

  /** A viewer of the page: all frames are read, and a stream that ends must have said goodbye; then it comes again. */
  async #view(): Promise<void> {
    const { signal } = this.#over;
    try {
      for (;;) {
        const response = await fetch(`${this.#program.url}api/v1/feed?range=30d`, { signal });
        if (response.status !== 200) throw new Error(`watch tacho: the feed answers ${response.status}`);
        let last = "";
        for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
          last = (last + text).slice(-1_000);
        }
        if (!last.includes("event: bye")) throw new Error(`watch tacho: the feed ended after ${JSON.stringify(last)}`);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #sample_memory(): Promise<void> {
    const status = await shell("read memory", 'cat "/proc/$1/status"', String(this.#program.pid));
    const mib = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
    this.#resident_mib.push(Math.round(mib("VmRSS")));
    this.#peak_mib = Math.round(mib("VmHWM"));
  }
}

/** A moment, or less when it is over. */
function pause(over: AbortSignal): Promise<void> {
  return new Promise((resume) => {
    const timer = setTimeout(done, EVERY_MS);
    over.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      over.removeEventListener("abort", done);
      resume();
    }
  });
}
