import { by_id, make, set_text } from "./page.js";
import { compared_name } from "./marks_address.js";

/** What comes when it is asked for: each of these loads at its first use, and the page is light without them. */

const TOOLS = {
  table: "./table.js",
  limits: "./limit_dialog.js",
  notes: "./note_dialog.js",
  export: "./export_dialog.js",
  zone: "./zone_dialog.js",
  kiosk: "./kiosk.js",
  legend: "./legend.js",
};
const KEYS = { d: "table", m: "limits", n: "notes", e: "export", z: "zone", k: "kiosk" };
const AGAIN_MS = 5_000;

const legend = by_id("legend").querySelectorAll("button");

/** Imports a module; when that fails, tells the reader and throws. */
export async function load(path) {
  try {
    return await import(path);
  } catch (cause) {
    set_text(by_id("announcer"), "A part of the page could not be loaded: the server does not answer.");
    throw new Error(`load ${JSON.stringify(path)}: ${cause.message}`, { cause });
  }
}

/**
 * The tools of the charts. `go` takes what of the address is to be, `look` gives what is in sight: {board, address, columns,
 * window, view, step_s, zone, currency, now_ms, trips}, or null before the first figures.
 */
export function make_tools({ charts, go, look }) {
  const parts = { charts, go, look };
  const coming = new Map(), going_along = [];

  // Each module starts once; after a failure it is asked for again a little later.
  function bring(path) {
    if (coming.size === 0) {
      document.head.append(Object.assign(make("link"), { rel: "stylesheet", href: "/static/charts.css" }));
    }
    if (!coming.has(path)) {
      const tool = load(path).then((module) => {
        module.start?.(parts);
        if (module.show !== undefined) going_along.push(module);
        module.show?.(look());
        return module;
      });
      tool.catch(() => setTimeout(() => coming.delete(path), AGAIN_MS));
      coming.set(path, tool);
    }
    return coming.get(path);
  }

  const use = async (name, event) => look() !== null && (await bring(TOOLS[name])).open(parts, event);

  for (const button of document.querySelectorAll("[data-tool]")) button.onclick = () => use(button.dataset.tool);
  for (const button of legend) button.onclick = button.onkeydown = (event) => use("legend", event);
  addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
    if (ctrlKey || metaKey || altKey || target.closest("input, textarea, select, dialog")) return;
    if (Object.hasOwn(KEYS, key)) use(KEYS[key]);
  });

  return {
    /** Shows what is in sight everywhere but in the charts. */
    show(sight) {
      const { address, columns } = sight;
      for (const button of legend) button.ariaPressed = address.lines.includes(button.dataset.shows);
      set_text(by_id("compared"), compared_name(address.compare));
      by_id("corrected").hidden = columns.revised_ms.every((at_ms) => at_ms === 0);
      if (address.limits.length + address.notes.length > 0) bring("./chart_marks.js");
      if (address.kiosk) bring(TOOLS.kiosk);
      for (const tool of going_along) tool.show(sight);
    },
    /** Tells a kiosk that the server has another build than the page. */
    new_build(build) {
      for (const tool of going_along) tool.new_build?.(build);
    },
  };
}
