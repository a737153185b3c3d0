import { format_address } from "./address.js";
import { by_id, declared, make } from "./page.js";

/** One part of the board in a frame of another page: it moves and says how old it is; a press opens the board it is of. */

/** Where a part is, by its name in the address. */
function part_of(name) {
  if (name === "cards") return by_id("cards");
  if (name === "list") return document.querySelector(".latest");
  return document.querySelector(`[data-breakdown="${name}"]`) ?? by_id(`chart_${name}`)?.closest(".charts > div");
}

/** Leaves nothing but the part that the address names. */
export function start(page) {
  const part = part_of(page.address.embed), foot = make("a", "embed_foot"), root = document.documentElement;
  root.dataset.embed = page.address.embed;
  document.head.append(
    Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/embed.css" }),
  );
  const board = () => location.pathname + format_address({ ...page.address, embed: undefined }, declared);
  foot.append(make("b", "", "tacho"), by_id("window"), by_id("state"));
  Object.assign(foot, { href: board(), target: "_blank", rel: "noopener", ariaLabel: "Open the board" });
  part.classList.add("embedded");
  document.querySelector("main").after(foot);
  document.body.prepend(by_id("notices"));
  addEventListener("click", (event) => {
    event.stopPropagation();
    if (foot.contains(event.target)) return;
    event.preventDefault();
    foot.click();
  }, true);
  // Arrow keys read charts; all others are the page's around it.
  addEventListener("keydown", (event) => event.key.startsWith("Arrow") || event.stopPropagation(), true);
}
