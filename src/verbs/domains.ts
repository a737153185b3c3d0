import type { DeclaredDomain } from "../domains/mod.ts";
import { TRIPS } from "../domains/trips/mod.ts";

/** The domain that the verbs work on: the one place that names it. */
export const DOMAIN: DeclaredDomain = TRIPS;
