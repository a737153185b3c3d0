import { is_dated } from "../kpi/mod.ts";
import type { BoardFigure, DomainBoard } from "./board.ts";
import type { DeclaredDomain } from "./declared.ts";
import type { Domain } from "./domain.ts";

/**
 * What a log of an earlier version lacks until all of it is made anew beside the tables that are served: of what is declared by now some was not
 * counted then. As long as it lacks that nothing of it is written to those tables, and nothing is told of it.
 */
export interface Lacks {
  /** Measures that say nothing in cells, and nothing in totals; sketches among them. */
  readonly measures: ReadonlySet<string>;
  /** Whether totals are not in their table. */
  readonly totals: boolean;
}

export const NOTHING: Lacks = { measures: new Set(), totals: false };

export const lacks_something = ({ measures, totals }: Lacks): boolean => measures.size > 0 || totals;

/**
 * What a log lacks by the names of what its migrations ask for. Throws where one of them is none that is known.
 * @param domain as it is deployed
 */
export function lacks_of(
  { later_measure, later_value }: Pick<DeclaredDomain, "later_measure" | "later_value">,
  { measures, declared: { facts } }: Pick<Domain, "measures" | "declared">,
  names: readonly string[],
): Lacks {
  const of_value = facts.flatMap(({ adds }) =>
    Object.entries(adds).flatMap(([measure, addition]) =>
      addition.adds !== "one" && addition.field === later_value ? [measure] : []
    )
  );
  const lacking = (name: string): readonly string[] => {
    switch (name) {
      case "sketches":
        return measures.flatMap(({ name, kind }) => kind === "sketch" ? [name] : []);
      case "firsts_and_lasts":
        return measures.flatMap(({ name, kind }) => is_dated(kind) ? [name] : []);
      case "later_measure":
        return later_measure === undefined ? [] : [later_measure];
      case "later_value":
        return of_value;
      case "kept_measures":
      case "totals":
        return [];
      default:
        throw new Error(`tell what a log lacks: expected what a migration asks for, got ${JSON.stringify(name)}`);
    }
  };
  return {
    measures: new Set(names.flatMap(lacking)),
    totals: names.some((name) => name === "kept_measures" || name === "totals"),
  };
}

const made_of = (figure: BoardFigure): readonly string[] => {
  switch (figure.kind) {
    case "total":
      return [figure.measure];
    case "mean":
      return [figure.measure, ...[figure.count].flat()];
    case "quantile":
      return [figure.sketch];
    case "distinct":
      return [figure.count, ...figure.each_hour === undefined ? [] : [figure.each_hour.measure]];
  }
};

/** A board of a log that lacks something: nobody knows figures that are made of it, and what has totals is no entity and no panel. */
export function lacking(board: DomainBoard, { measures, totals }: Lacks): DomainBoard {
  const known = ({ dimension }: { readonly dimension: string }): boolean =>
    !totals || board.dimensions.find(({ name }) => name === dimension)?.totals === undefined;
  const { entities } = board;
  return {
    ...board,
    figures: Object.fromEntries(
      Object.entries(board.figures).map(([name, figure]) => [
        name,
        made_of(figure).some((measure) => measures.has(measure)) ? { ...figure, unknown: true as const } : figure,
      ]),
    ),
    ...entities === undefined ? {} : { entities: { ...entities, of: entities.of.filter(known) } },
  };
}

/** What is not known of a board, in its own words: cards as they are labelled, figures that no card shows by their names. */
export function told_unknown({ figures, words }: Pick<DomainBoard, "figures" | "words">): readonly string[] {
  const unknown = Object.entries(figures).filter(([, { unknown }]) => unknown === true).map(([name]) => name);
  const labels = words.cards.filter(({ name, figure = name }) => unknown.includes(figure)).map(({ label }) => label);
  return labels.length > 0 ? labels : unknown;
}
