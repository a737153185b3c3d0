import { set_text } from "./page.js";

/** The other domains of the program, in the header: which of them are not as they should be. */

/** Says so beside their names. */
export function show_domains({ board, shown }) {
  const { domains = [] } = (board.health ? board : shown).health ?? {};
  for (const link of document.querySelectorAll(".domains a")) {
    const found = domains.find(({ name }) => name === link.dataset.domain);
    set_text(link.lastChild, found ? ` ${found.state}` : "");
  }
}
