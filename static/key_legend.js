import { SHAPES } from "./key_marks.js";
import { make, plain } from "./page.js";

/** The legend of lines by key: real buttons, with the markers that the lines have. */

/** By dimension: its legend, and what it showed last. */
const legends = new Map();

/** Shows the lines of a dimension beneath the header of its first chart: what shows or hides each, and what filters by it. */
export function show_legend(header, { name: by, label }, lines, { address: { filter }, board }) {
  if (!legends.has(by)) {
    const legend = make("div", "legend keyed");
    Object.assign(legend, { role: "group", ariaLabel: `Lines by ${label}` });
    header.after(legend);
    legends.set(by, { legend, told: "" });
  }
  const held = legends.get(by);
  const chosen = filter.find(({ dimension, excluded }) => dimension === by && !excluded)?.keys ?? [];
  const told = JSON.stringify([lines, chosen, !board.keyed]);
  if (told === held.told) return;
  held.told = told;
  const focused = held.legend.contains(document.activeElement) ? document.activeElement.dataset : null;
  const entries = lines.map(({ key, name, token, place, hidden }) => {
    const shows = make("button", "", marker_of(place, token), make("span", "", name));
    shows.dataset.hides = `${by}=${key}`;
    shows.ariaPressed = `${!hidden}`;
    shows.title = plain(`${name}: shows or hides its line; double click, Alt-click or the key i leave it alone`);
    if (key === "") return make("span", "entry", shows);
    const only = make("button", "only", funnel());
    Object.assign(only.dataset, { dimension: by, key });
    only.ariaPressed = `${chosen.includes(key)}`;
    only.title = only.ariaLabel = plain(`${chosen.includes(key) ? "Filtered by" : "Filter by"} ${name}`);
    return make("span", "entry", shows, only);
  });
  held.legend.replaceChildren(
    ...lines.length > 0 ? entries : [make("span", "sub", board.keyed ? "" : "not known yet")],
  );
  if (focused === null) return;
  const again = [...held.legend.querySelectorAll("button")].find(({ dataset }) =>
    dataset.hides === focused.hides && dataset.key === focused.key
  );
  again?.focus();
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function funnel() {
  const picture = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
  picture.append(svg("path", { d: "M1 1.5h8L6 5.2V8.5L4 9.4V5.2Z" }));
  return picture;
}

/** The marker of a line, as its legend shows it. */
function marker_of(place, token) {
  const picture = svg("svg", { viewBox: "-5 -2 10 4", "aria-hidden": "true" });
  picture.style.setProperty("--of", `var(${token})`);
  picture.append(svg("path", { d: place === null ? "M-4 0h2.5m1 0h2.5m1 0h1.5" : "M-5 0H5" }));
  if (place === null) return picture;
  const corners = SHAPES[place % 4];
  const marker = corners.length === 0 ? svg("circle", { r: 1.5 }) : svg("path", {
    d: `M${corners.map((at) => at.map((n) => n * 1.5).join(" ")).join("L")}Z`,
  });
  marker.classList.add(place < 4 ? "full" : "hollow");
  picture.append(marker);
  return picture;
}

/** The hidden keys after a press on one: `alone` leaves it, or, when it is alone already, all again. Pure. */
export function press_key(hidden, name, alone, all) {
  const dimension = name.slice(0, name.indexOf("=") + 1);
  const others = hidden.filter((each) => !each.startsWith(dimension));
  const own = hidden.filter((each) => each.startsWith(dimension));
  if (!alone) return [...others, ...own.includes(name) ? own.filter((each) => each !== name) : [...own, name]];
  const rest = all.filter((each) => each !== name);
  const is_alone = !own.includes(name) && rest.every((each) => own.includes(each));
  return is_alone ? others : [...others, ...rest];
}

/** The keys that had been hidden before the first press of what may become a double click. */
let before = [];

/** Shows or hides the line of the key that was pressed; Alt, a double click or the key i leave it alone. */
export function press_legend({ address, go }, { type, altKey, detail, target }) {
  const button = target.closest("button");
  const all = [...button.closest(".legend").querySelectorAll("[data-hides]")].map(({ dataset }) => dataset.hides);
  const twice = detail === 2;
  if (!twice) before = address.hidden;
  const alone = twice || altKey || type === "keydown";
  go({ hidden: press_key(twice ? before : address.hidden, button.dataset.hides, alone, all) });
}
