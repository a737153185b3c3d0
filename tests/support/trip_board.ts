import { trips_domain } from "../../src/domains/trips/mod.ts";

/** The board of trips, of a deployment that counts pickups by H3 cell. */
export const trips_board = trips_domain({ currency: "USD", h3_resolution: 8 }).board;
