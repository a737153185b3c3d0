import { format_time } from "./address.js";
import { open_dialog } from "./dialog.js";
import { make } from "./page.js";
import { words_of_problem } from "./refusal.js";

/** The way from the highest fare to its trip. */

const way = document.querySelector("[data-card=fare_range] small");
way.setAttribute("role", "link");
way.tabIndex = 0;
way.title = "The trip with the highest fare";
way.onkeydown = ({ key }) => key === "Enter" && way.click();

let looking = false;

/** Goes to the trip that holds the highest fare of what is in sight; says so where there is none, or it cannot be told. */
export async function go_to_highest({ address, shown, sight }) {
  if (looking || address.kiosk || sight === null) return;
  looking = true;
  const found = await find(query_of(sight.window, address.filter, shown.hello?.as_of ?? null)).catch((error) => ({
    failed: `the server does not answer (${error.message})`,
  }));
  looking = false;
  if (found.id != null) location.href = trip_href(found, address);
  else say(found.failed ? `It could not be looked for: ${found.failed}.` : "No trip was completed in this range.");
}

/** What the API is asked. Pure. */
export function query_of({ from_s, to_s }, filter, as_of) {
  const [from, to] = [from_s, to_s].map((s) => format_time(s * 1_000));
  const query = new URLSearchParams({ measure: "max_fare", from, to });
  for (const { dimension, keys, excluded } of filter) {
    for (const key of keys) query.append(`${excluded ? "not_" : ""}${dimension}`, key);
  }
  if (as_of !== null) query.set("as_of_position", as_of.position);
  return query;
}

async function find(query) {
  const answer = await fetch(`/api/v1/kpis/greatest?${query}`);
  const said = await answer.json().catch(() => ({}));
  return answer.ok ? said : { failed: words_of_problem(said) || `the server answered ${answer.status}` };
}

/** The trip's page; of a board of then as it stood then. Pure. */
export function trip_href({ id, as_of_position }, { as_of, tz, theme }) {
  const kept = Object.entries({ tz, theme, as_of_position: as_of && as_of_position }).filter(([, value]) =>
    value !== null
  );
  return `/trips/${encodeURIComponent(id)}?${new URLSearchParams(kept)}`.replace(/\?$/, "");
}

function say(words) {
  open_dialog(way.title, make("p", "", words));
}
