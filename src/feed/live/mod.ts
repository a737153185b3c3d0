/**
 * The live feed: who watches what, and what each of them lacks.
 *
 * The hub takes subscribers in and beats four times a second. Boards are read at two paces that never wait for each other: what cells say in one
 * reading for all views (`reader.ts`), what is dear to read one view at a time (`lane.ts`). What was read is encoded once and handed to all who
 * lack it (`broadcast.ts`, `frame.ts`); a subscriber that does not drain is left out.
 */
export * from "./frame.ts";
export * from "./grain.ts";
export * from "./hub.ts";
