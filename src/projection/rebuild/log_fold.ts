import type { Queryable } from "../../database/mod.ts";
import { type Domain, parse_json } from "../../domains/mod.ts";
import {
  type ArrivedEvent,
  fold_arrivals,
  type FoldableEvent,
  positions_before,
  read_at,
} from "../../event_log/mod.ts";
import { type CellChanges, comes_after, type Contribution } from "../../kpi/mod.ts";

/** A stream as it stands in the course of the log. */
interface Stream {
  /** Its events so far, in order of arrival. */
  readonly events: ArrivedEvent[];
  state: unknown;
  last_us: number;
  last_event_id: string;
}

/** What an event made of its stream. */
export interface FoldedStep {
  readonly event: FoldableEvent;
  /** What the stream added to the cells before; null: it began with the event. */
  readonly before: Contribution | null;
  readonly after: Contribution;
  readonly state: unknown;
  /** Time and id of the stream's last event in order of (time, event id). */
  readonly last_us: number;
  readonly last_event_id: string;
}

/** How a page is taken in. */
interface Taking {
  /** Ordinals count from this position. */
  readonly before_first: number;
  /** Hears of each event what it made of its stream. */
  readonly heard?: (step: FoldedStep) => void;
  /** Streams that have an event after this position are kept: their rows do not have it yet. Absent: all rows have all. */
  readonly written?: number;
}

/** An event of the log that the domain refuses by now: the log cannot be folded past it. */
export class RefusedEvent extends Error {
  override readonly name = "RefusedEvent";
}

/** Events of streams that are kept for those that follow: about 100 MB. */
const KEPT_EVENTS = 200_000;

/**
 * Folds the log event by event, as ingest did when they came, and tells what each changed in the cells. Streams that were met of late are kept,
 * within a bound; of others the earlier events are read when another one comes, by the positions that their rows in the domain's state table have.
 */
export class LogFold {
  readonly #domain: Domain;
  readonly #kept_events: number;
  /** The longest not met is first. */
  readonly #streams = new Map<string, Stream>();
  #held = 0;

  constructor(domain: Domain, kept_events = KEPT_EVENTS) {
    this.#domain = domain;
    this.#kept_events = kept_events;
  }

  /**
   * Takes in the events that follow.
   * @param page in order of position, none left out
   * @param changes gathers what they change
   * Throws RefusedEvent.
   */
  async take(
    reading: Queryable,
    page: readonly FoldableEvent[],
    changes: CellChanges,
    { before_first, heard, written = Infinity }: Taking,
  ): Promise<void> {
    await this.#open(reading, page);
    const domain = this.#domain;
    for (const event of page) {
      const arrived = this.#arrived(event, event.content);
      const stream = this.#streams.get(event.stream_id);
      const before = stream === undefined ? null : domain.contribution(stream.state);
      let changed: Stream;
      if (stream === undefined) {
        changed = {
          events: [arrived],
          state: domain.fold(domain.initial, arrived),
          last_us: event.occurred_at_us,
          last_event_id: event.event_id,
        };
      } else {
        changed = stream;
        stream.events.push(arrived);
        if (comes_after(event.occurred_at_us, event.event_id, stream.last_us, stream.last_event_id)) {
          stream.state = domain.fold(stream.state, arrived);
          stream.last_us = event.occurred_at_us;
          stream.last_event_id = event.event_id;
        } else {
          stream.state = fold_arrivals(domain, stream.events).states.at(-1);
        }
        this.#streams.delete(event.stream_id);
      }
      this.#streams.set(event.stream_id, changed);
      this.#held++;
      const { state, last_us, last_event_id } = changed, after = domain.contribution(state);
      changes.replace(before, after, event.position - before_first);
      heard?.({ event, before, after, state, last_us, last_event_id });
    }
    for (const [stream_id, { events }] of this.#streams) {
      if (this.#held <= this.#kept_events || events.at(-1)!.position > written) break;
      this.#streams.delete(stream_id);
      this.#held -= events.length;
    }
  }

  #arrived(
    { position, stream_id, event_id, type, occurred_at_us, schema_version }: Omit<FoldableEvent, "content">,
    content: Readonly<Record<string, unknown>>,
  ): ArrivedEvent {
    const payload = this.#domain.parse(type, schema_version, content);
    if (!payload.ok) throw new RefusedEvent(`event ${position} is refused today: ${payload.fault.detail}`);
    return { position, stream_id, event_id, type, occurred_at_us, payload: payload.value };
  }

  /** Reads the earlier events of streams of a page that began before it and are not kept. */
  async #open(reading: Queryable, page: readonly FoldableEvent[]): Promise<void> {
    const first = page[0]?.position ?? 0, begun = new Set<string>();
    for (const { stream_id, revision } of page) {
      if (revision > 1 && !this.#streams.has(stream_id)) begun.add(stream_id);
    }
    // Those that begin in the page itself have no earlier events: they are not found below.
    if (begun.size === 0) return;
    const positions = await positions_before(reading, this.#domain, [...begun], first);
    const earlier = (await read_at(reading, positions)).map((event) =>
      this.#arrived(event, parse_json(event.data) as Record<string, unknown>)
    );
    for (const [stream_id, events] of Map.groupBy(earlier, (event) => event.stream_id)) {
      const { states, last } = fold_arrivals(this.#domain, events);
      const state = states.at(-1);
      const { occurred_at_us: last_us, event_id: last_event_id } = last;
      this.#streams.set(stream_id, { events: [...events], state, last_us, last_event_id });
      this.#held += events.length;
    }
  }
}
