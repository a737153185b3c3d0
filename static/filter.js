import { DIMENSIONS } from "./address.js";

/** Changes of a filter, which is at most one condition for each dimension. Pure. */

/** The filter with a condition in place of the one that its dimension had; without keys there is none. */
export function with_condition(filter, condition) {
  const others = filter.filter(({ dimension }) => dimension !== condition.dimension);
  const keys = [...new Set(condition.keys)].sort();
  const all = keys.length === 0 ? others : [...others, { ...condition, keys }];
  return all.sort((a, b) => DIMENSIONS.indexOf(a.dimension) - DIMENSIONS.indexOf(b.dimension));
}

/** The filter after a press on a key: it is added, or taken away when it was there in the same sense. */
export function toggle_key(filter, dimension, key, excluded) {
  const before = filter.find((each) => each.dimension === dimension);
  const same = before?.excluded === excluded ? before.keys : [];
  const keys = same.includes(key) ? same.filter((each) => each !== key) : [...same, key];
  return with_condition(filter, { dimension, keys, excluded });
}
