import assert from "node:assert/strict";
import type { DomainEvent } from "../../src/domains/mod.ts";
import type { QuarantinedMessage } from "../../src/event_log/mod.ts";
import type { Outcome, SourceMessage } from "../../src/ingest/mod.ts";
import { outcomes_of } from "../../src/ingest/plan.ts";

const messages = Array.from({ length: 7 }, (_, offset): SourceMessage => ({ offset } as SourceMessage));
const [whole, again, faulty, mixed, half, gone, skipped] = messages;
const line = (event_id: string) => ({ event_id } as DomainEvent);
const fault = (reason: string) => ({ reason } as QuarantinedMessage);

Deno.test("each message has what became of its events, in order, wherever they lie", () => {
  const outcomes: Outcome[] = [
    "admitted",
    "admitted",
    "duplicate",
    "quarantined",
    "duplicate",
    "admitted",
    "quarantined",
    "admitted",
    "tombstone",
    "skipped",
  ];
  const became = outcomes_of(messages, {
    outcomes,
    messages: [whole, whole, again, faulty, mixed, mixed, half, half, gone, skipped] as SourceMessage[],
    events: ["a", "b", "d", "f"].map(line),
    earlier: [{ position: 7 }, { ordinal: 1 }],
    quarantined: [fault("first"), fault("second")],
  });
  const told = became.map(({ message, status, fault, events, places }) => [
    message.offset,
    status,
    fault?.reason ?? null,
    events.map(({ event_id }) => event_id).join(""),
    places.map((place) => "position" in place ? place.position : `#${place.ordinal}`).join(" "),
  ]);
  assert.deepEqual(told, [
    [0, "admitted", null, "ab", "#1 #2"],
    [1, "duplicate", null, "", "7"],
    [2, "held", "first", "", ""],
    [3, "admitted", null, "d", "#1 #3"],
    [4, "held", "second", "f", "#4"],
    [5, "tombstone", null, "", ""],
    [6, "skipped", null, "", ""],
  ]);
});
