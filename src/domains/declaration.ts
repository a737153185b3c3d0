import { column_measures, is_extreme } from "../kpi/mod.ts";
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
  readonly legend: readonly { readonly name: string; readonly colour?: Colour; readonly shown?: true }[];
  /** The names of those that are shown by themselves. */
  readonly shown: readonly string[];
  /** The figures that percents are of. */
  readonly bases: readonly string[];
  /** Decimals of figures; counts have none. */
  readonly digits: Readonly<Record<string, number>>;
  readonly dimensions: readonly (DimensionWords & { readonly name: string; readonly from_states: boolean })[];
  readonly series: readonly string[];
  /** Those of them that are null, a gap, in a bucket that nothing of is counted in; all others are 0 there. */
  readonly gaps: readonly string[];
  readonly compared_series: readonly string[];
  readonly row: DomainBoard["breakdown_row"];
  /** What a map shows; absent: there is none. */
  readonly map?: {
    readonly places: MapDeclaration["places"];
    readonly figures: readonly { readonly name: string; readonly label: string; readonly unit: Unit }[];
    /** Whether there are lines behind it. */
    readonly backdrop?: true;
  };
  readonly list: ListWords & { readonly event: string; readonly name: string; readonly id: string };
}

/** How a field of the API is written: an amount, a distance, … or as it is. */
type Kind = "time" | "text" | "number" | Exclude<Unit, "count">;

/** What is declared of a stream's own page. */
export interface StreamDeclaration
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
  if (figure.kind !== "total") return true;
  return is_extreme(measures.find((measure) => measure.name === figure.measure)?.kind);
}

/** What a map shows, in words: a figure is called as its card is. Of keys that have no place nothing is told. */
function map_of(board: DomainBoard): Pick<Declaration, "map"> {
  const { map, words, figures, zones } = board, places = places_shown(board);
  if (map === undefined || places.length === 0) return {};
  const label = (name: string) =>
    words.cards.find((card) => (card.figure ?? card.name) === name)?.label ??
      name.replaceAll("_", " ");
  return {
    map: {
      places,
      ...zones?.backdrop.length ? { backdrop: true } : {},
      figures: map.figures.map((name) => ({ name, label: label(name), unit: figures[name]!.unit })),
    },
  };
}

/** What is told of a board to whoever draws it. A dimension without words is called by its name. */
export function declaration_of(board: DomainBoard, base = ""): Declaration {
  const { words: { stream: _stream, ...words }, lines, figures } = board;
  const mains = words.cards.filter(({ main }) => main).length;
  if (words.cards.length > MOST_CARDS || mains !== 1) {
    const got = `${mains} of ${words.cards.length}`;
    throw new Error(`declare the board: expected one main card of ${MOST_CARDS} at most, got ${got}`);
  }
  const from_states = board.states_breakdowns.map(({ dimension }) => dimension);
  const legend = [
    ...words.charts.flatMap((chart) => "lines" in chart && chart.lines.length > 1 ? chart.lines : []),
    { name: "compared", shown: true } as const,
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
    })),
    series: board.series,
    gaps: board.series.filter((name) => has_gaps(board, name)),
    compared_series: board.compared_series,
    row: board.breakdown_row,
    ...map_of(board),
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
