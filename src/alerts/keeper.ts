import { type Database, snapshot, text_array } from "../database/mod.ts";
import { model_tables } from "../domains/mod.ts";
import { type Head, read_head } from "../event_log/mod.ts";
import { Paced, type Runtime, told_once, WakeUp } from "../runtime/mod.ts";
import {
  advance,
  begin_at,
  type Change,
  clock_of,
  ended,
  first_window,
  last_end,
  more_than,
  type Phase,
  windows_between,
} from "./machine.ts";
import { read_windows } from "./read_windows.ts";
import { board_of, read_rule, type Rule, settled_before, silent_until } from "./rule.ts";
import {
  type DeliveryCounts,
  type KeptRule,
  type KeptState,
  read_deliveries,
  read_rules,
  read_states,
  remove_old_changes,
  type Step,
  write_step,
} from "./store.ts";
import { all_time_of, dimension_of } from "../feed/mod.ts";
import { bucket_start, type Micros, UNKNOWN } from "../kpi/mod.ts";
import type { WatchedDomain } from "../unusual/mod.ts";

/**
 * Goes along with rules, window by window: with those of a log while it is served, and with one over a stretch of a log, to tell what it would
 * have done.
 */

/** The log whose rules are looked at, and who hears of it. */
interface KeptAlerts extends WatchedDomain {
  readonly database: Database;
  /** The names of those that are told. */
  readonly receivers: readonly string[];
  /** This program writes nothing: another one looks, and this one tells how rules stand. */
  readonly read_only: boolean;
  /** Hears that there is something to deliver. */
  readonly noted: () => void;
  /** When it is, microseconds; the database's clock unless given, the same for all programs. */
  readonly now_us?: () => number;
}

/** How the rules of a log stand, as they were read last. */
export interface AlertsStanding {
  readonly rules: readonly { readonly name: string; readonly phase: Phase; readonly since_us: number | null }[];
  readonly deliveries: readonly DeliveryCounts[];
  /** Why a rule could not be looked at, by its name. */
  readonly troubles: ReadonlyMap<string, string>;
}

const LOOK_MS = 2_000;
/** Without another window a rule is looked at again for late events so often. */
const AGAIN_MS = 10_000;
/** Longest time that one statement of a rule may take. */
const STATEMENT_MS = 2_000;
/** A rule that is so many windows behind begins anew near the newest. */
const MOST_BEHIND = 1_000;
const REMOVE_MS = 3_600_000;

/** What was read for one look. */
interface Look {
  readonly head: Head;
  readonly now_us: number;
  readonly rules: readonly KeptRule[];
  readonly states: readonly KeptState[];
  readonly deliveries: readonly DeliveryCounts[];
}

/**
 * Looks at all rules of a log whenever event time has passed a window of theirs. Of several programs that look each step is written by one:
 * who comes second finds another revision, and looks anew. A rule that cannot be looked at holds up no other.
 */
export class AlertKeeper {
  readonly #runtime: Runtime;
  readonly #source: KeptAlerts;
  readonly #seen = new Map<string, { readonly of: string; readonly position: number; readonly at_ms: number }>();
  #standing: AlertsStanding = { rules: [], deliveries: [], troubles: new Map() };
  #removed_ms = -Infinity;
  /** Whether a look has written, or tried to: then states are other ones than it read. */
  #wrote = false;

  /** @param woken rings when a rule was changed: it is looked at soon */
  constructor(runtime: Runtime, source: KeptAlerts, readonly woken: WakeUp = new WakeUp()) {
    this.#runtime = runtime;
    this.#source = source;
  }

  standing(): AlertsStanding {
    return this.#standing;
  }

