import event_log from "../../migrations/0001_event_log.sql" with { type: "text" };
import trips from "../../migrations/0002_trips.sql" with { type: "text" };
import program_role from "../../migrations/0003_program_role.sql" with { type: "text" };
import quarantine from "../../migrations/0004_quarantine.sql" with { type: "text" };
import pickup_h3 from "../../migrations/0005_pickup_h3.sql" with { type: "text" };
import batch_watermarks from "../../migrations/0006_batch_watermarks.sql" with { type: "text" };
import sketches from "../../migrations/0007_sketches.sql" with { type: "text" };
import states_boards from "../../migrations/0008_states_boards.sql" with { type: "text" };
import writers_schema from "../../migrations/0009_writers_schema.sql" with { type: "text" };
import what_is_kept from "../../migrations/0010_what_is_kept.sql" with { type: "text" };
import watermarks_and_corrections from "../../migrations/0011_watermarks_and_corrections.sql" with { type: "text" };
import tombstones from "../../migrations/0012_tombstones.sql" with { type: "text" };
import voids_and_fares from "../../migrations/0013_voids_and_fares.sql" with { type: "text" };
import skipped from "../../migrations/0014_skipped.sql" with { type: "text" };
import analysts from "../../migrations/0015_analysts.sql" with { type: "text" };
import dated_trips from "../../migrations/0016_dated_trips.sql" with { type: "text" };
import held from "../../migrations/0017_held.sql" with { type: "text" };
import kept_measures from "../../migrations/0018_kept_measures.sql" with { type: "text" };
import totals from "../../migrations/0019_totals.sql" with { type: "text" };
import trades from "../../migrations/0020_trades.sql" with { type: "text" };
import first_and_last_prices from "../../migrations/0021_first_and_last_prices.sql" with { type: "text" };
import payments from "../../migrations/0022_payments.sql" with { type: "text" };
import read_models from "../../migrations/0023_read_models.sql" with { type: "text" };
import states_of_the_past from "../../migrations/0024_states_of_the_past.sql" with { type: "text" };
import source_partitions from "../../migrations/0025_source_partitions.sql" with { type: "text" };
import rebuilds_seen from "../../migrations/0026_rebuilds_seen.sql" with { type: "text" };
import log_checkpoints from "../../migrations/0027_log_checkpoints.sql" with { type: "text" };
import payment_percentiles from "../../migrations/0028_payment_percentiles.sql" with { type: "text" };
import archives from "../../migrations/0029_archives.sql" with { type: "text" };
import publishing from "../../migrations/0030_publishing.sql" with { type: "text" };
import persons from "../../migrations/0031_persons.sql" with { type: "text" };
import program_rights from "../../migrations/0032_program_rights.sql" with { type: "text" };
import alerts from "../../migrations/0033_alerts.sql" with { type: "text" };
import kept_cells from "../../migrations/0034_kept_cells.sql" with { type: "text" };
import flink from "../../migrations/0035_flink.sql" with { type: "text" };
import flink_emptied from "../../migrations/0036_flink_emptied.sql" with { type: "text" };
import rebuilt_states from "../../migrations/0037_rebuilt_states.sql" with { type: "text" };
import saved from "../../migrations/0038_saved.sql" with { type: "text" };
import waiting from "../../migrations/0039_waiting.sql" with { type: "text" };
import flink_doors from "../../migrations/0040_flink_doors.sql" with { type: "text" };
import oldest_open from "../../migrations/0041_oldest_open.sql" with { type: "text" };
import filling_in from "../../migrations/0042_filling_in.sql" with { type: "text" };
import reports from "../../migrations/0043_reports.sql" with { type: "text" };
import log from "../../migrations/log.sql" with { type: "text" };

/** A migration: forward only, one purpose. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  /** The checksum that it has in databases, where that is not the text's: it was first applied with another text to the same end. */
  readonly checksum?: string;
  /** What rows of tables that were there before lack from here on, until all of the log is made anew beside them and switched in. */
  readonly backfill?: BackfillName;
  /** The domain whose tables it is about; absent: it is for every log. */
  readonly domain?: string;
}

export type BackfillName =
  | "sketches"
  | "later_measure"
  | "kept_measures"
  | "totals"
  | "firsts_and_lasts"
  | "later_value";

