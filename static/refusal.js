import { view_query } from "./address.js";

/** Why the server does not show a view: an event source cannot tell. */

let asked = "";

/** What a problem (RFC 9457) says. Pure. */
export function words_of_problem({ title = "", detail = "", errors = [] }) {
  const parts = errors.map(({ path, detail: said }) => `${path}: ${said}`);
  return (parts.length > 0 ? parts.join("; ") : detail || title).replace(/\.$/, "");
}

/** Asks once for each view; when it is refused the feed is left alone and the page says why. */
export async function ask(page) {
  const query = new URLSearchParams(view_query(page.address)).toString();
  if (query === asked) return;
  asked = query;
  const answer = await fetch(`/api/v1/board?${query}`, { cache: "no-store" }).catch(() => null);
  const same = query === new URLSearchParams(view_query(page.address)).toString();
  if (answer?.status !== 400 || !same || page.board.hello !== null) {
    await answer?.body?.cancel();
    if (answer?.status !== 400) asked = "";
    return;
  }
  const what = `The server does not show this view: ${words_of_problem(await answer.json())}.`;
  page.refusal = { key: "view", what, advice: "Choose another range, or take a filter away." };
  page.feed.close();
  page.draw_soon();
}
