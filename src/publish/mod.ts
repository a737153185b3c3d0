/**
 * Topics out: a log published in Kafka, by what its domain declares of entities.
 *
 * What holds: what is sent is a function of the log up to a position, and known by it: a version that is sent again is the same to the
 * letter. Of one key versions come in order; a change is never sent before the log holds it, and none is left out but those that a later
 * one of the same turn replaces. One program publishes at a time; whoever was replaced writes no more. On failure what is not noted as sent
 * is sent again.
 *
 * Decision: the outbox is derived. The log is one already, in order; a cursor in the database says how far it was taken in, so that ingest
 * writes nothing for it and waits for nothing. Windows are kept as sums in a table of their own, changed in the transaction that moves the
 * cursor, because those of persons are in no cell, and because figures out of the state table are of its newest event: a
 * version that is sent again after a kill would be another one. Price: a row for each window that anything was counted in, some 420 bytes with its index.
 */
export { publication_of, type PublishedMessage, type PublishedTopic, topics_of } from "./messages.ts";
export { Publisher, type PublishingState, type TopicWriter } from "./publisher.ts";
