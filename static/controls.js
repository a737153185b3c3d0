import { RANGES } from "./address.js";
import { by_id } from "./page.js";

/** What the reader can press: buttons, keys, dialogs, theme. */

const THEMES = ["system", "light", "dark"];
const root = document.documentElement;

const all = (selector) => document.querySelectorAll(selector);
const press = (element, on) => element.setAttribute("aria-pressed", on);

/** Binds every control to what it `does`. */
export function bind_controls(does) {
  const on_click = (selector, run) => all(selector).forEach((button) => button.onclick = () => run(button));
  on_click("[data-range]", ({ dataset }) => does.set_range(dataset.range));
  on_click("[data-line]", (button) => press(button, does.toggle_line(button.dataset.line)));
  on_click("[data-opens]", ({ dataset }) => by_id(dataset.opens).showModal());
  on_click("#live, #back", does.back_to_live);
  on_click("#pause", does.pause);
  on_click("#earlier", () => does.step(-1));
  on_click("#later", () => does.step(1));
  on_click("#go_newest", does.show_newest);
  by_id("hold").addEventListener("click", does.redraw);
  by_id("table").ontoggle = does.redraw;
  all("dialog").forEach((dialog) => dialog.onclick = ({ target }) => target === dialog && dialog.close());

  const next_theme = () => {
    set_theme(THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % 3]);
    does.theme_set();
  };
  on_click("#theme", next_theme);
  show_theme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", does.theme_set);

  const keys = { "?": () => by_id("keys").showModal(), " ": does.toggle_paused, t: next_theme, l: does.back_to_live };
  Object.keys(RANGES).forEach((range, i) => keys[i + 1] = () => does.set_range(range));
  addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    if (ctrlKey || metaKey || altKey || !Object.hasOwn(keys, key) || all("dialog[open]").length > 0) return;
    // Space on something that can be pressed presses that.
    if (key === " " && target.closest("button, summary, a, [tabindex]")) return;
    event.preventDefault();
    keys[key]();
  });
}

/** Shows what is on. */
export function show_controls({ range, to_ms }, paused, zoomed) {
  all("[data-range]").forEach((button) => press(button, button.dataset.range === range));
  press(by_id("live"), !paused && !zoomed && to_ms === null);
  press(by_id("pause"), paused);
  by_id("back").hidden = !zoomed && to_ms === null;
  by_id("later").disabled = to_ms === null;
}

function set_theme(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    localStorage.setItem("tacho-theme", theme);
  } catch (error) {
    console.info("keep theme: this browser stores nothing", error);
  }
  show_theme();
}

function show_theme() {
  const theme = root.dataset.theme ?? "system";
  by_id("theme").title = by_id("theme").ariaLabel = `Theme: ${theme}`;
}
