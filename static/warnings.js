import { data_age_ms } from "./state.js";
import { format_moment } from "./format.js";

/** A lost link in words, and whether anything else is wrong: troubles.js has that. Pure. */

/** Older data is not to be trusted as current. */
export const STALE_MS = 60_000;

/** A link lost for less is not spoken of: a reload or a planned end would flash. */
const LINK_GRACE_MS = 2_000;

/** {key, what, advice}, or null. `link.since_ms` is by our clock. */
export function warning_of_link({ hello, offset_ms }, link, zone, local_ms) {
  if (link.state === "connected" || local_ms - link.since_ms < LINK_GRACE_MS) return null;
  const since = () => format_moment(link.since_ms + offset_ms, zone, local_ms + offset_ms);
  const what = hello === null
    ? "The server does not answer."
    : `Connection lost since ${since()}: the figures are from before.`;
  return { key: "link", what, advice: "Trying again by itself. Check the server and the network." };
}

/** Whether the server tells of something wrong. */
export function is_troubled(board, local_ms) {
  const { health, rise } = board;
  if (health === null) return false;
  const { database, ingest } = health;
  const old = data_age_ms(board, local_ms + board.offset_ms) > STALE_MS;
  return old || rise !== null || !database.ok || ingest.state === "paused" || ingest.state === "stopped";
}
