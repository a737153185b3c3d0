import { printable, write_stderr } from "../runtime/mod.ts";

const BAR = 20;

/**
 * Progress of a long operation on stderr: count, rate and, where it is known how much there is, a bar and how long it will take. On a
 * terminal one line that is rewritten; elsewhere a line every ten seconds.
 */
export class ProgressLine {
  readonly #terminal = Deno.stderr.isTerminal();
  readonly #started_ms: number;
  #written_ms: number;
  #done = 0;
  #share: number | null = null;
  /** Said at the end of the line, for instance that the operation is paused. */
  #remark = "";

  constructor(readonly name: string, readonly total: number | null, readonly now_ms: () => number) {
    this.#started_ms = this.#written_ms = now_ms();
  }

  /**
   * Counts items that are done.
   * @param share how much of the whole is done, 0 to 1, where that is known in other ways than by the total
   */
  add(items: number, share: number | null = null): void {
    this.#done += items;
    this.#share = share ?? (this.total === null ? null : this.#done / Math.max(this.total, 1));
    const now_ms = this.now_ms();
    if (now_ms - this.#written_ms < (this.#terminal ? 200 : 10_000)) return;
    this.#written_ms = now_ms;
    this.#write_line();
  }

  /** Says something at the end of the line from now on, and at once. */
  remark(text: string): void {
    this.#remark = text === "" ? "" : ` (${text})`;
    this.#write_line();
  }

  /** Writes a line of its own, above the line of progress. */
  note(text: string): void {
    write_stderr(this.#terminal ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  /** Writes the last line. */
  end(): void {
    this.#write_line();
    if (this.#terminal) write_stderr("\n");
  }

  #write_line(): void {
    write_stderr(this.#terminal ? `\r${this.#line()}\x1b[K` : `${this.#line()}\n`);
  }

  #line(): string {
    const seconds = Math.max((this.now_ms() - this.#started_ms) / 1000, 0.001);
    const share = this.#share;
    const full = Math.round((share ?? 0) * BAR);
    const bar = share === null ? "" : `[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${Math.floor(share * 100)} %, `;
    const of_total = this.total === null ? "" : ` of ${this.total}`;
    const left = share === null || share === 0 ? "" : `, ${Math.ceil(seconds * (1 / share - 1))} s left`;
    const rate = Math.round(this.#done / seconds);
    return `${printable(this.name)}: ${bar}${this.#done}${of_total}, ${rate}/s${left}${this.#remark}`;
  }
}
