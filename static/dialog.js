import { make, plain } from "./page.js";

/** Dialogs of the tools: made when they are needed, gone when they are closed. */

/** Opens a dialog with a title and children; Escape, a press on the ground around it and its button close it. */
export function open_dialog(title, ...children) {
  const close = make("button", "plain", "Close");
  const dialog = make("dialog", "tool", make("h2", "", title), ...children, make("p", "ends", close));
  dialog.ariaLabel = title;
  close.onclick = () => dialog.close();
  dialog.onclick = ({ target }) => {
    if (target === dialog) dialog.close();
  };
  dialog.onclose = () => dialog.remove();
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A form control with its name. */
export function field(name, control) {
  return make("label", "field", make("span", "", name), control);
}

/** An input with attributes. */
export function input(attributes) {
  return Object.assign(make("input"), attributes);
}

/** A select of [value, text] pairs. */
export function select(pairs, value) {
  const made = make("select");
  made.append(...pairs.map(([of, text]) => Object.assign(make("option", "", text), { value: of })));
  made.value = value;
  return made;
}

/** A form that keeps the page where it is; `run` hears of it, `button` is its last word. */
export function form(run, button, ...children) {
  const made = make("form", "", ...children, Object.assign(make("button", "main", button), { type: "submit" }));
  made.onsubmit = (event) => {
    event.preventDefault();
    run();
  };
  return made;
}

/** A list of what is set, each with its name and a button that takes it away; `put` hears of those that stay. */
export function list_of(name_of, put) {
  const element = make("ul", "set");
  let shown = [];
  return {
    element,
    shown: () => shown,
    /** Shows and gives them. */
    show(next) {
      shown = next;
      element.replaceChildren(...shown.map((each) => {
        const remove = make("button", "plain", "Remove");
        remove.ariaLabel = plain(`Remove: ${name_of(each)}`);
        remove.onclick = () => put(shown.filter((other) => other !== each));
        return make("li", "", make("span", "", name_of(each)), remove);
      }));
      return shown;
    },
  };
}
