import { bucket_of, type Grain } from "./cells.ts";
import { compare_bookkeeping, compare_events, type LoggedEvent, new_reading } from "./compare_log.ts";
import { collect_differences, type Differences, instant_text } from "./differences.ts";
import { read_time } from "./event_time.ts";
import type { Expectation } from "./expectation.ts";
import {
  canonical_text,
  Fault,
  is_blank,
  is_object,
  type Json,
  type JsonObject,
  read_json,
  read_utf8,
} from "./json.ts";
import { local_days } from "./local_day.ts";
import { micros_of, type Query, text_in, text_or_null } from "./query.ts";
import { bin_of_value, type Bins } from "./sketches.ts";
import type { SourceMessage } from "./source_message.ts";

/**
 * The oracle of a domain other than trips, from what its contract says of types, fields, fold and counting. As plain as the one of trips: it keeps
 * all events, folds each stream from scratch and counts all streams from scratch. It reads bare JSON and CloudEvents in JSON without
 * headers, which is what the loads of chaos send.
 */

/** What a domain's contract says, in its words and without any of the program's. */
export interface DomainContract {
  /** The column and the bare name of its stream's id. */
  readonly stream: string;
  readonly states: string;
  readonly cells: string;
  /** What a type may name: how it is read, and whether it must be there. */
  readonly types: Readonly<Record<string, Readonly<Record<string, Named>>>>;
  /** A stream's events in order of (time, event id), as a row and what is counted of it. */
  readonly fold: (events: readonly Told[]) => Folded;
  /** What cells add up; what is least, greatest, first or last is null in a cell that has none. */
  readonly measures: readonly string[];
  /** The grains that each dimension keeps. */
  readonly dimensions: Readonly<Record<string, readonly Grain[]>>;
  /** Whether cells and totals are of one currency each. */
  readonly by_currency?: true;
  /** Columns of states that are lists: of times where the name ends so, else of whole numbers. */
  readonly lists?: readonly string[];
  /** What has totals in a table of their own and no cells: which dimensions, which measures. */
  readonly totals?: {
    readonly table: string;
    readonly dimensions: readonly string[];
    readonly measures: readonly string[];
  };
  /** Of which values bins are kept, in which table, by which dimensions: of all grains but that of all time. */
  readonly sketches?: { readonly table: string; readonly dimensions: readonly string[] };
}

/** A field of the data. */
export interface Named {
  readonly read: (raw: Json) => Value | Fault;
  readonly required?: true;
}
export type Value = string | bigint;

/** An event as the fold sees it. */
export interface Told {
  readonly type: string;
  readonly time_us: number;
  readonly event_id: string;
  /** What it names; no more. */
  readonly named: Readonly<Record<string, Value>>;
}

/** A stream. */
export interface Folded {
  /** Its row: times in microseconds. */
  readonly row: Readonly<Record<string, Value | number | null>>;
  readonly counted: readonly Counted[];
}

/** What is counted of a stream at a time. */
export interface Counted {
  readonly at_us: number;
  /** By dimension. */
  readonly keys: Readonly<Record<string, string>>;
  /** Of a domain that counts by currency. */
  readonly currency?: string;
  readonly adds: Readonly<Record<string, bigint>>;
  readonly least?: Readonly<Record<string, bigint>>;
  readonly most?: Readonly<Record<string, bigint>>;
  /** Values that bins are kept of, by the sketch. */
  readonly binned?: Readonly<Record<string, bigint>>;
}

type Event = LoggedEvent & { readonly told: Told };
type Cell = Record<string, bigint | null>;

/** Of an event or stream that nobody named. */
export const UNKNOWN = "unknown";

/** What a text is: as sent, at most 200 characters. */
export const text: Named = {
  read: (raw) => typeof raw === "string" && raw.length <= 200 ? raw : new Fault("no text"),
};
/** One of a list. */
export const one_of = (...values: readonly string[]): Named => ({
  read: (raw) => typeof raw === "string" && values.includes(raw) ? raw : new Fault(`none of ${values}`),
});
/** An amount, in micros: decimal text or a number, at most 6 decimals, to 1e12. */
export const amount: Named = {
  read(raw) {
    const [, whole, decimals = ""] = /^(\d{1,13})(?:\.(\d{1,6}))?$/.exec(
      typeof raw === "number" ? String(raw) : typeof raw === "string" ? raw : "",
    ) ?? [];
    const micros = whole === undefined ? -1n : BigInt(whole) * 1_000_000n + BigInt(decimals.padEnd(6, "0"));
    return micros >= 0n && micros <= 10n ** 18n ? micros : new Fault("no amount");
  },
};
/** A whole number from 1 to 1e9. */
export const quantity: Named = {
  read: (raw) =>
    typeof raw === "number" && Number.isInteger(raw) && raw >= 1 && raw <= 1e9
      ? BigInt(raw)
      : new Fault("no whole number from 1"),
};
export const required = (named: Named): Named => ({ ...named, required: true });

