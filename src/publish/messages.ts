import { type Domain, type EntitiesDeclaration, state_json, type SummedFigure } from "../domains/mod.ts";
import { figure_number, figure_of, measures_in } from "../feed/mod.ts";
import { type CellShape, closes_at, format_time, type Grain, is_extreme, parted } from "../kpi/mod.ts";

/**
 * Which topics a domain can be published in, by its declaration of entities, and what is written to them: pure functions of what the log says, so
 * that what is sent again is the same to the letter.
 */

/** The windows that are told. */
export const WINDOW: Grain = "5m";
/** How long one is, microseconds. */
const WINDOW_US = 300e6;

/** The start of the first window that is not closed, where event time has come to a time: what begins before it is closed. */
export const first_open = (watermark_us: number): number =>
  Math.floor((watermark_us - closes_at(0)) / WINDOW_US) * WINDOW_US;

/** `enriched`: each stream as it stands, by its key of the entity; `aggregated`: windows by that key. */
type TopicLayer = "enriched" | "aggregated";

type Entity = EntitiesDeclaration["of"][number];

/** A topic that a domain can be published in. */
export interface PublishedTopic {
  readonly name: string;
  readonly layer: TopicLayer;
  readonly entity: Entity;
}

/** A figure of a window's messages. */
interface WindowFigure {
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

/**
 * What is published in some of a domain's topics. Throws where a figure is no sum: that of a window could not be corrected by a difference.
 * @param resettled how often a rebuild has changed the settings: where cells of places are told, windows are those of other cells since
 */
export function publication_of(domain: Domain, topics: readonly PublishedTopic[], resettled = 0): Publication {
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
    signature: JSON.stringify({
      ...{ topics, figures, closes_after_s: closes_at(0) / 1e6 },
      ...resettled > 0 && board.map?.places.some(({ kind }) => kind === "h3") ? { resettled } : {},
    }),
  };
}

/** A message to be published. */
export interface PublishedMessage {
  readonly topic: string;
  readonly key: string;
  /** Null: what had that key has it no more. */
  readonly value: string | null;
}

/** A window as it stands. */
export interface Window {
  readonly bucket_us: number;
  readonly dimension: string;
  readonly key: string;
  readonly version: number;
  /** By the publication's measures. */
  readonly sums: readonly bigint[];
}

/** A stream that events changed. */
export interface ChangedStream {
  readonly stream_id: string;
  /** Its keys by dimension before these events; null: they begin it. */
  readonly before: readonly string[] | null;
  readonly keys: readonly string[];
  readonly state: unknown;
  readonly revision: number;
  readonly position: number;
}

/** What messages are made by. */
export interface MessageTerms {
  readonly domain: Domain;
  readonly publication: Publication;
  readonly log_id: string;
}

/** A key that is known again, and the messages of a topic that have it are told apart by their version. */
const id_of = (log_id: string, topic: string, key: string, version: number): string =>
  `${log_id}/${topic}/${key}@${version}`;

/** The key of an entity and, by currency, its code, out of that of a contribution. */
function parts_of({ domain: { by_currency } }: MessageTerms, key: string): readonly [key: string, currency?: string] {
  if (by_currency === undefined) return [key];
  const parts = parted(key);
  return [parts.key, parts.currency];
}

/**
 * The messages of a window, one for each topic that tells its dimension.
 * @param watermark_us the newest event time by when it stood so
 */
export function window_messages(terms: MessageTerms, window: Window, watermark_us: number): PublishedMessage[] {
  const { publication: { topics, figures, measures }, log_id } = terms,
    { bucket_us, dimension, version, sums } = window;
  const totals = Object.fromEntries(measures.map((name, m) => [name, sums[m]!]));
  const [key, currency] = parts_of(terms, window.key);
  const begins = format_time(bucket_us);
  return topics_of_dimension(topics, "aggregated", dimension).map(({ name: topic, entity: { id_name } }) => {
    const place = JSON.stringify([key, ...currency === undefined ? [] : [currency], begins]);
    const value = {
      id: id_of(log_id, topic, place, version),
      log_id,
      version,
      [id_name]: key,
      ...currency === undefined ? {} : { currency },
      window_start: begins,
      window_end: format_time(bucket_us + WINDOW_US),
      ...Object.fromEntries(
        figures.map(({ name, figure, decimals }) => [name, figure_number(figure, totals, decimals)]),
      ),
      final: bucket_us < first_open(watermark_us),
    };
    return { topic, key: place, value: JSON.stringify(value) };
  });
}

/** The messages of a stream that changed: as it stands, and where its key of an entity is another now, that it is not there any more. */
export function stream_messages(terms: MessageTerms, stream: ChangedStream): PublishedMessage[] {
  const { domain: { board, dimensions, columns }, publication: { topics }, log_id } = terms;
  const { stream_id, before, keys, state, revision, position } = stream;
  const messages: PublishedMessage[] = [];
  let told: Record<string, unknown> | null = null;
  for (const [d, { name: dimension }] of dimensions.entries()) {
    for (const { name: topic, entity: { id_name } } of topics_of_dimension(topics, "enriched", dimension)) {
      const [key] = parts_of(terms, keys[d]!), [was] = before === null ? [key] : parts_of(terms, before[d]!);
      if (was !== key) messages.push({ topic, key: JSON.stringify([was, stream_id]), value: null });
      told ??= state_json(board, {
        ...Object.fromEntries(columns.map(({ name, get }) => [name, get(state)])),
        [board.stream_column]: stream_id,
        revision,
        position,
      });
      const place = JSON.stringify([key, stream_id]);
      const value = { id: id_of(log_id, topic, place, position), log_id, version: position, [id_name]: key, ...told };
      messages.push({ topic, key: place, value: JSON.stringify(value) });
    }
  }
  return messages;
}

const topics_of_dimension = (
  topics: readonly PublishedTopic[],
  layer: PublishedTopic["layer"],
  dimension: string,
): readonly PublishedTopic[] => topics.filter((topic) => topic.layer === layer && topic.entity.dimension === dimension);