/** All migrations, in order. They enter the program as text, so that a compiled binary carries them. */
const ALL: readonly Migration[] = [
  { version: 1, name: "event_log", sql: event_log },
  { version: 2, name: "trips", sql: trips },
  { version: 3, name: "program_role", sql: program_role },
  { version: 4, name: "quarantine", sql: quarantine },
  { version: 5, name: "pickup_h3", sql: pickup_h3 },
  { version: 6, name: "batch_watermarks", sql: batch_watermarks },
  {
    version: 7,
    name: "sketches",
    sql: sketches,
    checksum: "a7ede181a9f0384f99e03dc7c35c683b6012994d941486a018ea9eec8fa2a225",
    backfill: "sketches",
  },
  { version: 8, name: "states_boards", sql: states_boards },
  { version: 9, name: "writers_schema", sql: writers_schema },
  { version: 10, name: "what_is_kept", sql: what_is_kept },
  { version: 11, name: "watermarks_and_corrections", sql: watermarks_and_corrections },
  { version: 12, name: "tombstones", sql: tombstones },
  { version: 13, name: "voids_and_fares", sql: voids_and_fares, backfill: "later_measure" },
  { version: 14, name: "skipped", sql: skipped },
  { version: 15, name: "analysts", sql: analysts },
  { version: 16, name: "dated_trips", sql: dated_trips },
  { version: 17, name: "held", sql: held },
  { version: 18, name: "kept_measures", sql: kept_measures, backfill: "kept_measures" },
  { version: 19, name: "totals", sql: totals, backfill: "totals", domain: "trips" },
  { version: 20, name: "trades", sql: trades, domain: "trades" },
  {
    version: 21,
    name: "first_and_last_prices",
    sql: first_and_last_prices,
    backfill: "firsts_and_lasts",
    domain: "trades",
  },
  { version: 22, name: "payments", sql: payments, domain: "payments" },
  { version: 23, name: "read_models", sql: read_models },
  { version: 24, name: "states_of_the_past", sql: states_of_the_past },
  { version: 25, name: "source_partitions", sql: source_partitions },
  { version: 26, name: "rebuilds_seen", sql: rebuilds_seen, domain: "trips" },
  { version: 27, name: "log_checkpoints", sql: log_checkpoints },
  {
    version: 28,
    name: "payment_percentiles",
    sql: payment_percentiles,
    backfill: "sketches",
    domain: "payments",
  },
  { version: 29, name: "archives", sql: archives },
  { version: 30, name: "publishing", sql: publishing },
  { version: 31, name: "persons", sql: persons },
  { version: 32, name: "program_rights", sql: program_rights },
  { version: 33, name: "alerts", sql: alerts },
  { version: 34, name: "kept_cells", sql: kept_cells },
  { version: 35, name: "flink", sql: flink },
  { version: 36, name: "flink_emptied", sql: flink_emptied },
  { version: 37, name: "rebuilt_states", sql: rebuilt_states },
  { version: 38, name: "saved", sql: saved },
  { version: 39, name: "waiting", sql: waiting, backfill: "later_value", domain: "trips" },
  { version: 40, name: "flink_doors", sql: flink_doors },
  { version: 41, name: "oldest_open", sql: oldest_open, domain: "trips" },
  { version: 42, name: "filling_in", sql: filling_in },
  { version: 43, name: "reports", sql: reports },
];

/** Up to this one migrations are of a log of the first domain; `log.sql` stands for them in a log of anything else. */
const LOG_MADE_AT = 18;

/**
 * The migrations of a domain's log. They have the same numbers everywhere, whatever they are about, so that one number says what a program
 * writes for; those of other domains do nothing.
 */
export const migrations_of = (domain: string): readonly Migration[] =>
  (domain === "trips" ? ALL : [
    { version: LOG_MADE_AT, name: "log", sql: log },
    ...ALL.filter(({ version }) => version > LOG_MADE_AT),
  ]).map((each) => each.domain === undefined || each.domain === domain ? each : nothing_of(each));

const nothing_of = ({ version, name }: Migration): Migration => ({ version, name, sql: "" });

/** The migrations that ask for a backfill, by the names that databases know them by: the first of them that a log has is the one that fills it in. */
export const migrations_filled_by = (backfill: BackfillName): readonly string[] =>
  ALL.filter((each) => each.backfill === backfill).map(({ name }) => name);
/** The backfill that a migration asks for, by the migration's name; null where it asks for none. */
export const backfill_of = (migration: string): BackfillName | null =>
  ALL.find(({ name }) => name === migration)?.backfill ?? null;

/** From this one on the head of the log has the number of its schema. */
export const NUMBERED_FROM = 9;

/** The schema that this program writes for: the number of its newest migration. */
export const SCHEMA_NUMBER: number = ALL.at(-1)!.version;
