/**
 * Decoding: from the bytes of a message to the event in it, or to what is wrong with it. Pure, and the same whenever it is done again: what is refused
 * today and retried tomorrow differs by limits, mappings and tables alone.
 *
 * Decision: plain JSON takes a fast way of its own (`plain_event.ts`) and everything else the thorough one (`envelope.ts`); a property test holds the two
 * to be equal. Records of another shape are made events by the mapping of their topic (`decode.ts`).
 */
export * from "./decode.ts";
export { no_utf8 } from "./framing.ts";
export type { DecodedEvent } from "./plain_event.ts";
