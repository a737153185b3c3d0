import type { ReplayEvent, ReplayPoint } from "./replay_event.ts";
import type { InputFile, ReplayState, Workspace } from "./workspace.ts";

const SAVE_EVERY_MS = 200;

/** Keeps account of what arrived, on disk a few times a second: a process that is killed sends at most that much again. */
export class Journal {
  readonly #workspace: Workspace;
  readonly #now_ms: () => number;
  /** The last event that an earlier process of this replay sent; null when there was none. */
  readonly resumed_after: ReplayPoint | null;
  #state: ReplayState;
  #saved_ms = -Infinity;

  /** @param before what an earlier process of this replay left; null when there was none */
  constructor(
    workspace: Workspace,
    version: string,
    inputs: readonly InputFile[],
    before: ReplayState | null,
    now_ms: () => number,
  ) {
    this.#workspace = workspace;
    this.#now_ms = now_ms;
    this.resumed_after = before?.point ?? null;
    this.#state = before ?? { version, inputs, point: null, sent: 0 };
    this.save();
  }

  /** Messages that arrived, those of earlier processes included. */
  get sent(): number {
    return this.#state.sent;
  }

  /** Rows among them that equal an earlier one of their file and were told apart from it. */
  get equal_rows(): number {
    return this.#state.equal_rows ?? 0;
  }

  /** The next events arrived. */
  arrived(events: readonly ReplayEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    const { at_us, file, line, nth } = last;
    const again = events.reduce((count, { number = 1, nth }) => number > 1 && nth === 0 ? count + 1 : count, 0);
    this.#state = {
      ...this.#state,
      point: { at_us, file, line, nth },
      sent: this.sent + events.length,
      equal_rows: this.equal_rows + again,
    };
    if (this.#now_ms() - this.#saved_ms >= SAVE_EVERY_MS) this.save();
  }

  /** Writes down how far it came. */
  save(): void {
    this.#workspace.save(this.#state);
    this.#saved_ms = this.#now_ms();
  }
}
