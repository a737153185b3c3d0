import { column_measures, format_time, is_extreme } from "../kpi/mod.ts";
import { type DomainBoard, type MapDeclaration, places_shown, type ShownField, type Unit } from "./board.ts";
import type {
  BoardWords,
  CardWords,
  ChartWords,
  Colour,
  DimensionWords,
  KeyedChartWords,
  ListWords,
  StreamWords,
} from "./board_words.ts";
import { decimal_text } from "./json_value.ts";

/** What is told outside of a domain: what is declared of its board and of its streams, to whoever draws them, and its states. */

/** A domain that is served, and below which path: "" or "/payments". */
export interface NamedBase {
  readonly name: string;
  readonly base: string;
}

/** The declaration of a board as the feed and the page's HTML carry it: its words, and what follows from them and the board. */
export interface Declaration extends Omit<BoardWords, "cards" | "charts" | "dimensions" | "list" | "stream"> {
  readonly one: string;
  /** Of a domain by currency: the one that is shown unless another is asked for. */
  readonly currency?: string;
  /** Where its page and its API are: "" or "/payments"; and both of them in full. */
  readonly base: string;
  readonly api: string;
  /** All that the program serves, where that is more than this one; in the HTML. */
  readonly domains?: readonly NamedBase[];
  readonly cards: readonly (CardWords & { readonly figure: string; readonly bare?: string | undefined })[];
  /** `money`: its lines are amounts; `gaps`: those of keys are broken where nothing is counted. */
  readonly charts: readonly (
    & (ChartWords | KeyedChartWords & { readonly lines: readonly []; readonly gaps: boolean })
    & { readonly money: boolean }
  )[];
  /** So many cards stand side by side where there is room for four, */
  readonly card_columns: number;
  /** and so many twelfths of a row a panel has where there is room for four: shorter rows come first. */
  readonly panel_spans: readonly number[];
  /** What the legend shows and hides, in its order: the lines that are not alone in their chart, and the comparison in all charts. */
  readonly legend: readonly {
    readonly name: string;
    readonly label?: string;
    readonly colour?: Colour;
    readonly shown?: true;
  }[];
  /** The names of those that are shown by themselves. */
  readonly shown: readonly string[];
  /** The figures that percents are of. */
  readonly bases: readonly string[];
  /** Decimals of figures; counts have none. */
  readonly digits: Readonly<Record<string, number>>;
  readonly dimensions:
    readonly (DimensionWords & { readonly name: string; readonly from_states: boolean; readonly other?: true })[];
  readonly series: readonly string[];
  /** Those of them that are null, a gap, in a bucket that nothing of is counted in; all others are 0 there. */
  readonly gaps: readonly string[];
  readonly compared_series: readonly string[];
  /** What a row of a panel says; `figure`: what its count is, unless its dimension counts by another one. */
  readonly row: DomainBoard["breakdown_row"] & { readonly figure: string | null };
  /** What a map shows, and what it does not, in words; absent: there is none. Without places it only says why. */
  readonly map?: {
    readonly lacks?: string;
    readonly places: MapDeclaration["places"];
    readonly figures: readonly { readonly name: string; readonly label: string; readonly unit: Unit }[];
    /** Whether there are lines behind it. */
    readonly backdrop?: true;
  };
  /** The dimensions whose keys are told in segments; absent: none's. */
  readonly segments?: readonly string[];
  /** Whether single streams are held against their kind. */
  readonly unusual_items?: true;
  readonly list: ListWords & { readonly event: string; readonly name: string; readonly id: string };
}

/** How a field of the API is written: an amount, a distance, … or as it is. */
type Kind = "time" | "text" | "number" | Exclude<Unit, "count">;

/** What is declared of a stream's own page. */
interface StreamDeclaration
  extends
    Omit<StreamWords, "fields" | "measures" | "minor_measures">,
    Pick<Declaration, "one" | "many" | "currency" | "base" | "api" | "dimensions"> {
  /** `api` is where streams are told of, before an id. The field that its standing is told by, and how it is marked. */
  readonly mark: string;
  readonly marks: ListWords["marks"];
  readonly fields: Readonly<Record<string, { readonly label: string; readonly kind: Kind }>>;
  /** The dimension that a field is the key of. */
  readonly filters: Readonly<Record<string, string>>;
  /** The dimension of the cells that hold everything. */
  readonly whole: string;
  readonly measures: readonly {
    readonly name: string;
    readonly words: readonly [one: string, several: string];
    readonly unit: Unit;
    /** How many of the measure's unit make one of `unit`. */
    readonly per: number;
    readonly minor: boolean;
  }[];
}

const NUMBERS: Readonly<Record<number, Kind>> = { 1_000: "km", 60_000: "min" };

function kind_of({ kind, per }: ShownField): Kind {
  return kind === "amount" ? "money" : kind === "number" ? NUMBERS[per] ?? kind : kind;
}

