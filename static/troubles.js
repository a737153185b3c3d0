import { view_query } from "./address.js";
import { declared } from "./page.js";
import { data_age_ms, STALE_MS } from "./state.js";
import { format_age, format_count, format_moment, format_since } from "./format.js";

/** What is to be doubted, in words: what the server tells of wrong, changes that would mislead, figures that are not new, views that are refused. */

const SHOWN = "What is shown are the figures as they were, until it is switched in: tacho rebuild --switch";

/** What the server tells of wrong, the worst first: [{key, what, advice}], with since when and what to do. `many` are the streams. */
export function troubles_of(board, zone, local_ms, many) {
  const { health, hello } = board;
  if (health === null) return [];
  const now_ms = local_ms + board.offset_ms;
  const since = (ms) => `since ${format_moment(ms, zone, now_ms)}`;
  const found = [];
  const say = (key, what, advice) => found.push({ key, what, advice });
  const because = (reason) => reason ? ` (${reason})` : "";
  const { alerts, database, ingest, lag, quarantined, recorded_ms, rebuilding } = health;
  if (!database.ok) {
    const what = `The database does not answer ${since(database.since_ms)}${because(database.reason)}.`;
    say("database", what, "Nothing is lost, messages wait. Check PostgreSQL.");
  } else if (database.slow_since_ms !== undefined) {
    const what = `The database is busy: it owes an answer ${since(database.slow_since_ms)}.`;
    say("slow", what, "Nothing is lost, figures come late.");
  }
  if (alerts) {
    const named = alerts.named.map(({ name, since_ms }) => `${name}${since_ms === null ? "" : ` ${since(since_ms)}`}`);
    const more = alerts.firing - named.length;
    const what = `${alerts.firing === 1 ? "An alert fires" : `${alerts.firing} alerts fire`}: ${named.join(", ")}${
      more > 0 ? ` and ${more} more` : ""
    }.`;
    say("alerts", what, "See and silence it with w, or by “Limits, alerts” under the charts.");
  }
  const halted = ingest.state === "paused" || ingest.state === "stopped";
  if (halted) {
    const what = `Ingest is ${ingest.state} ${since(ingest.since_ms)}${because(ingest.reason)}.`;
    if (ingest.state === "paused") say("ingest", what, "It goes on when the cause is gone; nothing is lost.");
    else say("stopped", what, ingest.advice ?? `No new ${many} until it is started again: see the server's log.`);
  }
  if (ingest.state === "running" && ingest.reason) {
    const what = `Not everything can be read: ${ingest.reason}.`;
    say("narrowed", what, "What waits there is in no figure yet: look at who writes and reads it.");
  }
  const age_ms = data_age_ms(board, now_ms);
  // A fixed end shows the past: the age of the newest data says nothing about it.
  if (age_ms > STALE_MS && hello?.following && !halted) {
    const waiting = lag
      ? `${format_count(lag)} messages wait: see the server's log.`
      : ingest.source === "elsewhere"
      ? "This server only reads: see whether the program that writes runs."
      : ingest.source === "none"
      ? `This server reads no topic: files and posted events bring new ${many}.`
      : "Check that the producers send.";
    say("stale", `Nothing new for ${format_age(age_ms)}: no data ${since(recorded_ms)}.`, waiting);
  } // A backlog is recorded now and is of long ago: its age alone would look fresh.
  else if (is_behind(board, now_ms)) {
    const what = `Catching up: ${format_count(lag)} messages wait, the newest figures are of ${
      format_moment(board.reached_ms, zone, now_ms)
    }.`;
    say("behind", what, "Nothing is lost, the board fills by itself.");
  }
  if (rebuilding?.fills) {
    const { fills, percent, fault } = rebuilding;
    const what = `${fills.join(", ")}: being filled in, ${percent} %${fault ? `. It does not get on: ${fault}` : ""}.`;
    say(
      "rebuilding",
      what,
      "Until all of the log is counted again it is not known. Everything else is right and up to date.",
    );
  } else if (rebuilding?.fault) {
    say(
      "paused_rebuild",
      `The rebuild of ${rebuilding.name} stands at ${rebuilding.percent} %: ${rebuilding.fault}.`,
      SHOWN,
    );
  } else if (rebuilding) say("rebuilding", `Rebuilding ${rebuilding.name}, ${rebuilding.percent} %.`, SHOWN);
  if (board.rise !== null && now_ms < board.rise.until_ms) {
    const what = `Quarantine: ${format_count(board.rise.count)} more set aside just now, ${
      format_count(quarantined)
    } in all.`;
    say("quarantine", what, "They are in no figure. See them with: tacho quarantine");
  }
  return found;
}