  /** Looks until the signal; a database that is away is waited for. Rejects with the signal's reason. */
  async run(): Promise<never> {
    const { signal, logger } = this.#runtime;
    // It leaves three times as much time to others as it takes.
    const pace = new Paced(this.#runtime, {
      gap_ms: LOOK_MS,
      rest: { times: 3, free_ms: 50 },
      first_ms: LOOK_MS,
      cap_ms: 30_000,
    });
    for (;;) {
      await pace.until_done(signal, () => this.look(), {
        passes: () => true,
        ...told_once(logger, "the rules of alerts cannot be looked at", "the rules of alerts are looked at again"),
      });
      const { wait_ms } = pace;
      if (wait_ms > 0) await this.woken.next(signal, wait_ms);
      signal.throwIfAborted();
    }
  }

  /** Looks once at all rules. */
  async look(): Promise<void> {
    const { database, read_only } = this.#source, { signal, clock } = this.#runtime;
    this.#wrote = false;
    const look = await read_look(this.#source), troubles = new Map<string, string>();
    const states = new Map(look.states.map((state) => [state.rule, state]));
    if (!read_only) {
      for (const kept of look.rules) {
        signal.throwIfAborted();
        const trouble = await this.#look_at(kept, states.get(kept.name) ?? null, look);
        if (trouble !== null) troubles.set(kept.name, trouble);
      }
      const names = new Set(look.rules.map(({ name }) => name));
      for (const state of look.states) if (!names.has(state.rule)) await this.#end(state);
      for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
      if (clock.now_ms() - this.#removed_ms > REMOVE_MS) {
        await remove_old_changes(database);
        this.#removed_ms = clock.now_ms();
      }
    }
    this.#tell(troubles);
    const now = this.#wrote ? await read_states(database) : look.states;
    this.#standing = {
      rules: now.map(({ rule, course: { state } }) => ({ name: rule, phase: state.phase, since_us: state.since_us })),
      deliveries: look.deliveries,
      troubles,
    };
  }

  /** Says what is new among troubles. */
  #tell(troubles: ReadonlyMap<string, string>): void {
    for (const [rule, reason] of troubles) {
      if (this.#standing.troubles.get(rule) === reason) continue;
      this.#runtime.logger.log("warn", "a rule of alerts cannot be looked at; the others are", { rule, reason });
    }
  }

  /** Goes on with a rule; why it cannot, or null. */
  async #look_at(kept: KeptRule, state: KeptState | null, { head, now_us }: Look): Promise<string | null> {
    const { board, days } = this.#source;
    const read = read_rule(board, kept.definition);
    if (!read.ok) return read.faults.map(({ place, message }) => `${place}: ${message}`).join("; ");
    if (head.watermark_us === null) return null;
    const { rule: written } = read, rule: Rule = { ...written, silence_until_us: silent_until(written, kept) };
    const times = { watermark_us: head.watermark_us, recorded_us: head.recorded_at_us ?? now_us, now_us };
    const clock_us = clock_of(rule, times), end_us = last_end(rule, clock_us, days);
    const now_ms = this.#runtime.clock.now_ms(), seen = this.#seen.get(rule.name);
    const of = JSON.stringify([end_us, head.figures_id, kept.version, rule.silence_until_us, state?.revision]);
    if (seen?.of === of && (seen.position === head.position || now_ms - seen.at_ms < AGAIN_MS)) return null;
    const changes: Change[] = [];
    const first_us = first_window(rule, end_us, days);
    let course = state?.course ?? begin_at(first_us);
    if (state !== null && state.version !== kept.version) {
      const end = ended(course.state, "changed");
      if (end !== null) changes.push(end);
      course = begin_at(first_us);
    } else if (
      end_us < course.anchor_us ||
      more_than(MOST_BEHIND, rule, { from_us: course.through_us, to_us: end_us }, days)
    ) {
      course = begin_at(first_us, course.state);
    }
    try {
      const windows = await snapshot(
        this.#source.database,
        (reading) => read_windows(reading, this.#source, rule, windows_between(rule, course.anchor_us, end_us, days)),
        model_tables(board),
        STATEMENT_MS,
      );
      const next = advance(rule, course, windows, {
        fresh_us: now_us - rule.lag_us,
        settled_us: settled_before(clock_us, rule),
      });
      changes.push(...next.changes);
      const last = windows.at(-1) ?? null;
      const same = state !== null && state.version === kept.version && changes.length === 0 &&
        JSON.stringify(next.course) === JSON.stringify(state.course) &&
        (last === null || (last.figure === state.figure && last.then === state.then));
      if (!same) {
        await this.#write({
          rule: rule.name,
          definition: kept.definition,
          version: kept.version,
          revision: state?.revision ?? null,
          course: next.course,
          seen: last,
          changes,
        }, rule.send_to);
      }
      this.#seen.set(rule.name, { of, position: head.position, at_ms: now_ms });
      return null;
    } catch (error) {
      this.#runtime.signal.throwIfAborted();
      this.#seen.delete(rule.name);
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Ends what is known of a rule that is gone. */
  async #end({ rule, revision, version, course }: KeptState): Promise<void> {
    const change = ended(course.state, "removed"), changes = change === null ? [] : [change];
    await this.#write({ rule, definition: { name: rule }, version, revision, course: null, seen: null, changes }, null);
  }

  async #write(step: Step, send_to: readonly string[] | null): Promise<void> {
    const { database, receivers, noted } = this.#source;
    this.#wrote = true;
    const told = send_to === null ? receivers : receivers.filter((name) => send_to.includes(name));
    // Another program was faster: what it wrote is looked at the next time.
    if (!await database.transaction((tx) => write_step(tx, step, told))) return;
    for (const { from, to, why } of step.changes) {
      this.#runtime.logger.log(to === "firing" ? "warn" : "info", "alert", { rule: step.rule, from, to, why });
    }
    if (step.changes.length > 0) noted();
  }
}