/** What is told of a stream whose domain says nothing of it: its fields as they are called. */
function by_themselves({ fields, measures }: DomainBoard): StreamWords {
  const times = fields.filter(({ kind }) => kind === "time").map(({ name }) => name);
  const spoken = (name: string) => name.replaceAll("_", " ");
  return {
    events: {},
    fields: {},
    repeats: {},
    moments: times.map((name) => [name, spoken(name)]),
    story: [],
    figures: [],
    facts: [{ title: "What is known", rows: fields.map(({ name }) => name) }],
    notes: [],
    measures: Object.fromEntries(column_measures(measures).map(({ name }) => [name, spoken(name)])),
    minor_measures: [],
  };
}

/** What is told of a stream to its page. */
export function stream_declaration(board: DomainBoard, base = ""): StreamDeclaration {
  const { fields, measures, minor_measures, ...words } = { ...by_themselves(board), ...board.words.stream };
  const figure_of = (measure: string) =>
    Object.values(board.figures).filter((figure) => "measure" in figure).find((figure) => figure.measure === measure);
  const { one, many, api, dimensions, list: { mark, marks } } = declaration_of(board, base);
  return {
    ...words,
    one,
    many,
    ...board.by_currency === undefined ? {} : { currency: board.by_currency },
    base,
    api: `${api}${board.words.path}`,
    dimensions,
    mark,
    marks,
    fields: Object.fromEntries(board.fields.map((field) => [field.name, {
      label: fields[field.name] ?? field.name.replaceAll("_", " "),
      kind: kind_of(field),
    }])),
    filters: Object.fromEntries(
      board.dimensions.flatMap(({ name, column }) => column === null ? [] : [[column, name]]),
    ),
    whole: board.whole.dimension,
    measures: Object.entries(measures).map(([name, said]) => {
      const { unit = "count", per = 1 } = figure_of(name) ?? {};
      const words = typeof said === "string" ? [said, said] as const : said;
      return { name, words, unit, per, minor: minor_measures.includes(name) };
    }),
  };
}

const DIGITS: Readonly<Record<Unit, number>> = { count: 0, money: 2, km: 2, min: 1, percent: 1 };

/** More figures than that nobody takes in at a glance. */
const MOST_CARDS = 8;

function spans_of(panels: number): number[] {
  const rows = Math.ceil(panels / 4);
  const sizes = Array.from({ length: rows }, (_, row) => Math.floor((panels + row) / rows));
  return sizes.flatMap((size) => Array.from({ length: size }, () => 12 / size));
}

/** Whether a figure has no value where nothing is counted, rather than none of it. */
export function has_gaps(
  { figures, measures }: Pick<DomainBoard, "figures" | "measures">,
  name: string,
): boolean {
  const figure = figures[name];
  if (figure === undefined) throw new Error(`declare the board: no figure is named ${JSON.stringify(name)}`);
  if (figure.kind !== "total" || figure.unknown) return true;
  return is_extreme(measures.find((measure) => measure.name === figure.measure)?.kind);
}

const ZONES_NEXT = "Zones are shown where TACHO_ZONES gives their areas.";

/** What a map shows, in words: a figure is called as its card is. Of keys that have no place nothing is told. */
function map_of(board: DomainBoard): Pick<Declaration, "map"> {
  const { map, words, figures, zones } = board, places = places_shown(board);
  if (map === undefined || places.length === 0 && map.lacks === undefined) return {};
  const zones_next = places.length === 0 && map.places.length > 0 ? ` ${ZONES_NEXT}` : "";
  const label = (name: string) =>
    words.cards.find((card) => (card.figure ?? card.name) === name)?.label ??
      name.replace(/_(km|min)$/, "").replaceAll("_", " ");
  return {
    map: {
      ...map.lacks === undefined ? {} : { lacks: `${map.lacks}${zones_next}` },
      places,
      ...zones?.backdrop.length ? { backdrop: true } : {},
      figures: map.figures.map((name) => ({ name, label: label(name), unit: figures[name]!.unit })),
    },
  };
}

/** The figure that is what keys are counted by; null: there is none. */
const figure_counting = ({ figures, default_count }: DomainBoard): string | null =>
  Object.entries(figures).find(([, figure]) => figure.kind === "total" && figure.measure === default_count)?.[0] ??
    null;

const counts_otherwise = ({ breakdowns, states_breakdowns, default_count }: DomainBoard, name: string): boolean =>
  [...breakdowns, ...states_breakdowns].some(({ dimension, count }) => dimension === name && count !== default_count);

