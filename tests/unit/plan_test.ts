import assert from "node:assert/strict";
import fc from "fast-check";
import { type Trip, trips_domain } from "../../src/domains/trips/mod.ts";
import type { RecordedEvent, StreamState } from "../../src/event_log/mod.ts";
import {
  type Admitted,
  decode_message,
  MAX_STREAM_EVENTS,
  type Plan,
  Planning,
  type SourceMessage,
} from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { plan } from "../support/planning.ts";
import { expected, partitioned, whole_trip } from "../support/trip_events.ts";
import { message, TERMS } from "../support/trip_pipeline.ts";

const DOMAIN = trips_domain({ currency: "USD" });
const decoded_of = (messages: readonly SourceMessage[]) =>
  messages.map((each) => ({ message: each, outcome: decode_message(DOMAIN, TERMS, each) }));

/** A log in memory: plans batch after batch and gives a plan only what `survey` asked for. */
class MemoryLog {
  readonly streams = new Map<string, StreamState>();
  readonly events = new Map<number, RecordedEvent>();
  watermark_us: number | null = null;

  /** @param slice messages that are planned at a time */
  constructor(readonly slice = Infinity) {}

  plan(messages: readonly SourceMessage[]): Plan {
    const written: Pick<RecordedEvent, "revision" | "metadata">[] = [];
    const planning = this.planning((_, revision, metadata) => written.push({ revision, metadata }));
    for (let at = 0; at < messages.length; at += this.slice) {
      const decoded = decoded_of(messages.slice(at, at + this.slice));
      const { positions, unsettled } = planning.survey(decoded, this.streams);
      assert.equal(unsettled, false);
      planning.add(decoded, this.streams, new Map(positions.map((position) => [position, this.events.get(position)!])));
    }
    const planned = planning.finish();
    assert.equal(
      planned.messages_read,
      planned.events.length + planned.duplicates + planned.quarantined.length + planned.tombstones + planned.skipped,
    );
    const before_first = this.events.size;
    for (const [i, event] of planned.events.entries()) {
      const position = before_first + i + 1;
      this.events.set(position, { ...event, ...written[i]!, position, recorded_at_us: 0 });
    }
    for (const { stream_id, ordinals, hashes, expected_revision, ...change } of planned.streams) {
      const before = this.streams.get(stream_id);
      assert.equal(expected_revision, before?.revision ?? 0);
      assert.equal(change.revision, expected_revision + ordinals.length);
      this.streams.set(stream_id, {
        ...change,
        positions: [...before?.positions ?? [], ...ordinals.map((ordinal) => before_first + ordinal)],
        hashes: [...before?.hashes ?? [], ...hashes],
      });
    }
    const { newest_us } = planned;
    if (newest_us !== null && newest_us > (this.watermark_us ?? -Infinity)) this.watermark_us = newest_us;
    return planned;
  }

  planning(admitted: Admitted = () => {}) {
    return new Planning(DOMAIN, days_in("UTC"), this.watermark_us, admitted);
  }
}
const messages_of = (events: readonly unknown[]) => events.map((each, offset) => message(offset, each));
const planned = (...events: unknown[]) => new MemoryLog().plan(messages_of(events));
const minute = (minutes: number) => new Date(Date.UTC(2026, 2, 1, 4) + minutes * 60_000).toISOString();