/** Whether messages wait while the newest figures are of minutes ago. */
export function is_behind({ hello, health, reached_ms }, now_ms) {
  const running = health?.ingest.state === "running" && hello?.following;
  return running && health.lag > 0 && reached_ms !== null && now_ms - reached_ms > 5 * STALE_MS;
}

// What a card counts, of which a percent of it needs enough.
const base_of = ({ name, share_with, base }, cards) => share_with ? cards[name] + cards[share_with] : cards[base];

/**
 * For cards.js: gives what to say of a change instead, undefined where it may be said. `told` is the change, `before` the figure
 * of then, `tell` its text, with decimals below its second argument alone.
 */
export function make_unlike({ shown, zone: zone_of }, now_ms) {
  const behind = is_behind(shown, now_ms);
  const zone = zone_of();
  return (card, told, before, tell) => {
    const { then } = told;
    const nothing = { ...told, text: "–", tone: "" };
    if (then === null || behind) return nothing;
    const { since_s = null, least_base = 0, to_s, cards } = then;
    if (since_s !== null) {
      const why = `nothing is known of before ${format_moment(since_s * 1000, zone, now_ms)}`;
      return since_s < to_s
        ? { ...nothing, name: "", text: `since ${format_since(since_s * 1000, zone, now_ms)}`, why }
        : { ...nothing, why };
    }
    if (before === null || base_of(card, cards) >= least_base) return undefined;
    return {
      ...nothing,
      text: card.share_with ? format_count(cards[card.name]) : tell(before, 1e3),
      why: "too few for a percent",
    };
  };
}

/** What to say of figures that are computed from `many` streams and not kept ready. */
export function computed_note({ age_ms, failed }, since_ms, many) {
  const ago = age_ms === null ? null : `${format_age(age_ms + since_ms)} ago`;
  if (failed !== null) return `not computed: ${failed}${ago === null ? "" : `; these are from ${ago}`}`;
  return ago === null ? `computing from ${many}` : `computed from ${many}, ${ago}`;
}

/** A view that was not refused is asked for again after this time. */
const AGAIN_MS = 15_000;

let asked = "", asked_ms = 0;

/** What a problem (RFC 9457) says. Pure. */
export function words_of_problem({ title = "", detail = "", errors = [] }) {
  const parts = errors.map(({ path, detail: said }) => `${path}: ${said}`);
  return (parts.length > 0 ? parts.join("; ") : detail || title).replace(/\.$/, "");
}

/** Reads what the API has below a path: {said}, or {failed}: why there is nothing, in words. */
export async function read_api(path, body) {
  try {
    const answer = await fetch(
      `${declared.api}/${path}`,
      body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
    );
    if (answer.ok) return { said: await answer.json() };
    return {
      failed: words_of_problem(await answer.json().catch(() => ({}))) || `the server answered ${answer.status}`,
    };
  } catch (error) {
    return { failed: `the server does not answer (${error.message})` };
  }
}

/** Asks now and then; when it is refused the feed is left alone and the page says why. */
export async function ask(page) {
  const query = new URLSearchParams(view_query(page.address)).toString();
  if (query === asked && Date.now() - asked_ms < AGAIN_MS) return;
  [asked, asked_ms] = [query, Date.now()];
  const answer = await fetch(`${declared.api}/board?${query}`, { cache: "no-store" }).catch(() => null);
  const same = query === new URLSearchParams(view_query(page.address)).toString();
  if (answer?.status !== 400 || !same || page.board.hello !== null) {
    await answer?.body?.cancel();
    return;
  }
  const what = `The server does not show this view: ${words_of_problem(await answer.json())}.`;
  page.refusal = { key: "view", what, advice: "Choose another range, or take a filter away." };
  page.feed.close();
  page.draw_soon();
}
