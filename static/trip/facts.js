import { by_id, make, plain, set_text } from "../page.js";
import { format_decimal, format_zone } from "../format.js";
import { board_href, day_around, hour_around } from "./address.js";
import { notes_of } from "./notes.js";
import {
  format_amount,
  format_duration,
  format_instant,
  name_of,
  noun_of,
  place_of,
  UNKNOWN,
  value_of,
} from "./words.js";

/** What is known of the trip: its headline, notes, figures and facts. Drawn in place: what did not change is not touched. */

/** The moment that the trip is placed at on the board. */
const moment_of = (trip) =>
  trip.voided_at ?? trip.completed_at ?? trip.canceled_at ?? trip.started_at ?? trip.requested_at;

/** Replaces an element's children when what it is to say differs from what it says. */
function redraw(element, says, draw) {
  if (element.dataset.says === says) return;
  element.dataset.says = says;
  element.replaceChildren(...draw());
}

/** Draws all but the events. `told` is how: zone, currency, now_ms, and `kept` of the address. */
export function show_facts(trip, told) {
  const { zone, now_ms } = told;
  document.body.dataset.status = trip.status;
  const moment = moment_of(trip);
  set_text(by_id("told_zone"), format_zone(zone, moment === null ? now_ms : Date.parse(moment)));
  const [status, rest] = story_of(trip, told);
  redraw(by_id("story"), status + rest, () => [make("b", "verdict", status), plain(` ${rest}`)]);
  const notes = notes_of(trip, told);
  redraw(
    by_id("notes"),
    JSON.stringify(notes),
    () => notes.map(({ lead, text }) => make("li", "", make("b", "", lead), make("span", "", text))),
  );
  by_id("notes").hidden = notes.length === 0;
  const figures = figures_of(trip, told);
  redraw(by_id("figures"), JSON.stringify(figures), () => figures.map(figure_element));
  const facts = facts_of(trip, told);
  redraw(by_id("facts"), JSON.stringify(facts), () => facts.map(group_element));
  const links = links_of(trip, told);
  redraw(by_id("onward"), JSON.stringify(links), () => links.map(([text, href]) => link_to(href, text)));
}

function link_to(href, text) {
  const link = make("a", "", text);
  link.href = href;
  return link;
}

/** Status and what happened, as a sentence. */
function story_of(trip, told) {
  const { status, started_at, completed_at, canceled_at, requested_at, canceled_by, cancel_reason, city } = trip;
  const [from, to] = [place_of(trip.pickup_zone, city), place_of(trip.dropoff_zone, city)];
  const route = from === null && to === null && city === null ? "" : ` · ${from ?? city ?? UNKNOWN} → ${to ?? UNKNOWN}`;
  const at = (time) => format_instant(time, told);
  switch (status) {
    case "voided":
      return ["Voided", `${at(trip.voided_at)}${trip.void_reason === null ? "" : `: ${trip.void_reason}`}${route}`];
    case "completed":
      return ["Completed", at(completed_at) + route];
    case "canceled": {
      const by = canceled_by === null ? "" : ` by the ${canceled_by}`;
      return ["Canceled", `${at(canceled_at)}${by}${cancel_reason === null ? "" : `: ${cancel_reason}`}${route}`];
    }
    case "in_progress":
      return ["In progress", `since ${at(started_at)}${route}`];
    default:
      return requested_at === null
        ? ["Not begun", "so far only a fare adjustment has arrived"]
        : ["Requested", `${at(requested_at)}, not started yet${route}`];
  }
}

/** The four figures: label, value (null: unknown), unit, and what belongs to it. */
function figures_of(trip, { currency }) {
  const { fare, completion_fare, adjusted_fare, estimated_fare, tip, distance_km, duration_min, status } = trip;
  const over = status === "completed";
  const fare_note = fare !== null && adjusted_fare !== null
    ? `adjusted ${completion_fare === null ? "from none" : `from ${format_amount(completion_fare)}`}`
    : estimated_fare !== null
    ? `estimated ${format_amount(estimated_fare)}`
    : over
    ? fare === null ? "" : "as completed"
    : status === "canceled"
    ? ""
    : status === "voided"
    ? "taken back"
    : "known at completion";
  const share = fare === null || tip === null || Number(fare) === 0 ? null : 100 * Number(tip) / Number(fare);
  const speed = distance_km === null || !duration_min ? null : distance_km / (duration_min / 60);
  return [
    ["Fare", fare === null ? null : format_amount(fare), currency, fare_note],
    [
      "Tip",
      tip === null ? null : format_amount(tip),
      currency,
      share === null ? "" : `${format_decimal(share, 0)} % of the fare`,
    ],
    [
      "Distance",
      distance_km === null ? null : format_decimal(distance_km, 2),
      "km",
      speed === null ? "" : `${format_decimal(speed, 1)} km/h on average`,
    ],
    [
      "Duration",
      duration_min === null ? null : format_decimal(duration_min, 1),
      "min",
      duration_min === null ? "" : format_duration(duration_min),
    ],
  ];
}

