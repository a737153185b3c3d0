import { view_query } from "./address.js";
import { declared } from "./page.js";

/** Why the server does not show a view: an event source cannot tell. */

/** A view that was not refused is asked for again after this time. */
const AGAIN_MS = 15_000;

let asked = "", asked_ms = 0;

/** What a problem (RFC 9457) says. Pure. */
export function words_of_problem({ title = "", detail = "", errors = [] }) {
  const parts = errors.map(({ path, detail: said }) => `${path}: ${said}`);
  return (parts.length > 0 ? parts.join("; ") : detail || title).replace(/\.$/, "");
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