/** What is told of a board to whoever draws it. A dimension without words is called by its name. */
export function declaration_of(board: DomainBoard, base = ""): Declaration {
  const { words: { stream: _stream, ...words }, lines, figures } = board;
  const mains = words.cards.filter(({ main }) => main).length;
  if (words.cards.length > MOST_CARDS || mains !== 1) {
    const got = `${mains} of ${words.cards.length}`;
    throw new Error(`declare the board: expected one main card of ${MOST_CARDS} at most, got ${got}`);
  }
  for (const card of board.cards) {
    const figure = "figure" in card ? figures[card.figure] : undefined;
    if (figure?.kind === "distinct" && figure.each_hour !== undefined) {
      throw new Error(`declare card ${card.name}: expected a figure of a range, got one of the hours of buckets`);
    }
    if (!("since" in card) || board.dates.some(({ column }) => column === card.since)) continue;
    throw new Error(`declare card ${card.name}: expected a column that dates facts, got ${JSON.stringify(card.since)}`);
  }
  const from_states = board.states_breakdowns.map(({ dimension }) => dimension);
  const legend = [
    ...words.charts.flatMap((chart) => "lines" in chart && chart.lines.length > 1 ? chart.lines : []),
    { name: "compared", label: "same weekday", shown: true } as const,
  ];
  return {
    ...words,
    one: board.noun,
    ...board.by_currency === undefined ? {} : { currency: board.by_currency },
    base,
    api: `${base}/api/v1`,
    path: `${base}${words.path}`,
    cards: words.cards.map((card) => ({
      figure: card.name,
      ...card,
      ...card.top === undefined ? {} : { bare: words.dimensions[card.top[0]]?.bare },
    })),
    charts: words.charts.map((chart) =>
      "by" in chart
        ? { ...chart, lines: [], gaps: has_gaps(board, chart.figure), money: figures[chart.figure]?.unit === "money" }
        : { ...chart, money: figures[chart.compared]?.unit === "money" }
    ),
    card_columns: Math.ceil(words.cards.length / Math.ceil(words.cards.length / 4)),
    panel_spans: spans_of(words.panels.length),
    legend,
    shown: legend.filter(({ shown }) => shown).map(({ name }) => name),
    bases: [...new Set(words.cards.flatMap(({ base }) => base ?? []))],
    digits: Object.fromEntries(Object.entries(figures).map(([name, { unit }]) => [name, DIGITS[unit]])),
    dimensions: board.dimensions.filter(({ name }) => name !== board.whole.dimension).map(({ name }) => ({
      label: name.replaceAll("_", " "),
      ...words.dimensions[name],
      name,
      from_states: from_states.includes(name),
      ...counts_otherwise(board, name) ? { other: true } as const : {},
    })),
    series: board.series,
    gaps: board.series.filter((name) => has_gaps(board, name)),
    compared_series: board.compared_series,
    row: { ...board.breakdown_row, figure: figure_counting(board) },
    ...map_of(board),
    ...board.segments === undefined ? {} : { segments: board.segments.of },
    ...board.unusual_items === undefined ? {} : { unusual_items: true } as const,
    list: { ...words.list, event: lines.event, name: lines.list, id: board.stream_column },
  };
}

/** What is declared, with what keys of zones are called in a deployment: as pairs, for a page. Hellos do without. */
export function with_names<Some extends Pick<Declaration, "dimensions">>(declared: Some, board: DomainBoard): Some {
  const { map, zones } = board, names = [...zones?.names ?? []];
  const named = (map?.places ?? []).filter(({ kind }) => kind === "zone").map(({ dimension }) => dimension);
  if (names.length === 0) return declared;
  const dimensions = declared.dimensions.map((each) => named.includes(each.name) ? { ...each, names } : each);
  return { ...declared, dimensions };
}

// A state as it is told outside, by the fields that its domain declares: amounts as decimal text, times in RFC 3339 UTC, all else as text or
// number; null is unknown.

type StateRow = Readonly<Record<string, unknown>>;

function field_json(field: ShownField, value: unknown): unknown {
  return field.many
    ? (value as readonly unknown[] ?? []).map((one) => value_json(field, one))
    : value_json(field, value);
}

function value_json({ kind, per }: ShownField, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (kind) {
    case "time":
      return format_time(Number(value));
    case "amount":
      return decimal_text(BigInt(String(value)), 6, 2);
    case "number":
      return Number(value) / per;
    case "text":
      return value;
  }
}

/** Fields of a state, by the names and in the units of the API. */
export const fields_json = (fields: readonly ShownField[], row: StateRow): Record<string, unknown> =>
  Object.fromEntries(fields.map((field) => [field.name, field_json(field, row[field.column])]));

/** The state of a row that `state_select` gave, or of a state's columns with its id, `revision` and `position`. */
export const state_json = ({ stream_column, fields }: DomainBoard, row: StateRow): Record<string, unknown> => ({
  [stream_column]: row[stream_column],
  ...fields_json(fields.filter(({ always }) => always), row),
  revision: Number(row.revision),
  position: Number(row.position),
  ...fields_json(fields.filter(({ always }) => !always), row),
});