function read_look({ database, now_us }: KeptAlerts): Promise<Look> {
  return snapshot(database, async (reading) => {
    const head = await read_head(reading);
    const [now] = await reading.query("select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us");
    const rules = await read_rules(reading), states = await read_states(reading);
    const deliveries = await read_deliveries(reading);
    return { head, now_us: now_us?.() ?? Number(now!.us), rules, states, deliveries };
  });
}

/** Windows that are read at a time. */
const PIECE = 500;

/** What came of a rule over a stretch. */
export interface Replayed {
  readonly rule: Rule;
  /** From the first window's start to the last one's end, microseconds; null: the log has no event. */
  readonly stretch: Micros | null;
  readonly windows: number;
  /** Windows whose value is not known. */
  readonly unknown: number;
  readonly changes: readonly Change[];
}

/**
 * What a rule would have done over the windows of a log, each looked at when event time had come to it, with the figures as they stand now.
 * @param length_us how far back from the newest event
 * @param seen hears how many windows were looked at
 */
export async function replay_rule(
  database: Database,
  domain: WatchedDomain,
  rule: Rule,
  length_us: number,
  { signal, seen }: { readonly signal: AbortSignal; readonly seen: (windows: number) => void },
): Promise<Replayed> {
  const { watermark_us } = await read_head(database);
  if (watermark_us === null) return { rule, stretch: null, windows: 0, unknown: 0, changes: [] };
  const end_us = last_end(rule, watermark_us, domain.days);
  const from_us = bucket_start(rule.window, watermark_us - length_us, domain.days);
  const all = windows_between(rule, from_us, end_us, domain.days), changes: Change[] = [];
  let course = begin_at(from_us), unknown = 0;
  for (let at = 0; at < all.length; at += PIECE) {
    signal.throwIfAborted();
    const piece = all.slice(at, at + PIECE);
    const windows = await snapshot(
      database,
      (reading) => read_windows(reading, domain, rule, piece),
      model_tables(domain.board),
    );
    // All are fresh, and closed.
    const next = advance(rule, course, windows, { fresh_us: -Infinity, settled_us: Infinity });
    changes.push(...next.changes);
    course = next.course;
    unknown += windows.filter(({ value }) => value === null).length;
    seen(piece.length);
  }
  return { rule, stretch: { from_us, to_us: end_us }, windows: all.length, unknown, changes };
}

/** The keys of a rule's filter that nothing in the log ever had, by dimension. */
export async function unseen_keys(
  database: Database,
  { board: given }: WatchedDomain,
  rule: Rule,
): Promise<{ readonly dimension: string; readonly keys: readonly string[] }[]> {
  const board = board_of(given, rule), unseen = [];
  for (const { dimension, keys } of rule.filter) {
    // Of persons the log may have aliases, which name nobody to who only reads.
    if ((board.persons ?? []).includes(dimension) || dimension_of(board, dimension) === null) continue;
    const rows = await database.query<{ key: string }>(
      `select asked.key from unnest($1::text[]) as asked(key)
       where not exists (select from ${all_time_of(board, dimension)} and key = asked.key)`,
      [text_array(keys)],
    );
    const missing = rows.map(({ key }) => key).filter((key) => key !== UNKNOWN);
    if (missing.length > 0) unseen.push({ dimension, keys: missing });
  }
  return unseen;
}
