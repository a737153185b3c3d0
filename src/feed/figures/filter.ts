/** Filters: which states a view counts. Pure. */

/** A dimension's key is one of `keys`, or none of them. A state that nobody named a key for has the key `unknown`. */
export interface Condition {
  readonly dimension: string;
  /** Sorted, each once, at least one. */
  readonly keys: readonly string[];
  readonly excluded: boolean;
}

/** All conditions hold; at most one for each dimension, in the order of the dimensions. No condition: everything counts. */
export type Filter = readonly Condition[];

/** What is wrong with a parameter of a filter. */
export interface FilterFault {
  readonly path: string;
  readonly detail: string;
}

/** Most keys of one condition, and the most characters of a key. */
export const FILTER_LIMITS = { keys: 20, characters: 200 } as const;

/** What the parameter of a dimension begins with when it names the keys to leave out. */
export const EXCLUDED = "not_";

/**
 * Reads a filter from the parameters of a query: `city=Chicago&city=Boston` is one of both, `not_city=unknown` all but
 * that. Parameters of other names are not looked at.
 * @param dimensions the names of the dimensions that can be filtered by
 */
export function read_filter(
  query: URLSearchParams,
  dimensions: readonly string[],
): { readonly ok: true; readonly filter: Filter } | { readonly ok: false; readonly faults: readonly FilterFault[] } {
  const filter: Condition[] = [], faults: FilterFault[] = [];
  for (const dimension of dimensions) {
    const [kept, left_out] = [dimension, `${EXCLUDED}${dimension}`].map((path) => ({
      path,
      keys: [...new Set(query.getAll(path))].sort(),
      excluded: path !== dimension,
    }));
    const condition = kept!.keys.length > 0 ? kept! : left_out!;
    const { path, keys, excluded } = condition;
    if (keys.length === 0) continue;
    if (kept!.keys.length > 0 && left_out!.keys.length > 0) {
      faults.push({ path: left_out!.path, detail: `expected either ${dimension} or ${left_out!.path}, got both` });
    } else if (keys.length > FILTER_LIMITS.keys) {
      faults.push({ path, detail: `expected at most ${FILTER_LIMITS.keys} keys, got ${keys.length}` });
    } else if (keys.some((key) => key.trim() === "" || key.length > FILTER_LIMITS.characters || key.includes("\0"))) {
      faults.push({ path, detail: `expected keys of 1 to ${FILTER_LIMITS.characters} characters, without NUL` });
    } else {
      filter.push({ dimension, keys, excluded });
    }
  }
  return faults.length === 0 ? { ok: true, filter } : { ok: false, faults };
}

/** The parameters of a filter, in one order: equal filters give equal text. `read_filter` reads it back. */
export function format_filter(filter: Filter): string {
  const query = new URLSearchParams();
  for (const { dimension, keys, excluded } of filter) {
    for (const key of keys) query.append(excluded ? `${EXCLUDED}${dimension}` : dimension, key);
  }
  return query.toString();
}
