import fc from "fast-check";
import { LIMIT_MS, limited } from "./available.ts";

/**
 * Loaded before every test file. A test that names no limit of its own has one, so that one that hangs is named, and the tests after it still
 * run; a property that fails stops shrinking in time to show what it failed with.
 */

/** In which a property runs and shrinks: sooner than the limit of its test. */
const PROPERTY_MS = LIMIT_MS * 2 / 3;

fc.configureGlobal({ interruptAfterTimeLimit: PROPERTY_MS, markInterruptAsFailure: true });

const register = Deno.test;
/** Tests with options (`tacho_test` makes them) have limits of their own. */
const with_limit = (name: unknown, fn?: unknown): void => {
  if (typeof name === "string" && typeof fn === "function") {
    register({ name, fn: (context) => limited(LIMIT_MS, name, () => fn(context)) });
  } else Reflect.apply(register, Deno, [name, fn]);
};
Object.assign(Deno, { test: Object.assign(with_limit, register) });
