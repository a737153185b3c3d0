/**
 * What generators of all domains are made of: numbers that follow from seeds (`random.ts`), when streams begin over a week (`arrivals.ts`),
 * what goes wrong and when, and events as producers write them (`message.ts`), and their delivery (`event_stream.ts`).
 *
 * All of it is pure: the same seed, start and options give the same bytes on every machine, however the messages are taken. A generator knows no
 * clock: the caller takes what is due (`take_due`), as fast as it wants to fill the past, or as time goes by.
 */
export {
  Arrivals,
  at_hour,
  evened,
  type Habit,
  hour_of_week,
  hours_of_week,
  is_weekend,
  Staging,
  utc_offset_us,
  weekly_demand,
} from "./arrivals.ts";
export {
  check_options,
  checked_mishaps,
  type Course,
  EventStream,
  given_options,
  type Invention,
  step_us,
} from "./event_stream.ts";
export {
  amount_text,
  type Breakable,
  event_id,
  type JsonObject,
  malform,
  planted_between,
  STEPS_PER_STREAM,
  time_text,
  told,
  type Trouble,
  trouble_at,
  trouble_in,
  type TroubleKind,
} from "./message.ts";
export { cumulate, hash32, hash_text, Random } from "./random.ts";
