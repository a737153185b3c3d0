import { data_age_ms } from "./state.js";
import { format_age, format_count, format_moment } from "./format.js";

/** What is wrong, in words: what, since when, and what to do. Pure. */

/** Older data is not to be trusted as current. */
export const STALE_MS = 60_000;

/** A link lost for less is not spoken of: a reload or a planned end would flash. */
const LINK_GRACE_MS = 2_000;

/** All that is wrong, the worst first; without a link nothing else is known. `link.since_ms` is by our clock. */
export function warnings_of(board, link, local_ms) {
  const { health, hello } = board;
  const now_ms = local_ms + board.offset_ms;
  const since = (ms) => `since ${format_moment(ms, hello.time_zone, now_ms)}`;
  if (link.state !== "connected") {
    if (local_ms - link.since_ms < LINK_GRACE_MS) return [];
    const what = hello === null
      ? "The server does not answer."
      : `Connection lost ${since(link.since_ms + board.offset_ms)}: the figures are from before.`;
    return [{ key: "link", what, advice: "Trying again by itself. Check the server and the network." }];
  }
  if (hello === null) return [];
  const found = [];
  const say = (key, what, advice) => found.push({ key, what, advice });
  const because = (reason) => reason ? ` (${reason})` : "";
  const { database, ingest, lag, quarantined, recorded_ms } = health;
  if (!database.ok) {
    const what = `The database does not answer ${since(database.since_ms)}${because(database.reason)}.`;
    say("database", what, "Nothing is lost, messages wait. Check PostgreSQL.");
  }
  const halted = ingest.state === "paused" || ingest.state === "stopped";
  if (halted) {
    const what = `Ingest is ${ingest.state} ${since(ingest.since_ms)}${because(ingest.reason)}.`;
    if (ingest.state === "paused") say("ingest", what, "It goes on when the cause is gone; nothing is lost.");
    else say("stopped", what, ingest.advice ?? "No new trips until it is started again: see the server's log.");
  }
  const age_ms = data_age_ms(board, now_ms);
  // A fixed end shows the past: the age of the newest data says nothing about it.
  if (age_ms > STALE_MS && hello.following && !halted) {
    const waiting = lag
      ? `${format_count(lag)} messages wait: see the server's log.`
      : "Check that the producers send.";
    say("stale", `Nothing new for ${format_age(age_ms)}: no data ${since(recorded_ms)}.`, waiting);
  }
  if (board.rise !== null && now_ms < board.rise.until_ms) {
    const what = `Quarantine: ${format_count(board.rise.count)} more set aside just now, ${
      format_count(quarantined)
    } in all.`;
    say("quarantine", what, "They are in no figure. See them with: tacho quarantine");
  }
  return found;
}
