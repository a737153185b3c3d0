import { format_time } from "../kpi/mod.ts";
import { BEFORE_ALL_US, compare_points, type EqualRows, type Journal, Pace, type ReplayEvent } from "../replay/mod.ts";
import type { ExternalSort } from "../sort/mod.ts";
import { system_clock, wait } from "../runtime/mod.ts";
import { PauseKey } from "./pause_key.ts";
import { ProgressLine } from "./progress_line.ts";
import type { ReplaySink } from "./replay_sink.ts";
import type { Shell } from "./shell.ts";

/** How `tacho replay` runs event time. */
export interface SendOptions {
  /** How many times faster than the clock event time runs; Infinity: as fast as possible. */
  readonly speed: number;
  /** Length of a step, microseconds of event time. */
  readonly step?: number;
}

/** What is sent at once: one request to Kafka, so that requests on their way at the same time keep the order. */
const SLICE = { events: 1_000, characters: 300_000 };

/** Sends what is sorted, paced by the clock, until all has arrived. */
export async function send_replay(
  { signal }: Shell,
  sort: ExternalSort<ReplayEvent>,
  options: SendOptions,
  journal: Journal,
  equals: EqualRows,
  sink: ReplaySink,
): Promise<void> {
  const { resumed_after } = journal;
  const progress = new ProgressLine("send", sort.count, system_clock.now_ms);
  const pace = new Pace({ speed: options.speed, step_us: options.step ?? null });
  using key = new PauseKey(system_clock.now_ms, (paused) => progress.remark(paused ? "paused; space goes on" : ""));
  const sent_before = journal.sent;
  let told = 0;
  let slice: ReplayEvent[] = [];
  let characters = 0;
  let step = Number.NaN, in_step = 0;

  const flush = async () => {
    if (slice.length === 0) return;
    pace.held(await key.passed(signal));
    signal.throwIfAborted();
    await sink.send(slice);
    slice = [];
    characters = 0;
    progress.add(journal.sent - sent_before - told);
    told = journal.sent - sent_before;
  };
  const leave = async () => {
    await flush();
    if (options.step !== undefined && in_step > 0) {
      progress.note(`step ${step === BEFORE_ALL_US ? "without time" : format_time(step)}: ${in_step} messages`);
    }
    in_step = 0;
  };
  const enter = async (next: number) => {
    step = next;
    for (;;) {
      const ms = pace.due_in_ms(step, system_clock.now_ms());
      if (ms > 0) await wait(Math.min(ms, 60_000), signal);
      const held_ms = await key.passed(signal);
      if (held_ms > 0) pace.held(held_ms);
      else if (ms <= 60_000) return;
    }
  };
  try {
    for await (const events of sort.sorted()) {
      for (const each of events) {
        const event = equals.numbered(each);
        // Of the instant where an earlier process stopped all is sorted again, so that equal rows have their numbers.
        if (resumed_after !== null && compare_points(event, resumed_after) <= 0) continue;
        const next = pace.step_of(event.at_us);
        if (next !== step) {
          await leave();
          await enter(next);
        }
        slice.push(event);
        in_step++;
        characters += event.key.length + event.value.length;
        if (slice.length >= SLICE.events || characters >= SLICE.characters) await flush();
      }
    }
    await leave();
    await sink.drain();
  } finally {
    progress.add(journal.sent - sent_before - told);
    progress.end();
  }
}
