/** The few ways in which elements are found, made and changed. */

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

/** Changes a text if it differs: nothing is laid out or read aloud without cause. */
export function set_text(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
