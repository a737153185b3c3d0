import { by_id, make, set_figure, set_text } from "./page.js";
import { card_figures, CARDS, spark_path } from "./figures.js";
import { format_day, format_short, format_window } from "./format.js";

/** The strip of cards. Every label opens how its figure is counted. */

const HEIGHT = 26;
const WEEK_S = 604_800;
const LABELS = {
  per_minute: "Trips per minute",
  fare_percentiles: "Fare p50 · p95",
  fare_range: "Fare lowest · highest",
  duration: "Duration p50 · p95",
};
const strip = Object.fromEntries(Object.keys(CARDS).map((name) => [name, make_card(name)]));
by_id("cards").append(...Object.values(strip));

function make_card(name) {
  const label = make("button", "", LABELS[name] ?? `${name[0].toUpperCase()}${name.slice(1).replace("_", " ")}`);
  label.dataset.counted = name;
  label.title = "How is this counted?";
  const card = make("div", "card", make("h2", "", label));
  card.dataset.card = name;
  if (name === "most_active") card.append(make_leader("pickup_zone"), make_leader("driver"));
  else card.append(make("p", "value", make("b", "figure"), make("small"), make_spark()), make_changes());
  return card;
}

function make_changes() {
  return make("p", "changes", ...["", ""].map(() => make("span", "", make("b"), make("i"))));
}

// The most active key of a dimension: a press filters by it, as in its panel.
function make_leader(dimension) {
  const leader = make("button", "leader", make("span"), make("b"));
  leader.dataset.dimension = dimension;
  return leader;
}

function make_spark() {
  const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const spark = svg("svg");
  spark.setAttribute("viewBox", `0 0 100 ${HEIGHT}`);
  spark.setAttribute("preserveAspectRatio", "none");
  spark.ariaHidden = "true";
  spark.append(svg("path"), svg("path"));
  return spark;
}

/** Fills the cards in place. `parts` as in `card_figures`, with the breakdowns, the chosen comparison and the zone. */
export function show_cards(parts) {
  for (const [name, figure] of Object.entries(card_figures(parts))) {
    const card = strip[name];
    if (name === "most_active") continue;
    const { value, text, unit = "", note, title = "", changes, spark = [] } = figure;
    const element = card.querySelector(".figure");
    set_figure(element, text);
    card.dataset.value = value ?? "";
    element.title = value === null ? "not known" : [value, title].filter((part) => part !== "").join(" ");
    if (name === "fare_range") card.dataset.max = figure.max ?? "";
    set_text(card.querySelector("small"), unit);
    show_changes(card.querySelector(".changes"), changes, note, parts);
    const line = spark_path(spark, HEIGHT);
    const [area, stroke] = card.querySelectorAll("path");
    stroke.setAttribute("d", line);
    area.setAttribute("d", line && `${line}V${HEIGHT}H0Z`);
    stroke.parentNode.toggleAttribute("hidden", line === "");
  }
  for (const leader of strip.most_active.querySelectorAll(".leader")) show_leader(leader, parts.breakdowns);
}

function show_changes(line, changes, note, { compare, zone, now_ms }) {
  const ordered = changes ?? [{ text: "", tone: "", note: note ?? "" }];
  if (changes && compare === "previous") ordered.reverse();
  [...line.children].forEach((part, i) => {
    const { name, text = "", tone = "", note: words, value = null, from_s, to_s } = ordered[i] ?? {};
    const [change, against] = part.children;
    set_text(change, text);
    change.className = tone;
    set_text(against, words ?? (name === undefined ? "" : against_of(name, from_s, to_s, zone, now_ms)));
    part.title = name === undefined
      ? ""
      : from_s === undefined || value === null
      ? "What it was is not known"
      : `against ${format_window({ from_s, to_s }, zone, now_ms)}: ${Number(value.toPrecision(6))}`;
  });
}

// Named by its day when that is of last week, else by how far back it lies.
function against_of(name, from_s, to_s, zone, now_ms) {
  if (name === "previous") return "before";
  if (from_s === undefined) return "last week";
  const weeks = Math.round((now_ms / 1000 - to_s) / WEEK_S);
  return weeks > 1
    ? `${weeks} weeks ago`
    : to_s - from_s > 86_400
    ? "week ago"
    : `last ${format_day(to_s * 1000 - 1, zone, now_ms).slice(0, 3)}`;
}

function show_leader(leader, breakdowns) {
  const breakdown = breakdowns.find(({ dimension }) => dimension === leader.dataset.dimension);
  const row = breakdown?.rows.find(({ key }) => key !== null && key !== "unknown");
  const kind = leader.dataset.dimension === "driver" ? "driver" : "zone";
  const nothing = breakdown === undefined ? `${kind} not known yet` : `no ${kind} in this range`;
  leader.disabled = row === undefined;
  leader.dataset.key = row?.key ?? "";
  const [name, count] = leader.children;
  set_text(name, row?.key ?? nothing);
  set_figure(count, row === undefined ? "" : format_short(row.trips));
  leader.title = row === undefined ? nothing : `Most active ${kind}: ${row.key}`;
}
