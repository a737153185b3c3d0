/**
 * The unusual: keys of small dimensions that have more or less of something than at the same time of the weeks before; and single streams that lie
 * far from their own kind (`items.ts`).
 *
 * What holds of keys: it is read from cells of five minutes that are there anyway, and nothing is written; a stretch that event time has not closed is not
 * called low; where too little is known of before, nothing is called anything, and that is said.
 *
 * Decisions: the median and MAD of at most eight weeks, since both bear it that some of these were unusual themselves; counts alone, whose chance is
 * known; stretches of five minutes to an hour, of which the one counts that lies furthest from the usual: it says since when. docs/unusual.md has
 * what of the planted is found so, and how often a calm week is called unusual.
 */
export {
  item_reason,
  ITEM_RULE,
  item_value,
  read_unusual_items,
  type UnusualStream,
  type UnusualStreams,
  usual_from_us,
} from "./items.ts";
export {
  CLOSED,
  furthest,
  type Item,
  LEAST_SCORE,
  type Line,
  median,
  OPEN,
  running_totals,
  score_of_count,
  score_of_figure,
  told_of,
  WEEKS,
} from "./score.ts";
export { past_of, type Unusual, UnusualWatch, type WatchedDomain } from "./watch.ts";
