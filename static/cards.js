import { by_id, make, set_figure, set_text } from "./page.js";
import { card_figures, spark_path } from "./figures.js";

/** The strip of cards. */

const HEIGHT = 22;
const NAMES = [
  "trips",
  "in_progress",
  "completed",
  "canceled",
  "revenue",
  "average_fare",
  "average_distance",
  "fare_range",
];
const strip = Object.fromEntries(NAMES.map((name) => [name, make_card(name)]));
by_id("cards").append(...Object.values(strip));

// What has no course over time shows a proportion.
function make_card(name) {
  const gauge = name === "in_progress" ? "gauge" : name === "fare_range" ? "gauge mark" : null;
  const value = make("p", "value", make("b"), " ", make("small"));
  const card = make("div", "", make("h2", "", name.replace("_", " ")), value, make("p", "sub"));
  card.append(gauge === null ? make_spark() : make("div", gauge, make("i")));
  card.dataset.card = name;
  return card;
}

function make_spark() {
  const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const spark = svg("svg");
  spark.setAttribute("viewBox", `0 0 100 ${HEIGHT}`);
  spark.setAttribute("preserveAspectRatio", "none");
  spark.append(svg("path"), svg("path"));
  return spark;
}

/** Fills the cards in place. */
export function show_cards(cards, columns, step_s, currency) {
  for (
    const [name, { value, text, unit = "", sub, spark }] of Object.entries(
      card_figures(cards, columns, step_s, currency),
    )
  ) {
    const card = strip[name];
    const figure = card.querySelector("b");
    set_figure(figure, text);
    card.dataset.value = figure.dataset.value = figure.title = value ?? "";
    set_text(card.querySelector("small"), unit);
    set_text(card.querySelector(".sub"), sub);
    if (spark === undefined) continue;
    const line = spark_path(spark, HEIGHT);
    const [area, stroke] = card.querySelectorAll("path");
    stroke.setAttribute("d", line);
    area.setAttribute("d", line && `${line}V${HEIGHT}H0Z`);
  }
  const { in_progress, requested_now, min_fare, average_fare, max_fare } = cards;
  const share = in_progress / (in_progress + requested_now || 1);
  strip.in_progress.querySelector("i").style.width = `${100 * share}%`;
  const mark = strip.fare_range.querySelector("i");
  mark.hidden = average_fare === null;
  mark.style.left = `${max_fare > min_fare ? 100 * (average_fare - min_fare) / (max_fare - min_fare) : 50}%`;
  strip.fare_range.dataset.max = max_fare ?? "";
}
