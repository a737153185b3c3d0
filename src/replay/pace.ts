import { BEFORE_ALL_US } from "./account.ts";

/** How event time runs while a replay sends. */
interface PaceOptions {
  /** How many times faster than the clock event time runs; Infinity: as fast as the events are taken. */
  readonly speed: number;
  /** Whole steps of this length are released at once, microseconds of event time; null: each event when it is due. */
  readonly step_us: number | null;
}

/** Without steps, what is due within so many milliseconds of the clock goes together. */
const TICK_MS = 20;

/** Says which events are released together, and when: at the beginning of their step, counted from the first step that is asked for. */
export class Pace {
  readonly #speed: number;
  readonly #step_us: number;
  #first_us: number | null = null;
  #first_ms = 0;

  constructor({ speed, step_us }: PaceOptions) {
    this.#speed = speed;
    this.#step_us = step_us ?? Math.max(1, TICK_MS * 1000 * speed);
  }

  /** The start of the step that an event time lies in. Events of one step go together; a step that is paced by nothing is endless. */
  step_of(at_us: number): number {
    if (this.#step_us === Infinity) return 0;
    return at_us === BEFORE_ALL_US ? at_us : Math.floor(at_us / this.#step_us) * this.#step_us;
  }

  /** Milliseconds until a step is due; not positive when it is. Steps are asked for in their order. */
  due_in_ms(step_start_us: number, now_ms: number): number {
    if (this.#speed === Infinity || step_start_us === BEFORE_ALL_US) return 0;
    if (this.#first_us === null) {
      this.#first_us = step_start_us;
      this.#first_ms = now_ms;
    }
    return this.#first_ms + (step_start_us - this.#first_us) / 1000 / this.#speed - now_ms;
  }

  /** Everything that is not due yet becomes due later: the replay was held for so long. */
  held(ms: number): void {
    this.#first_ms += ms;
  }
}

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
