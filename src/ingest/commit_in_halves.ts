import { blames_no_data } from "../database/mod.ts";
import { DeploymentMismatch, Overtaken } from "../event_log/mod.ts";

/**
 * What came of an attempt to commit: it is done; another process was faster, so that what it was planned from has to be read anew; or it failed
 * for a reason that nobody foresaw, and something in it is to blame. Where nothing in it is to blame (an outage, another schema, other settings) it throws.
 */
export type Attempt<Result> =
  | { readonly outcome: "done"; readonly result: Result }
  | { readonly outcome: "overtaken"; readonly reason: string }
  | { readonly outcome: "failed"; readonly error: unknown };

/** What came of work, which throws where it is not done. */
export async function attempted<Result>(work: () => Promise<Result>): Promise<Attempt<Result>> {
  try {
    return { outcome: "done", result: await work() };
  } catch (error) {
    if (error instanceof Overtaken) return { outcome: "overtaken", reason: error.message };
    if (blames_no_data(error) || error instanceof DeploymentMismatch) throw error;
    return { outcome: "failed", error };
  }
}

/**
 * Commits items, all at once if that works. If it fails they are worked off in halves, one after the other, until the culprit is alone: that one
 * is attempted once more with the failure it is blamed for, which sets it aside. Throws the failure of that, and what an attempt throws.
 * @param attempt commits its items, in one transaction; `blamed` undefined: they go the normal way
 * @returns what came of each part, in order; or that a part was overtaken: then what comes after it was not attempted
 */
export async function commit_in_halves<Item, Result>(
  items: readonly Item[],
  attempt: (items: readonly Item[], blamed: unknown) => Promise<Attempt<Result>>,
): Promise<Exclude<Attempt<readonly Result[]>, { outcome: "failed" }>> {
  const results: Result[] = [];
  const waiting: (readonly Item[])[] = [items];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    let came = await attempt(part, undefined);
    if (came.outcome === "failed" && part.length > 1) {
      const middle = part.length >> 1;
      waiting.push(part.slice(middle), part.slice(0, middle));
      continue;
    }
    if (came.outcome === "failed") came = await attempt(part, came.error);
    if (came.outcome === "failed") throw came.error;
    if (came.outcome === "overtaken") return came;
    results.push(came.result);
  }
  return { outcome: "done", result: results };
}
