import type { DomainEvent } from "../domains/mod.ts";
import type { Settlement } from "../event_log/mod.ts";
import type { SourceMessage } from "./message_source.ts";
import type { Plan } from "./plan.ts";
import type { Place } from "./working_stream.ts";

/** What became of a message: a tombstone or skipped; held while any of its events is, admitted when one of them was new. */
export interface MessageOutcome<Message extends SourceMessage> {
  readonly message: Message;
  status: Settlement["status"];
  fault: Settlement["fault"];
  /** Those admitted: several where a mapping made several of the message. */
  readonly events: DomainEvent[];
  /** Where its events lie: those admitted, and of duplicates the earlier event. */
  readonly places: Place[];
}

/** What a plan makes of the messages that it was made from, in their order. */
export function outcomes_of<Message extends SourceMessage>(
  messages: readonly Message[],
  plan: Pick<Plan, "outcomes" | "messages" | "events" | "earlier" | "quarantined">,
): MessageOutcome<Message>[] {
  const became = new Map<SourceMessage, MessageOutcome<Message>>(
    messages.map((message) => [message, { message, status: "duplicate", fault: null, events: [], places: [] }]),
  );
  let event = 0, duplicate = 0, fault = 0;
  for (const [i, message] of plan.messages.entries()) {
    const own = became.get(message)!;
    const outcome = plan.outcomes[i]!;
    switch (outcome) {
      case "quarantined":
        own.status = "held";
        own.fault ??= plan.quarantined[fault++]!;
        break;
      case "admitted":
        own.events.push(plan.events[event++]!);
        own.places.push({ ordinal: event });
        if (own.status !== "held") own.status = "admitted";
        break;
      case "tombstone":
      case "skipped":
        own.status = outcome;
        break;
      case "duplicate":
        own.places.push(plan.earlier[duplicate++]!);
    }
  }
  return [...became.values()];
}
