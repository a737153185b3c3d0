/**
 * Kafka, as a source of messages and as the place `tacho produce` writes to.
 *
 * Holds before: brokers and topics are named. After: messages come in order from the cursors, and nothing else decides where
 * reading goes on; offsets committed to the group are a courtesy to lag tools. On failure: broker trouble is waited out,
 * a gap stops the source; refused credentials and a batch that stays damaged fail it. On repeat: what was
 * read and not committed is read again.
 *
 * Decision: what a fetch brought is read here, not by kafkajs: which batches are data (`records/fetch_answer.ts`), and their records,
 * unpacked piece by piece as there is room for them (`records/record_batch.ts`). kafkajs keeps the group, the connections and the
 * fetching, and sees one opaque message a partition.
 *
 * kafkajs 2.2.4, because native clients cannot be loaded here and no other pure client is as widely used. Its price: no
 * static membership, silent resets of the position, silent stalls, no release since 2023; each is met in
 * `kafka_delivery.ts`, `kafka_session.ts` and `kafka_trouble.ts`, and one file (`kafka_client.ts`) imports it. Revisit when
 * brokers drop the classic group protocol.
 */
export { type KafkaAdmin, open_kafka_admin } from "./kafka_admin.ts";
export {
  type KafkaConnectionOptions,
  type KafkaOptions,
  type KafkaSettings,
  session_settings,
} from "./kafka_options.ts";
export {
  type KafkaProducer,
  open_kafka_producer,
  open_kafka_publisher,
  type OutgoingMessage,
  view_of,
} from "./kafka_producer.ts";
export { search_topics, type Searched, type SearchLimits } from "./kafka_search.ts";
export { KafkaSource } from "./kafka_source.ts";
