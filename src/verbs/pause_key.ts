import { WakeUp } from "../runtime/mod.ts";

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
