/** How elements are found, made and changed. */

/** The element with an id. */
export function by_id(id) {
  return document.getElementById(id);
}

/** What there is to draw: declaration.ts says what it holds. */
export const declared = globalThis.document && JSON.parse(by_id("declared").content.textContent);

/** A text in which what would turn the writing around is seen. */
export function plain(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16)}`);
}

/** Makes an element with a class and children. */
export function make(tag, name = "", ...children) {
  const element = document.createElement(tag);
  element.className = name;
  element.append(...children.map((child) => typeof child === "string" ? plain(child) : child));
  return element;
}

/** Changes a text if it differs: nothing is laid out or read aloud without cause. */
export function set_text(element, text) {
  text = plain(`${text}`);
  if (element.textContent !== text) element.textContent = text;
}

/** Fills the {names} of a declared text by `tell`; all is "" when a {name?} or {name?15} is. */
export function fill(template, tell) {
  let empty = false;
  const text = template.replace(/{(\w+)(?:\?(\d*))?}/g, (_, name, needed) => {
    const said = tell(name, needed);
    empty ||= needed >= 0 && !said;
    return said;
  });
  return empty ? "" : text;
}

/** What is declared of a dimension. */
export function dimension_of({ dimensions }, name) {
  return dimensions.find((each) => each.name === name);
}

/** A key in words. */
export function key_words({ keys, names }, key) {
  return names?.find(([of]) => of === key)?.[1] ?? (keys ? key.replaceAll("_", " ") : key);
}
