export type { BareEvent, Mapping, SourceRecord } from "./mapping.ts";
