import type { DomainBoard, Unit } from "./board.ts";
import type { BoardWords, CardWords, ChartWords, Colour, DimensionWords, ListWords } from "./board_words.ts";

/** The declaration of a board as the feed and the page's HTML carry it: its words, and what follows from them and the board. */
export interface Declaration extends Omit<BoardWords, "cards" | "charts" | "dimensions" | "list"> {
  readonly one: string;
  readonly cards: readonly (CardWords & { readonly figure: string; readonly bare?: string | undefined })[];
  /** `money`: its lines are amounts. */
  readonly charts: readonly (ChartWords & { readonly money: boolean })[];
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
  readonly compared_series: readonly string[];
  readonly row: DomainBoard["breakdown_row"];
  readonly list: ListWords & { readonly event: string; readonly name: string; readonly id: string };
}

const DIGITS: Readonly<Record<Unit, number>> = { count: 0, money: 2, km: 2, min: 1 };

/** What is told of a board to whoever draws it. A dimension without words is called by its name. */
export function declaration_of(board: DomainBoard): Declaration {
  const { words, lines, figures } = board;
  const from_states = board.states_breakdowns.map(({ dimension }) => dimension);
  const legend = [
    ...words.charts.flatMap((chart) => chart.lines.length > 1 ? chart.lines : []),
    { name: "compared", shown: true } as const,
  ];
  return {
    ...words,
    one: board.noun,
    cards: words.cards.map((card) => ({
      figure: card.name,
      ...card,
      ...card.top === undefined ? {} : { bare: words.dimensions[card.top[0]]?.bare },
    })),
    charts: words.charts.map((chart) => ({ ...chart, money: figures[chart.compared]?.unit === "money" })),
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
    compared_series: board.compared_series,
    row: board.breakdown_row,
    list: { ...words.list, event: lines.event, name: lines.list, id: board.stream_column },
  };
}
