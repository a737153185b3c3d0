import { TRIPS, trips_domain } from "../../src/domains/trips/mod.ts";
import type { Fault } from "../../src/domains/mod.ts";
import { open_record_file } from "../../src/files/mod.ts";
import { decode_batches, decode_record } from "../../src/ingest/mod.ts";
import { plan } from "./planning.ts";
import { days_in, type Integer } from "../../src/kpi/mod.ts";
import { type DeclaredMapping, detect, type SourceRecord } from "../../src/mapping/mod.ts";
import {
  EqualRows,
  EventTimes,
  FileAccount,
  REPLAY_ORDER,
  type ReplayEvent,
  RowEvents,
  type WaitingVoids,
} from "../../src/replay/mod.ts";
import { BUILTINS } from "./trip_mapping.ts";
import { LIMITS, message } from "./trip_pipeline.ts";

const DOMAIN = trips_domain({ currency: "USD" });
const READ_MS = Date.UTC(2026, 5, 1);
const TERMS = { ...LIMITS, read_ms: READ_MS };

/** What the cells have for one key of a dimension. Amounts in cents, distances in metres, durations in milliseconds. */
export type Figures = Readonly<
  Record<
    | "trips"
    | "requested"
    | "started"
    | "completed"
    | "canceled"
    | "voided"
    | "voids_waiting"
    | "fare_count"
    | "fare"
    | "tip"
    | "metres"
    | "ms"
    | "timed",
    number
  >
>;

/** A file's trips, as a replay into an empty log would leave them. */
export interface ReplayedFile {
  readonly mapping: string;
  /** What is wrong with the rows that are refused, in the order of the file. */
  readonly refused: readonly Fault[];
  /** Trip ids that the events name. */
  readonly trips: ReadonlySet<string>;
  /** Rows that take back rides which the file does not have. */
  readonly waiting: WaitingVoids;
  /** Figures by key of a dimension that the cells keep, over all time; of `day` by date in the zone. */
  readonly by: (dimension: string) => Readonly<Record<string, Figures>>;
}

/**
 * Replays a file through all that `tacho replay` does but the sending: reads, maps, sorts, numbers, decodes, folds, counts.
 * @param zone the business zone
 * @param given the mapping; null: the built-in one that fits
 * @param left_out types of events that are left out of the fold
 */
export async function replayed_file(
  path: string,
  zone: string,
  given: DeclaredMapping | null = null,
  left_out: readonly string[] = [],
): Promise<ReplayedFile> {
  const file = await open_record_file(path, { lists: TRIPS.record_lists });
  const records: SourceRecord[] = [];
  for await (const { rows } of file.rows()) for (const { record } of rows) if (record !== null) records.push(record);
  const mapping = given ?? detected(records.slice(0, 100), zone);

  const row_reading = {
    name: mapping.name,
    domain: TRIPS,
    number_equal_rows: mapping.number_equal_rows,
    amount_of: () => null,
    events_of: (record: SourceRecord, line: number) => {
      const events = decode_record(
        DOMAIN,
        TERMS,
        { topic: "t", partition: 0, offset: line, timestamp_ms: READ_MS },
        mapping,
        record,
      );
      return events.ok ? { ok: true as const, value: events.value.map(({ bare }) => bare) } : events;
    },
  };
  const reading = new RowEvents(0, row_reading, file.text_of, {
    account: new FileAccount(path),
    times: new EventTimes(),
  });
  const read: ReplayEvent[] = [];
  for await (const { rows } of file.rows()) for (const row of rows) read.push(...reading.of(row));
  const equals = new EqualRows(new Set(mapping.number_equal_rows ? [0] : []), TRIPS);
  const events = read.sort(REPLAY_ORDER.compare).map((event) => equals.numbered(event));
  const sound = events.filter(({ fault, kind }) => fault === null && !left_out.includes(kind));

  const messages = sound.map(({ value }, offset) => message(offset, value, READ_MS));
  const batch = { topic: "t", partition: 0, from_offset: 0, next_offset: messages.length, messages };
  const decoded = decode_batches(DOMAIN, TERMS, [batch], new Map());
  const days = days_in(zone);
  const planned = plan(DOMAIN, { decoded, streams: new Map(), stored: new Map(), days, watermark_us: null });
  if (planned.quarantined.length > 0) throw new Error(JSON.stringify(planned.quarantined[0]));
  const refused = events.filter(({ fault }) => fault !== null).sort((a, b) => a.line - b.line);

  const date = new Intl.DateTimeFormat("sv-SE", { timeZone: zone });
  const by = (wanted: string): Record<string, Figures> => {
    const [of, at] = wanted === "day" ? ["none", "1d"] : [wanted, "all"];
    const figures: Record<string, Figures> = {};
    for (const { grain, bucket_us, dimension, key, change } of planned.changes.cells()) {
      if (grain !== at || dimension !== of) continue;
      const measure = (name: string): Integer => change.sum(DOMAIN.measures.findIndex((each) => each.name === name));
      const number = (name: string, per = 1) => Number(measure(name)) / per + 0;
      const sums: Figures = {
        trips: number("trips"),
        requested: number("requested"),
        started: number("started"),
        completed: number("completed"),
        canceled: number("canceled"),
        voided: number("voided"),
        voids_waiting: number("voids_waiting"),
        fare_count: number("fare_count"),
        fare: number("fare_sum_micros", 10_000),
        tip: number("tip_sum_micros", 10_000),
        metres: number("distance_sum_m"),
        ms: number("duration_sum_ms"),
        timed: number("duration_count"),
      };
      // What came and went again leaves a cell of zeros.
      if (Object.values(sums).some((sum) => sum !== 0)) {
        figures[wanted === "day" ? date.format(bucket_us / 1000) : key] = sums;
      }
    }
    return figures;
  };
  return {
    mapping: mapping.name,
    refused: refused.map(({ fault }) => JSON.parse(fault!) as Fault),
    waiting: equals.waiting_voids(0),
    trips: new Set(sound.map(({ key }) => key)),
    by,
  };
}

/** The built-in mapping that fits records. Throws with what there is to choose from. */
function detected(records: readonly SourceRecord[], business_zone: string): DeclaredMapping {
  const found = detect(BUILTINS, records, { business_zone });
  const made = found.ok ? found.value.mapping({ business_zone }) : found;
  if (!made.ok) throw new Error(made.fault.detail);
  return made.value;
}
