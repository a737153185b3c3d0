import { type Arrival, OTHER_REASONS } from "./account.ts";
import type { ReplayEvent, ReplayPoint } from "./row_events.ts";
import type { InputFile, ReplayState, Workspace } from "./workspace.ts";

const SAVE_EVERY_MS = 200;
/** What arrivals are refused for, by file: there are few reasons, and the note of them is written five times a second. */
const MOST_REFUSALS = 1_000;

/** An event that was refused on arrival. */
export interface RefusedOnArrival {
  readonly event: ReplayEvent;
  readonly reason: string;
  /** What the field in fault holds, where that is an amount. */
  readonly amount_micros: bigint | null;
}

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

  /** Events among them that were refused on arrival; what was refused before it was sent is not. */
  get refused(): readonly Arrival[] {
    return this.#state.refused ?? [];
  }

  /**
   * The next events arrived.
   * @param refused those of them that were refused there
   */
  arrived(events: readonly ReplayEvent[], refused: readonly RefusedOnArrival[] = []): void {
    const last = events.at(-1);
    if (last === undefined) return;
    const { at_us, turn, file, line, nth } = last;
    // What takes another event back has that one's number, whatever there was before it.
    const again = events.reduce(
      (count, { number = 1, turn, nth }) => number > 1 && turn === 0 && nth === 0 ? count + 1 : count,
      0,
    );
    this.#state = {
      ...this.#state,
      point: { at_us, turn, file, line, nth },
      sent: this.sent + events.length,
      equal_rows: this.equal_rows + again,
      ...(refused.length === 0 ? {} : { refused: with_refused(this.refused, refused) }),
    };
    if (this.#now_ms() - this.#saved_ms >= SAVE_EVERY_MS) this.save();
  }

  /** Writes down how far it came. */
  save(): void {
    this.#workspace.save(this.#state);
    this.#saved_ms = this.#now_ms();
  }
}

/** Counts with further refusals: those of one file, place in the record and reason are one. */
function with_refused(before: readonly Arrival[], refused: readonly RefusedOnArrival[]): Arrival[] {
  const key = (file: number, nth: number, reason: string) => `${file} ${nth} ${reason}`;
  const counts = new Map(before.map((each) => [key(each[0], each[1], each[2]), each]));
  for (const { event: { file, nth }, reason, amount_micros } of refused) {
    const full = counts.size >= MOST_REFUSALS && !counts.has(key(file, nth, reason));
    const name = full ? OTHER_REASONS : reason;
    const [, , , count, amounts, sum] = counts.get(key(file, nth, name)) ?? [file, nth, name, 0, 0, "0"];
    const [more, micros] = amount_micros === null ? [0, 0n] : [1, amount_micros];
    counts.set(key(file, nth, name), [file, nth, name, count + 1, amounts + more, String(BigInt(sum) + micros)]);
  }
  return [...counts.values()];
}
