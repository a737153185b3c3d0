import type { Domain, EntitiesDeclaration, SummedFigure } from "../domains/mod.ts";
import { figure_of, measures_in } from "../feed/mod.ts";
import { type CellShape, closes_at, type Grain, is_extreme } from "../kpi/mod.ts";

/** Which topics a domain can be published in, and what their messages are made of: by its declaration of entities. Pure. */

/** The windows that are told. */
export const WINDOW: Grain = "5m";
/** How long one is, microseconds. */
export const WINDOW_US = 300e6;

/** The start of the first window that is not closed, where event time has come to a time: what begins before it is closed. */
export const first_open = (watermark_us: number): number =>
  Math.floor((watermark_us - closes_at(0)) / WINDOW_US) * WINDOW_US;

/** `enriched`: each stream as it stands, by its key of the entity; `aggregated`: windows by that key. */
export type TopicLayer = "enriched" | "aggregated";

type Entity = EntitiesDeclaration["of"][number];

/** A topic that a domain can be published in. */
export interface PublishedTopic {
  readonly name: string;
  readonly layer: TopicLayer;
  readonly entity: Entity;
}

/** A figure of a window's messages. */
export interface WindowFigure {
  readonly name: string;
  readonly figure: SummedFigure;
  readonly decimals: number;
}

/** What is published of a domain. */
export interface Publication {
  readonly topics: readonly PublishedTopic[];
  readonly figures: readonly WindowFigure[];
  /** The measures that these are made of, by name, and what gathers their changes: windows of the dimensions that are told. */
  readonly measures: readonly string[];
  readonly shape: CellShape;
  /** All of that as text: where it changes, messages say something else. */
  readonly signature: string;
}

/** The topics that a domain can be published in: none where it declares no entities. @param prefix what stands before their names */
export function topics_of({ board }: Pick<Domain, "board">, prefix: string): PublishedTopic[] {
  const kept = board.entities?.of.filter(({ dimension }) => board.dimensions.some(({ name }) => name === dimension));
  return (kept ?? []).flatMap((entity) =>
    (["enriched", "aggregated"] as const).map((layer) => ({ name: `${prefix}${layer}.${entity.name}`, layer, entity }))
  );
}

/** What is published in some of a domain's topics. Throws where a figure is no sum: that of a window could not be corrected by a difference. */
export function publication_of(domain: Domain, topics: readonly PublishedTopic[]): Publication {
  const { board } = domain;
  const figures = (board.entities?.figures ?? []).map(({ name, figure, decimals }): WindowFigure => (
    { name, figure: figure_of(board, figure), decimals }
  ));
  const measures = [...new Set(figures.flatMap(({ figure }) => measures_in(figure)))];
  const extreme = domain.measures.find(({ name, kind }) => measures.includes(name) && is_extreme(kind));
  if (extreme !== undefined) {
    throw new Error(`publish ${domain.name}: expected figures of sums, ${extreme.name} is of kind ${extreme.kind}`);
  }
  const told = new Set(topics.flatMap(({ layer, entity }) => layer === "aggregated" ? [entity.dimension] : []));
  const dimensions = domain.dimensions.map(({ name, column }) => (
    { name, column, grains: told.has(name) ? [WINDOW] : [], totals: measures }
  ));
  const { by_currency } = domain;
  return {
    topics,
    figures,
    measures,
    shape: { dimensions, measures: domain.measures, ...by_currency === undefined ? {} : { by_currency } },
    signature: JSON.stringify({ topics, figures, closes_after_s: closes_at(0) / 1e6 }),
  };
}
