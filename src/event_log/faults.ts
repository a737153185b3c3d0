/** What is found not to be as the log says it must be: sentences that name the place. Past a bound nothing more is kept. */
export class Faults {
  /** So many are kept, and one more to know that there are more. */
  static readonly MOST = 20;
  readonly #found: string[] = [];

  add(fault: string): void {
    if (!this.enough) this.#found.push(fault);
  }

  /** Whether to stop looking. */
  get enough(): boolean {
    return this.#found.length > Faults.MOST;
  }

  /** The faults, in the order they were found; "and more" stands for those past the bound. */
  told(): string[] {
    return this.enough ? [...this.#found.slice(0, Faults.MOST), "and more"] : [...this.#found];
  }
}
