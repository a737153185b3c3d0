import { by_id, make, plain, set_text } from "./page.js";
import { card_figures, CARDS, spark_path } from "./figures.js";
import { format_day, format_window } from "./format.js";

/** The strip of cards; labels open how it is counted. */

const HEIGHT = 22;
const WEEK_S = 604_800;
const LABELS = {
  trips: "Trips begun",
  per_minute: "Trips per minute",
  fare_percentiles: "Fare p50 · p95",
  fare_range: "Fare lowest · highest",
  duration: "Minutes p50 · p95",
};
const strip = Object.fromEntries(Object.keys(CARDS).map((name) => [name, make_card(name)]));
by_id("cards").append(...Object.values(strip));

function make_card(name) {
  const label = make("button", "", LABELS[name] ?? `${name[0].toUpperCase()}${name.slice(1).replace("_", " ")}`);
  label.title = "How is this counted?";
  const card = make("div", "card", make("h2", "", label));
  label.dataset.counted = card.dataset.card = name;
  const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const spark = svg("svg");
  spark.setAttribute("viewBox", `0 0 100 ${HEIGHT}`);
  spark.setAttribute("preserveAspectRatio", "none");
  spark.append(svg("path"), svg("path"));
  const changes = ["", ""].map(() => make("span", "", make("i"), make("b")));
  card.append(make("p", "value", make("b", "figure"), make("small"), spark), make("p", "changes", ...changes));
  return card;
}

/** Fills the cards from what is in sight. */
export function show_cards(sight) {
  for (const [name, { value, text, unit, changes, spark }] of Object.entries(card_figures(sight))) {
    const card = strip[name];
    const figure = card.querySelector(".figure");
    set_text(figure, text);
    figure.parentNode.style.setProperty("--digits", text.length);
    card.dataset.value = value ?? "";
    figure.title = plain(`${value ?? "not known"}`);
    if (name === "fare_range") card.dataset.max = sight.cards?.max_fare ?? "";
    set_text(card.querySelector("small"), unit);
    const ordered = sight.address.compare === "previous" ? [...changes].reverse() : changes;
    [...card.lastChild.children].forEach((part, i) => show_change(part, ordered[i], sight));
    const line = spark_path(spark, HEIGHT);
    const [area, stroke] = card.querySelectorAll("path");
    stroke.setAttribute("d", line);
    area.setAttribute("d", line && `${line}V${HEIGHT}H0Z`);
    stroke.parentNode.toggleAttribute("hidden", line === "");
  }
}

function show_change(
  part,
  { name, text, tone, then, why } = { name: "", text: "", then: null },
  { zone, now_ms, passed },
) {
  const [against, change] = part.children;
  set_text(change, text);
  change.className = tone ?? "";
  set_text(against, name === "weekday" ? weekday_of(then, zone, passed.to_s) : name);
  part.title = why ?? (then === null ? "what it was is not known" : `against ${format_window(then, zone, now_ms)}`);
}

// It may be years old.
function weekday_of(then, zone, end_s) {
  if (then === null) return "last week";
  const { from_s, to_s } = then;
  const weeks = Math.round((end_s - to_s) / WEEK_S);
  if (weeks > 1 || to_s - from_s > 86_400) return `${weeks} w ago`;
  return `last ${format_day(to_s * 1000 - 1, zone, 0).slice(0, 3)}`;
}
