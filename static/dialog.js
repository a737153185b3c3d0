import { zone_offset_s } from "./format.js";
import { make, plain } from "./page.js";

/** Dialogs: made when they are needed, gone when they are closed; their fields, and times as fields have them. */

/** Opens a dialog with a title and children, in place of one that is open; Escape, a press on the ground around it and its button close it. */
export function open_dialog(title, ...children) {
  document.querySelector("dialog[open]")?.close();
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
  dress(dialog);
  return dialog;
}

/** A server that does not answer leaves a dialog without its style for so long. */
const DRESS_MS = 1_000;

/** Does not show a dialog before its style is there. */
function dress(dialog) {
  const styles = document.querySelector("link[href='/static/parts.css']");
  if (styles?.sheet !== null) return;
  const show = () => dialog.style.opacity = "";
  dialog.style.opacity = "0";
  for (const type of ["load", "error"]) styles.addEventListener(type, show, { once: true });
  setTimeout(show, DRESS_MS);
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

const BY = "tacho-alerts-by";

/** Who changes something: {element, named()}; `named` gives the name, kept for the next time, or null and asks for it. */
export function person_field() {
  const by = input({ type: "text", maxLength: 100, required: true, autocomplete: "name" });
  try {
    by.value = localStorage.getItem(BY) ?? "";
  } catch {
    by.value = ""; // Storage may be closed to pages.
  }
  return {
    element: field("Your name, kept with each change", by),
    named() {
      if (!by.reportValidity()) return null;
      try {
        localStorage.setItem(BY, by.value);
      } catch (error) {
        console.info("keep your name: this browser stores nothing", error);
      }
      return by.value;
    },
  };
}

/** Replaces the rows of a list or a table. What was pressed in one is gone: the focus goes on in the row of its number, or to the dialog's end. */
export function refill(place, ...children) {
  const rows = () => [...place.querySelectorAll("li, tr")], buttons = (row) => [...row.querySelectorAll("button, a")];
  const focused = document.activeElement, row = rows().findIndex((each) => each.contains(focused));
  const at = row < 0 ? -1 : buttons(rows()[row]).indexOf(focused);
  place.replaceChildren(...children);
  if (at < 0) return;
  const left = buttons(rows()[Math.min(row, rows().length - 1)] ?? place);
  (left[Math.min(at, left.length - 1)] ?? place.closest("dialog")?.querySelector(".ends button"))?.focus();
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
      refill(
        element,
        ...shown.map((each) => {
          const remove = make("button", "plain", "Remove");
          remove.ariaLabel = plain(`Remove: ${name_of(each)}`);
          remove.onclick = () => put(shown.filter((other) => other !== each));
          return make("li", "", make("span", "", name_of(each)), remove);
        }),
      );
      return shown;
    },
  };
}

/** "2026-03-08T01:30:00" of an instant, on the clocks of a zone. Pure. */
export function to_wall(ms, zone) {
  return new Date(ms + zone_offset_s(Math.floor(ms / 1_000), zone) * 1_000).toISOString().slice(0, 19);
}

/** The instant that the clocks of a zone show so many days later what they show at one. Pure. */
export function days_later(ms, days, zone) {
  const wall = Date.parse(`${to_wall(ms, zone)}Z`) + days * 86_400_000;
  return from_wall(new Date(wall).toISOString().slice(0, 19), zone);
}

/** The instant of such a text; of an hour that comes twice the first, of one that is skipped the moment after. Null when it is none. Pure. */
export function from_wall(text, zone) {
  const wall_s = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) ? Date.parse(`${text}Z`) / 1_000 : NaN;
  if (Number.isNaN(wall_s)) return null;
  // The offsets a day before and after are all that can hold between.
  const tries = [-86_400, 86_400].map((by_s) => wall_s - zone_offset_s(wall_s + by_s, zone)).sort((a, b) => a - b);
  const found = tries.find((t_s) => t_s + zone_offset_s(t_s, zone) === wall_s);
  return (found ?? tries[1]) * 1_000;
}

/** What time it is by the server's clock, milliseconds: the reader's own may be wrong. */
export const server_ms = ({ offset_ms }) => Date.now() + (Number.isFinite(offset_ms) ? offset_ms : 0);
