/**
 * Progress of a long operation on stderr: count, rate and, where the total is known, the percentage and how long it will take. On a terminal one line
 * that is rewritten; elsewhere a line every ten seconds.
 */
export class ProgressLine {
  readonly #terminal = Deno.stderr.isTerminal();
  readonly #started_ms: number;
  #written_ms: number;
  #done = 0;

  constructor(readonly name: string, readonly total: number | null, readonly now_ms: () => number) {
    this.#started_ms = this.#written_ms = now_ms();
  }

  /** Counts items that are done. */
  add(items: number): void {
    this.#done += items;
    const now_ms = this.now_ms();
    if (now_ms - this.#written_ms < (this.#terminal ? 200 : 10_000)) return;
    this.#written_ms = now_ms;
    this.#write(this.#terminal ? "\r" : "", this.#terminal ? "\x1b[K" : "\n");
  }

  /** Writes the last line. */
  end(): void {
    this.#write(this.#terminal ? "\r" : "", this.#terminal ? "\x1b[K\n" : "\n");
  }

  #write(before: string, after: string): void {
    const seconds = Math.max((this.now_ms() - this.#started_ms) / 1000, 0.001);
    const rate = this.#done / seconds;
    const left = this.total === null || rate === 0 ? "" : `, ${Math.ceil((this.total - this.#done) / rate)} s left`;
    const percent = this.total === null || this.total === 0 ? "" : ` (${Math.floor(100 * this.#done / this.total)} %)`;
    const of_total = this.total === null ? "" : ` of ${this.total}${percent}`;
    Deno.stderr.writeSync(
      new TextEncoder().encode(`${before}${this.name}: ${this.#done}${of_total}, ${Math.round(rate)}/s${left}${after}`),
    );
  }
}