/** Takes the messages of a domain one by one, and compares at any time what the database holds with what they say. */
export class DomainOracle {
  readonly #contract: DomainContract;
  readonly #local_day: ReturnType<typeof local_days>;
  readonly #latest_us: number;
  readonly #admitted = new Map<string, Map<string, Event>>();
  readonly #folded = new Map<string, Folded>();
  #changed = new Set<string>();
  readonly #reading = new_reading<Event>();
  readonly #ends = new Map<number, Expectation["partition_ends"][number]>();
  readonly #bookkeeping = {
    messages_read: 0,
    admitted_count: 0,
    duplicates: 0,
    tombstones: 0,
    quarantined: [] as Expectation["quarantined"],
  };

  /** @param read_ms when the messages are read: more than an hour after it is the future */
  constructor(contract: DomainContract, time_zone: string, read_ms: number) {
    this.#contract = contract;
    this.#local_day = local_days(time_zone);
    this.#latest_us = (read_ms + 3_600_000) * 1_000;
  }

  /** Of a partition by ascending offset. */
  take(message: SourceMessage): void {
    const { topic, partition } = message;
    const offset = BigInt(message.offset);
    const known = this.#bookkeeping;
    this.#ends.set(partition, { topic, partition, next_offset: offset + 1n });
    known.messages_read++;
    if (message.value === null) return void known.tombstones++;
    const event = this.#read(message.value);
    if (event instanceof Fault) return void known.quarantined.push({ topic, partition, offset, reason: event.reason });
    const of_stream = this.#admitted.get(event.stream) ?? new Map<string, Event>();
    const earlier = of_stream.get(event.told.event_id);
    if (earlier === undefined) {
      const { type, time_us, event_id } = event.told;
      of_stream.set(event_id, { ...event, type, time_us, event_id, topic, partition, offset });
      this.#admitted.set(event.stream, of_stream);
      this.#changed.add(event.stream);
      known.admitted_count++;
    } else if (
      earlier.type === event.told.type && earlier.time_us === event.told.time_us &&
      earlier.data_text === event.data_text
    ) {
      known.duplicates++;
    } else {
      known.quarantined.push({ topic, partition, offset, reason: `identity conflict with offset ${earlier.offset}` });
    }
  }

  #read(value: Uint8Array): { stream: string; told: Told; data_text: string } | Fault {
    const decoded = read_utf8(value, "value");
    const body = decoded instanceof Fault ? decoded : read_json(decoded);
    if (body instanceof Fault) return body;
    if (!is_object(body)) return new Fault("no object");
    const { event_id, type, occurred_at, schema_version: _, [this.#contract.stream]: id, ...rest } = body;
    const event = Object.hasOwn(body, "specversion")
      ? { id: `${body.source} ${body.id}`, type: body.type, stream: body.subject, at: body.time, data: body.data }
      : { id: event_id, type, stream: id, at: occurred_at, data: rest as JsonObject };
    const stream = event.stream;
    if (typeof event.id !== "string" || is_blank(event.id)) return new Fault("no event id");
    if (typeof stream !== "string" || is_blank(stream)) return new Fault("no stream id");
    const fields = typeof event.type === "string" ? this.#contract.types[event.type] : undefined;
    if (fields === undefined) return new Fault("no such event type");
    const time_us = read_time(event.at ?? null, "time");
    if (time_us instanceof Fault) return time_us;
    if (time_us > this.#latest_us) return new Fault("time in the future");
    if (!is_object(event.data)) return new Fault("no data");
    const named: Record<string, Value> = {};
    for (const [name, field] of Object.entries(fields)) {
      const raw = event.data[name];
      if (raw === undefined || is_blank(raw)) {
        if (field.required === true) return new Fault(`no ${name}`);
        continue;
      }
      const read = field.read(raw);
      if (read instanceof Fault) return read;
      named[name] = read;
    }
    const told = { type: event.type as string, time_us, event_id: event.id, named };
    return { stream, told, data_text: canonical_text(event.data) };
  }

  /**
   * The database must be at rest. Gives sentences about what differs, none where all agrees, and what was counted.
   * @param ends the next offset of each partition, where there is more behind the last message
   */
  async compare(query: Query, ends: ReadonlyMap<number, number> = new Map()) {
    const { compared, cells } = { compared: collect_differences(), cells: this.#conclude() };
    const expectation = {
      ...this.#bookkeeping,
      admitted: this.#admitted,
      touched: () => new Set<string>(),
      partition_ends: [...this.#ends.values()].map((end) => ({
        ...end,
        next_offset: BigInt(ends.get(end.partition) ?? end.next_offset),
      })),
    };
    await compare_bookkeeping(query, expectation, compared);
    await compare_events(query, expectation, compared, this.#reading);
    await this.#compare_states(query, compared);
    await this.#compare_cells(query, compared, cells);
    await this.#compare_totals(query, compared);
    await this.#compare_sketches(query, compared);
    const { messages_read, admitted_count, duplicates, quarantined } = this.#bookkeeping;
    return {
      differences: compared.list(20),
      counts: {
        messages: messages_read,
        events: admitted_count,
        duplicates,
        quarantined: quarantined.length,
        streams: this.#folded.size,
        cells: cells.size,
      },
    };
  }

  get #counted(): Counted[] {
    return [...this.#folded.values()].flatMap(({ counted }) => counted);
  }

  /** Folds what has new events, and counts all anew: cells by "grain|bucket|dimension|key", with the currency before the key where there is one. */
  #conclude(): Map<string, Cell> {
    const { fold, dimensions, measures } = this.#contract;
    for (const stream of this.#changed) {
      const events = [...this.#admitted.get(stream)!.values()].map(({ told }) => told);
      const in_order = events.sort((a, b) => a.time_us - b.time_us || (a.event_id < b.event_id ? -1 : 1));
      this.#folded.set(stream, fold(in_order));
    }
    this.#changed = new Set();
    const cells = new Map<string, Cell>();
    for (const { at_us, keys, currency, adds, least = {}, most = {} } of this.#counted) {
      for (const [dimension, grains] of Object.entries(dimensions)) {
        for (const grain of grains) {
          const bucket = bucket_of(at_us, grain, this.#local_day);
          const name = [grain, bucket, dimension, ...currency === undefined ? [] : [currency], keys[dimension]].join(
            "|",
          );
          const cell = cells.get(name) ??
            Object.fromEntries(measures.map((measure): [string, null] => [measure, null]));
          cells.set(name, cell);
          for (const [measure, value] of Object.entries(adds)) cell[measure] = (cell[measure] ?? 0n) + value;
          for (const [measure, value] of Object.entries(least)) {
            cell[measure] = value < (cell[measure] ?? value + 1n) ? value : cell[measure]!;
          }
          for (const [measure, value] of Object.entries(most)) {
            cell[measure] = value > (cell[measure] ?? value - 1n) ? value : cell[measure]!;
          }
        }
      }
    }
    return cells;
  }

  async #compare_states(query: Query, differences: Differences): Promise<void> {
    const { stream: column, states, lists = [] } = this.#contract;
    const [first] = this.#folded.values();
    const columns = Object.keys(first?.row ?? {});
    const as_text = (name: string) =>
      /_ats$/.test(name)
        ? `(select string_agg(${
          micros_of("item")
        }, ',' order by at) from unnest(${name}) with ordinality listed(item, at))`
        : lists.includes(name)
        ? `array_to_string(${name}, ',')`
        : /_at$/.test(name)
        ? micros_of(name)
        : `${name}::text`;
    const selected = columns.map((name) => `${as_text(name)} as ${name}`);
    const rows = await query(`
      select ${
      [column, ...selected].join(", ")
    }, revision::text as revision, array_to_string(positions, ',') as positions
      from ${states} order by ${column}`);
    const found = new Set<string>();
    for (const row of rows) {
      const id = text_in(row, column), name = `${states} ${JSON.stringify(id)}`;
      found.add(id);
      const expected = this.#folded.get(id);
      if (expected === undefined) {
        differences.add("states", `${name}: not expected`);
        continue;
      }
      const positions = this.#reading.positions.get(id) ?? [];
      const wanted = { ...expected.row, revision: positions.length, positions: positions.join(",") };
      for (const [what, value] of Object.entries(wanted)) {
        const text = value === null ? null : String(value), got = text_or_null(row, what);
        if (text !== got) differences.add("states", `${name} ${what}: expected ${text}, found ${got}`);
      }
    }
    for (const id of this.#folded.keys()) {
      if (!found.has(id)) differences.add("states", `${states} ${JSON.stringify(id)}: missing`);
    }
  }

  async #compare_cells(query: Query, differences: Differences, cells: ReadonlyMap<string, Cell>): Promise<void> {
    const { cells: table, measures, by_currency = false } = this.#contract;
    const named = ["grain", "bucket", "dimension", ...by_currency ? ["currency"] : [], "key"];
    const rows = await query(`
      select ${named.map((column) => column === "bucket" ? `${micros_of(column)} as bucket` : column).join(", ")},
        ${measures.map((measure) => `${measure}::text as ${measure}`).join(", ")} from ${table}`);
    const found = new Set<string>();
    for (const row of rows) {
      const name = named.map((column) => text_in(row, column)).join("|");
      found.add(name);
      const expected = cells.get(name) ?? {};
      for (const measure of measures) {
        // Zero is written where nothing is added up, null where there is no least and no greatest.
        const got = text_or_null(row, measure), wanted = expected[measure] ?? null;
        if ((wanted === null ? null : String(wanted)) === got || (wanted === null && got === "0")) continue;
        differences.add("cells", `${cell_text(name)} ${measure}: expected ${wanted}, found ${got}`);
      }
    }
    for (const name of cells.keys()) {
      if (!found.has(name)) differences.add("cells", `${cell_text(name)}: missing`);
    }
  }

  /** A sketch that nothing is left of may stand there or not. */
  async #compare_sketches(query: Query, differences: Differences): Promise<void> {
    const { sketches } = this.#contract;
    if (sketches === undefined) return;
    const expected = new Map<string, Bins>();
    for (const { at_us, keys, currency, binned = {} } of this.#counted) {
      for (const [sketch, value] of Object.entries(binned)) {
        for (const dimension of sketches.dimensions) {
          for (const grain of ["1m", "5m", "1h", "1d"] as const) {
            const bucket = bucket_of(at_us, grain, this.#local_day);
            const name = [grain, bucket, dimension, currency, keys[dimension], sketch].join("|");
            const bins: Bins = expected.get(name) ?? new Map(), bin = bin_of_value(value);
            expected.set(name, bins.set(bin, (bins.get(bin) ?? 0) + 1));
          }
        }
      }
    }
    const named = ["grain", "bucket", "dimension", "currency", "key", "sketch"];
    const rows = await query(`
      select ${named.map((column) => column === "bucket" ? `${micros_of(column)} as bucket` : column).join(", ")},
        (select string_agg(concat(bin, ': ', count), ', ' order by bin) from unnest(bins, counts) b(bin, count)) as bins
      from ${sketches.table}`);
    const found = new Map(
      rows.map((row) => [named.map((column) => text_in(row, column)).join("|"), text_or_null(row, "bins") ?? ""]),
    );
    for (const name of new Set([...expected.keys(), ...found.keys()])) {
      const wanted = bins_text(expected.get(name) ?? new Map()), got = found.get(name) ?? "";
      if (wanted !== got) differences.add("cells", `sketch of ${cell_text(name)}: expected ${wanted}, found ${got}`);
    }
  }

  /** A total that nothing is left of may stand there or not. */
  async #compare_totals(query: Query, differences: Differences): Promise<void> {
    const { totals } = this.#contract;
    if (totals === undefined) return;
    const { table, dimensions, measures } = totals;
    const expected = new Map<string, Map<string, bigint>>();
    for (const { keys, currency, adds } of this.#counted) {
      for (const dimension of dimensions) {
        const name = `${dimension} ${currency} ${keys[dimension]}`, total = expected.get(name) ?? new Map();
        expected.set(name, total);
        for (const measure of measures) total.set(measure, (total.get(measure) ?? 0n) + (adds[measure] ?? 0n));
      }
    }
    const rows = await query(
      `select dimension, currency, key, ${measures.map((each) => `${each}::text as ${each}`).join(", ")} from ${table}`,
    );
    const found = new Map(
      rows.map((row) =>
        [["dimension", "currency", "key"].map((column) => text_in(row, column)).join(" "), row] as const
      ),
    );
    for (const name of new Set([...expected.keys(), ...found.keys()])) {
      const row = found.get(name);
      for (const measure of measures) {
        const wanted = String(expected.get(name)?.get(measure) ?? 0n),
          got = row === undefined ? "0" : text_in(row, measure);
        if (wanted !== got) differences.add("cells", `total ${name} ${measure}: expected ${wanted}, found ${got}`);
      }
    }
  }
}

/** "53: 2, 60: 1" of counts by bin. */
const bins_text = (bins: Bins): string =>
  [...bins].sort(([a], [b]) => a - b).map(([bin, count]) => `${bin}: ${count}`).join(", ");

/** "1h|1767225600000000|side|buy" as "cell 1h 2026-01-01T00:00:00Z side=buy". */
function cell_text(name: string): string {
  const [grain, bucket_us, dimension, ...key] = name.split("|");
  return `cell ${grain} ${instant_text(Number(bucket_us))} ${dimension}=${key.join("|")}`;
}
