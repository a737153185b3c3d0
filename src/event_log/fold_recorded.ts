import { type Domain, parse_json, type Validation } from "../domains/mod.ts";
import type { RecordedEvent } from "./read.ts";

/** What folding recorded events takes: the order they are folded in, and what a stored one says. Pure. */

/** Whether (time, id) comes after another in the order in which a stream is folded. */
export const comes_after = (us: number, id: string, last_us: number, last_id: string): boolean =>
  us > last_us || (us === last_us && id > last_id);

/** The payload of a recorded event, read as if it came today; the fault when the domain refuses by now what it once admitted. */
export function recorded_payload<Payload>(
  domain: Pick<Domain<Payload, never>, "parse">,
  event: Pick<RecordedEvent, "type" | "schema_version" | "data">,
): Validation<Payload> {
  return domain.parse(event.type, event.schema_version, parse_json(event.data) as Record<string, unknown>);
}
