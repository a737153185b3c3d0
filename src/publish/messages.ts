import { type Domain, state_json } from "../domains/mod.ts";
import { figure_number } from "../feed/mod.ts";
import { format_time, parted } from "../kpi/mod.ts";
import type { ChangedStream } from "./gather.ts";
import { first_open, type Publication, type PublishedTopic, WINDOW_US } from "./topics.ts";

/** What is written to topics: pure functions of what the log says, so that what is sent again is the same to the letter. */

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
