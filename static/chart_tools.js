import { declared } from "./page.js";

/** The tools of the charts: each loads at its first use, and goes along with what is in sight from then on. */

/** Where each tool is, and what opens it. */
const TOOLS = {
  table: ["./table.js", "open"],
  limits: ["./marks.js", "open_limits"],
  alerts: ["./alerts.js", "open_alerts"],
  notes: ["./marks.js", "open_notes"],
  export: ["./export.js", "open"],
  zone: ["./ranges.js", "open_zone"],
  kiosk: ["./kiosk.js", "open"],
  map: ["./map.js", "toggle"],
};
/** Keys of the tools. */
export const TOOL_KEYS = {
  d: "table",
  m: "limits",
  w: "alerts",
  p: "map",
  n: "notes",
  e: "export",
  z: "zone",
  k: "kiosk",
};
const AGAIN_MS = 5_000;

const coming = new Map(), going_along = [];

/** What a tool hears of: the charts, how to go to another address, what is in sight. */
function parts_of(page) {
  return {
    charts: page.charts,
    go: (change) => page.need("actions", ({ go }) => go(page, change)),
    look: () => page.sight && { ...page.sight, address: page.address, lines: page.address.lines ?? declared.shown },
  };
}

// Each module starts once; after a failure it is asked for again a little later.
function bring(page, path) {
  if (!coming.has(path)) {
    const tool = page.load(path).then((module) => {
      module.start?.(parts_of(page));
      if (module.show !== undefined) going_along.push(module);
      module.show?.(parts_of(page).look());
      return module;
    });
    tool.catch(() => setTimeout(() => coming.delete(path), AGAIN_MS));
    coming.set(path, tool);
  }
  return coming.get(path);
}

/** Loads a tool, for when something is in sight; gives what uses it. */
export async function load_tool(page, name) {
  const [path, opens] = TOOLS[name];
  const module = await bring(page, path);
  return () => module[opens](parts_of(page));
}

/** Shows what is in sight in every tool that is in use, or that the address asks for. */
export function show_tools(page) {
  const { address, marked } = page.sight;
  if (marked) bring(page, "./chart_marks.js");
  if (address.kiosk) bring(page, "./kiosk.js");
  for (const tool of going_along) tool.show(page.sight);
}

/** Tells a kiosk that the server has another build than the page. */
export function new_build(build) {
  for (const tool of going_along) tool.new_build?.(build);
}

/** The lines before the first press of what may become a double click. */
let before = [];

/** Shows or hides the line whose name was pressed; Alt, a double click or the key i leave it alone. */
export function press_legend(page, { type, altKey, detail, target }) {
  const lines = page.address.lines ?? declared.shown;
  const twice = detail === 2;
  if (!twice) before = lines;
  const alone = twice || altKey || type === "keydown";
  const next = press_line(twice ? before : lines, target.closest("button").dataset.shows, alone, declared);
  parts_of(page).go({ lines: next });
}

/** Lines after a press on one: `alone` shows it only, or, when it is alone already, the default again. Pure. */
export function press_line(lines, name, alone, declared) {
  if (alone) return lines.join() === name ? declared.shown : [name];
  const shows = (line) => line === name ? !lines.includes(line) : lines.includes(line);
  return declared.legend.map((line) => line.name).filter(shows);
}
