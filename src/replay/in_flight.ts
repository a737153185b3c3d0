/** Why a slice did not arrive. */
interface Failure {
  readonly error: unknown;
}

/**
 * Sends several slices at once, no more than a limit, and tells in their order which arrived: what was told arrived, and all before it.
 * After a failure nothing more is told.
 */
export class InFlight<Slice> {
  readonly #limit: number;
  readonly #send: (slice: Slice) => Promise<void>;
  readonly #arrived: (slice: Slice) => void;
  readonly #waiting: { readonly slice: Slice; readonly sent: Promise<Failure | null> }[] = [];

  /** @param arrived hears of each slice, in the order they were put */
  constructor(limit: number, send: (slice: Slice) => Promise<void>, arrived: (slice: Slice) => void) {
    this.#limit = limit;
    this.#send = send;
    this.#arrived = arrived;
  }

  /** Sends a slice; resolves when there is room for another. Throws why the oldest slice did not arrive. */
  async put(slice: Slice): Promise<void> {
    // A failure is kept as a value until it is the slice's turn: of several, the first counts.
    const sent = this.#send(slice).then(() => null, (error: unknown): Failure => ({ error }));
    this.#waiting.push({ slice, sent });
    while (this.#waiting.length >= this.#limit) await this.#oldest();
  }

  /** Resolves when all have arrived. Throws why the first that did not did not. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#oldest();
  }

  async #oldest(): Promise<void> {
    const { slice, sent } = this.#waiting[0]!;
    const failure = await sent;
    if (failure !== null) throw failure.error;
    this.#waiting.shift();
    this.#arrived(slice);
  }
}
