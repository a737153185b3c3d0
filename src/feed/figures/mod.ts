/**
 * Figures: what is asked of the read models, and what they answer.
 *
 * A `Question` (a filter, a window, and what of it is wanted) is answered with `Figures` by two readers: from cells, which are kept up to date
 * with every event, and from states, which are added up when asked; as they stand, or as they stood at a position of the log, or those whose
 * newest event arrived in a stretch of it. Both say the same to the bit. `question.ts` chooses which is asked what, `board.ts` draws boards of what they say. A new kind of card or figure is
 * declared in `domains/board.ts`, and computed in `cells.ts` and `states_sql.ts`.
 */
export * from "./board.ts";
export * from "./breakdown.ts";
export * from "./cells.ts";
export * from "./comparisons.ts";
export * from "./corrections.ts";
export * from "./figure.ts";
export * from "./view.ts";
export * from "./keyed.ts";
export * from "./map.ts";
export * from "./past/mod.ts";
export * from "./question.ts";
export * from "./readings.ts";
export * from "./states.ts";
export {
  type ArrivalSpan,
  type Arrived,
  arrived_states,
  filter_sql,
  find_arrived,
  Parameters,
  past_states,
  type PastStates,
  present_states,
  type StatesRelation,
  TooManyArrived,
  with_items,
} from "./states_relation.ts";
