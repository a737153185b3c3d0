/**
 * The order of a replay: rows of files become events, are sorted by event time in bounded memory, and paced by the clock.
 *
 * The order is total and the same every time (event time, file, line, place in its row), so that a point in it says all that arrived. What
 * arrived after the point that was last written down is sent again on resuming; its event ids are the same, so it counts once.
 *
 * An exported log is not sorted: its events go in as they came, batch by batch (`exported_log.ts`).
 */
export {
  type Arrival,
  BEFORE_ALL_US,
  compare_points,
  EventTimes,
  FileAccount,
  type FileCounts,
  reason_of,
  type RecordReading,
  type Refusal,
  REPLAY_ORDER,
  type ReplayEvent,
  RowEvents,
  type Stretch,
} from "./account.ts";
export { EqualRows, type WaitingVoids } from "./equal_rows.ts";
export { type ExportedBatch, ExportedLog, hash_of, is_exported_event } from "./exported_log.ts";
export { InFlight, Pace } from "./pace.ts";
export {
  changed_since,
  input_files,
  type InputFile,
  Journal,
  type RefusedOnArrival,
  ReplayRunning,
  type ReplayState,
  Workspace,
} from "./workspace.ts";
