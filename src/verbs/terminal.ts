import { printable, WakeUp, write_stderr } from "../runtime/mod.ts";

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

/** The space key of a terminal as a switch: pause, go on. Where there is no terminal it is never pressed. */
export class PauseKey implements Disposable {
  readonly #changed = new WakeUp();
  readonly #now_ms: () => number;
  readonly #toggled: (paused: boolean) => void;
  readonly #terminal = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  #paused_ms: number | null = null;

  /** @param toggled hears of every change */
  constructor(now_ms: () => number, toggled: (paused: boolean) => void) {
    this.#now_ms = now_ms;
    this.#toggled = toggled;
    if (!this.#terminal) return;
    this.#listen();
    // A shell that brings a stopped program back gives it the terminal as the shell wants it.
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGCONT", this.#listen);
    void this.#read();
  }

  /** Waits while it is paused; resolves with how long that was in milliseconds, also when the signal aborts. */
  async passed(signal: AbortSignal): Promise<number> {
    const since_ms = this.#paused_ms;
    if (since_ms === null) return 0;
    while (this.#paused_ms !== null && !signal.aborted) await this.#changed.next(signal);
    return this.#now_ms() - since_ms;
  }

  [Symbol.dispose](): void {
    if (!this.#terminal) return;
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGCONT", this.#listen);
    Deno.stdin.setRaw(false);
  }

  /** Keys come one by one; Ctrl-C and Ctrl-Z go on being signals. */
  readonly #listen = (): void => Deno.stdin.setRaw(true, { cbreak: true });

  async #read(): Promise<void> {
    const key = new Uint8Array(1);
    while (await Deno.stdin.read(key) !== null) {
      if (key[0] !== 0x20) continue;
      this.#paused_ms = this.#paused_ms === null ? this.#now_ms() : null;
      this.#toggled(this.#paused_ms !== null);
      this.#changed.ring();
    }
  }
}
