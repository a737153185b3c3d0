import { BEFORE_ALL_US } from "./row_events.ts";

/** How event time runs while a replay sends. */
export interface PaceOptions {
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