function figure_element([label, value, unit, note]) {
  const figure = value === null
    ? make("p", "amount", make("span", "unknown", UNKNOWN))
    : make("p", "amount", make("b", "", value), " ", make("small", "", unit));
  return make("div", "", make("h2", "label", label), figure, make("p", "label", note || "\u00a0"));
}

/** Fields of the trip that are dimensions of the board. */
const FILTERS = {
  driver_id: "driver",
  passenger_id: "passenger",
  vehicle_type: "vehicle_type",
  payment_method: "payment_method",
  city: "city",
  pickup_zone: "pickup_zone",
  dropoff_zone: "dropoff_zone",
  pickup_h3: "pickup_h3",
};

/** Groups of facts: title and rows of name, value, address on the board, machine-readable time. */
function facts_of(trip, told) {
  const { kept, now_ms } = told;
  const moment = moment_of(trip);
  const row = (field, absent = UNKNOWN) => {
    const value = trip[field] ?? null;
    const href = value === null || FILTERS[field] === undefined || moment === null
      ? null
      : board_href({ ...day_around(Date.parse(moment), now_ms), [FILTERS[field]]: value }, kept);
    const text = value === null ? absent : value_of(field, value, told);
    return { name: name_of(field), text, unknown: value === null, href, time: field.endsWith("_at") ? value : null };
  };
  const place = (name, lat, lon) => {
    const unknown = trip[lat] === null || trip[lon] === null;
    return { name, text: unknown ? UNKNOWN : `${trip[lat]}, ${trip[lon]}`, unknown, href: null, time: null };
  };
  const if_known = (...fields) => fields.filter((field) => trip[field] !== null).map((field) => row(field));
  const over = ["completed", "canceled", "voided"].includes(trip.status);
  return [
    ["Times", [
      row("requested_at"),
      row("started_at", over || trip.status === "in_progress" ? UNKNOWN : "not yet"),
      trip.status === "canceled" ? null : row("completed_at", trip.status === "voided" ? UNKNOWN : "not yet"),
      ...if_known("canceled_at", "voided_at", "estimated_dropoff_at"),
    ]],
    ["Who and how", [
      row("driver_id"),
      row("passenger_id"),
      row("passenger_count"),
      row("vehicle_type"),
      row("payment_method"),
      ...if_known(
        "vendor_id",
        "rate_code",
        "trip_type",
        "canceled_by",
        "cancel_reason",
        "adjustment_reason",
        "void_reason",
      ),
    ]],
    ["Route", [
      row("city"),
      row("pickup_zone"),
      row("dropoff_zone"),
      place("Pickup at", "pickup_lat", "pickup_lon"),
      place("Drop-off at", "dropoff_lat", "dropoff_lon"),
      ...if_known("pickup_h3"),
    ]],
  ].map(([title, rows]) => [title, rows.filter((each) => each !== null)]);
}

function group_element([title, rows]) {
  const list = make("dl");
  for (const { name, text, unknown, href, time } of rows) {
    const value = href !== null ? link_to(href, text) : time !== null ? make("time", "", text) : text;
    if (time !== null) value.dateTime = time;
    if (href !== null) value.title = plain(`${name} ${text} on the board`);
    list.append(make("dt", "", name), make("dd", unknown ? "unknown" : "", value));
  }
  return make("div", "panel", make("h2", "", title), list);
}

/** Ways on: the board around what the trip is placed by. */
function links_of(trip, { kept }) {
  const moment = moment_of(trip);
  if (moment === null) return [];
  const named = ["voided", "completed", "canceled", "started", "requested"].find((name) => trip[`${name}_at`] !== null);
  const what = noun_of(`trip.${named}`);
  return [[`Board around its ${what}`, board_href(hour_around(Date.parse(moment)), kept)]];
}
