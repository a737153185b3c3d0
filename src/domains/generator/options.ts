/** Options of a generator, as far as they are checked. */
interface Checked {
  readonly rate: number;
}

/**
 * Refuses options of a generator that are out of range, with the value.
 * @param whole names of those that are whole numbers
 * @param shares names of those that are from 0 to 1
 */
export function check_options<Options extends Checked>(
  noun: string,
  options: Options,
  whole: readonly (keyof Options & string)[],
  shares: readonly (keyof Options & string)[],
): void {
  const refuse = (name: string, expected: string, value: unknown): never => {
    throw new Error(`starting the ${noun} generator: expected ${expected} as ${name}, got "${value}"`);
  };
  for (const name of whole) {
    if (!Number.isSafeInteger(options[name])) refuse(name, "a whole number", options[name]);
  }
  for (const name of shares) {
    const share = options[name];
    if (!(typeof share === "number" && share >= 0 && share <= 1)) refuse(name, "a number from 0 to 1", share);
  }
  const { rate } = options;
  if (!(rate > 0 && rate <= 1e5)) refuse("rate", "a number above 0 and up to 100,000", rate);
}