Deno.test("any batching, in slices or not, ends in the same events, states and counts, and survey asks for all that a plan needs", () => {
  const batches = fc.array(fc.nat(60), { maxLength: 6 });
  fc.assert(
    fc.property(
      partitioned(1, { maxLength: 60 }),
      batches,
      fc.integer({ min: 1, max: 9 }),
      ([messages], places, slice) => {
        const whole = new MemoryLog(), parts = new MemoryLog(slice);
        const { duplicates, quarantined, late } = whole.plan(messages!);
        const cuts = [...new Set([0, ...places.map((place) => place % messages!.length), messages!.length])].sort((
          a,
          b,
        ) => a - b);
        const plans = cuts.slice(1).map((end, i) => parts.plan(messages!.slice(cuts[i]!, end)));
        assert.deepEqual(parts.streams, whole.streams);
        assert.deepEqual(parts.events, whole.events);
        assert.equal(parts.watermark_us, whole.watermark_us);
        const sum = (count: (each: Plan) => number) => plans.reduce((total, each) => total + count(each), 0);
        assert.equal(sum((each) => each.duplicates), duplicates);
        assert.equal(sum((each) => each.late), late);
        assert.deepEqual(plans.flatMap((each) => each.quarantined), quarantined);
        const wanted = expected([messages!]);
        assert.equal(duplicates, wanted.duplicates);
        assert.deepEqual(
          quarantined.map(({ offset }) => BigInt(offset)),
          wanted.quarantined.map(({ offset }) => offset),
        );
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("any order of a trip's events ends in the same trip", () => {
  const [requested, started, completed] = whole_trip("T", { city: "Chicago" });
  const others = [
    { ...completed, event_id: "d", type: "trip.fare_adjusted", fare: "3.00", occurred_at: minute(400) },
    // The same time as another: the larger id wins.
    { ...started, event_id: "bb", city: "Boston" },
    { ...requested, event_id: "x", type: "trip.canceled", reason: "late", occurred_at: minute(-5) },
  ];
  const events = [requested, started, completed, ...others];
  const last = planned(...events).streams[0]!.state as Trip;
  assert.equal(last.city, "Chicago", "the completion names it last");
  assert.equal(last.cancel_reason, "late");
  fc.assert(fc.property(fc.shuffledSubarray(events, { minLength: events.length }), fc.nat(6), (order, cut) => {
    const log = new MemoryLog();
    log.plan(messages_of(order.slice(0, cut)));
    log.plan(messages_of(order.slice(cut)));
    const { state, last_us, last_event_id } = log.streams.get("T")!;
    assert.deepEqual(state, last);
    assert.deepEqual([new Date(last_us / 1000).toISOString(), last_event_id], [minute(400), "d"]);
  }));
});

Deno.test("equal times: the larger event id comes later, compared by code point, as the database compares it", () => {
  const at = { type: "trip.requested", trip_id: "T", occurred_at: minute(0) };
  for (const [less, more] of [["9", "a"], ["Z", "a"], ["10", "9"], ["a", "aa"], ["\uffff", "\ud83d\ude97"]] as const) {
    const events = [{ ...at, event_id: less, city: "less" }, { ...at, event_id: more, city: "more" }];
    for (const order of [events, events.toReversed()]) {
      assert.equal((planned(...order).streams[0]!.state as Trip).city, "more");
    }
  }
});

Deno.test("the same event again is a duplicate; the same id with other content is set aside at stage plan", () => {
  const [requested, started] = whole_trip("T");
  const { events, duplicates, quarantined } = planned(requested, requested, { ...requested, city: "x" }, started, {
    ...started,
    trip_id: "U",
  });
  assert.deepEqual([events.length, duplicates], [3, 1]);
  const [fault] = quarantined;
  assert.deepEqual([fault!.stage, fault!.reason, fault!.path, fault!.offset], [
    "plan",
    "identity_conflict",
    "event_id",
    2,
  ]);
  assert.match(fault!.detail, /"a" of "T" is in the log with other content/);
});

Deno.test("a plan says of each message what became of it, where a duplicate's earlier event lies, and how far event time came", () => {
  const [requested, started] = whole_trip("T");
  const log = new MemoryLog();
  const first = log.plan(messages_of([requested, requested, { ...requested, city: "x" }, "bad", started]));
  assert.deepEqual(first.outcomes, ["admitted", "duplicate", "quarantined", "quarantined", "admitted"]);
  assert.deepEqual(first.earlier, [{ ordinal: 1 }]);
  assert.equal(first.newest_us, Date.parse(String(started!.occurred_at)) * 1000);
  const second = log.plan(messages_of([started, requested]));
  assert.deepEqual(second.outcomes, ["duplicate", "duplicate"]);
  assert.deepEqual(second.earlier, [{ position: 2 }, { position: 1 }]);
  assert.deepEqual(second.streams, [], "nothing of the stream changes");
  assert.equal(second.newest_us, null, "it admits nothing");
  const [before] = whole_trip("U");
  assert.equal(log.plan(messages_of([before])).newest_us, Date.parse(String(before!.occurred_at)) * 1000, "its own");
});

Deno.test("an event that comes in order and is new needs nothing that is stored; one of before, or known by its hash, needs all of its stream", () => {
  const [requested, started, completed] = whole_trip("T");
  const log = new MemoryLog();
  log.plan(messages_of([requested, started]));
  const needed = (...events: unknown[]) =>
    log.planning().survey(decoded_of(messages_of(events)), log.streams).positions;
  assert.deepEqual(needed(completed), []);
  assert.deepEqual(needed(started), [1, 2]);
  assert.deepEqual(needed({ ...completed, occurred_at: minute(-90) }), [1, 2]);
});

Deno.test("a stream that needs a stored event which is refused by now is not folded without it", () => {
  const [requested, started] = whole_trip("T");
  const log = new MemoryLog();
  log.plan(messages_of([started]));
  log.events.set(1, { ...log.events.get(1)!, data: '{"pickup_lat":"north"}' });
  assert.throws(() => log.plan(messages_of([requested])), /fold stream "T": stored event 1 is refused/);
});

Deno.test(`a stream takes ${MAX_STREAM_EVENTS} events; the next is set aside, a duplicate of one is still a duplicate`, () => {
  const events = Array.from({ length: MAX_STREAM_EVENTS + 1 }, (_, n) => ({
    type: "trip.requested",
    trip_id: "T",
    event_id: `e${n}`,
    occurred_at: minute(n / 60),
  }));
  const log = new MemoryLog();
  const { quarantined } = log.plan(messages_of(events));
  assert.deepEqual(quarantined.map(({ reason, offset }) => [reason, offset]), [["stream_full", MAX_STREAM_EVENTS]]);
  const again = log.plan(messages_of([events[0], events[MAX_STREAM_EVENTS], { ...events[0], trip_id: "U" }]));
  assert.deepEqual([again.duplicates, again.quarantined.length, again.events.length], [1, 1, 1]);
});

Deno.test("late is what comes for a minute that is closed: the allowance after the greatest event time has passed", () => {
  const at = (minutes: number, id: string) => ({
    type: "trip.requested",
    trip_id: id,
    event_id: id,
    occurred_at: minute(minutes),
  });
  const count = (...minutes: number[]) => planned(...minutes.map((each, i) => at(each, `T${i}`))).late;
  assert.equal(count(0, -100), 1);
  assert.equal(count(14.99, 9), 0, "its minute is open until the watermark is 5 minutes past its end");
  assert.equal(count(15, 9.99), 1);
  assert.equal(count(15, 10), 0);
  assert.equal(count(-100, 0, 1), 0, "the first event of all is never late");
  const log = new MemoryLog();
  log.plan(messages_of([at(10, "A")]));
  assert.equal(log.plan(messages_of([at(3, "B"), at(4, "C")])).late, 2, "the watermark is the log's, not the batch's");
  assert.equal(new Date(log.watermark_us! / 1000).toISOString(), minute(10));
});

Deno.test("a stored event that was asked for and not found is a surprise, not a guess", () => {
  const log = new MemoryLog();
  const [requested, started] = whole_trip("T");
  log.plan(messages_of([started]));
  log.events.clear();
  const without = {
    decoded: decoded_of(messages_of([requested])),
    streams: log.streams,
    stored: new Map(),
    days: days_in("UTC"),
    watermark_us: null,
  };
  assert.throws(() => plan(DOMAIN, without), /plan: event 1 of "T" was not loaded/);
});

Deno.test("planning changes nothing of what it is given: twice gives the same", () => {
  const log = new MemoryLog();
  const [requested, started, completed] = whole_trip("T");
  log.plan(messages_of([started]));
  const decoded = decoded_of(messages_of([completed, requested, "bad"]));
  const input = {
    decoded,
    streams: log.streams,
    stored: log.events,
    days: days_in("UTC"),
    watermark_us: log.watermark_us,
  };
  const before = structuredClone({ streams: input.streams, stored: input.stored });
  const { changes: _, ...first } = plan(DOMAIN, input);
  const { changes: __, ...second } = plan(DOMAIN, input);
  assert.deepEqual(second, first);
  assert.deepEqual({ streams: input.streams, stored: input.stored }, before);
});

Deno.test("tombstones are read, and neither faults nor events; what is around them is planned", () => {
  const tombstone = (offset: number): SourceMessage => ({ ...message(offset, ""), value: null });
  const log = new MemoryLog();
  const { outcomes, messages_read, tombstones, events, quarantined } = log.plan([
    tombstone(0),
    message(1, { event_id: "a", type: "trip.requested", trip_id: "T", occurred_at: "2026-03-01T10:00:00Z" }),
    tombstone(2),
    message(3, "bad"),
    tombstone(4),
  ]);
  assert.deepEqual(outcomes, ["tombstone", "admitted", "tombstone", "quarantined", "tombstone"]);
  assert.deepEqual([messages_read, tombstones, events.length, quarantined.length], [5, 3, 1, 1]);
  const only = log.plan([tombstone(5)]);
  assert.deepEqual([only.messages_read, only.tombstones, only.newest_us], [1, 1, null]);
});
