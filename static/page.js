/** The few ways in which elements are found, made and changed. */

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** The element with an id. */
export function by_id(id) {
  return document.getElementById(id);
}

/** Makes an element with a class and children. */
export function make(tag, name = "", ...children) {
  const element = document.createElement(tag);
  element.className = name;
  element.append(...children);
  return element;
}

/** Changes a text if it differs: nothing is laid out or read aloud without cause. Says whether it did. */
export function set_text(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

/** Changes a text noticeably: it fades in, unless the reader wants no motion. */
export function set_figure(element, text) {
  const before = element.textContent;
  if (set_text(element, text) && before !== "" && !still.matches) {
    element.animate([{ opacity: 0.55 }, { opacity: 1 }], 150);
  }
}
