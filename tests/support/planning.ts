import type { Domain } from "../../src/domains/mod.ts";
import type { RecordedEvent, StreamState } from "../../src/event_log/mod.ts";
import { type Admitted, type Decoded, type Plan, Planning } from "../../src/ingest/mod.ts";
import type { Days } from "../../src/kpi/mod.ts";

/** What a batch comes to that is planned in one slice. */
export function plan<Payload, State>(
  domain: Domain<Payload, State>,
  { decoded, streams, stored, days, watermark_us, admitted = () => {} }: {
    readonly decoded: readonly Decoded<Payload>[];
    readonly streams: ReadonlyMap<string, StreamState<State>>;
    readonly stored: ReadonlyMap<number, RecordedEvent>;
    readonly days: Days;
    readonly watermark_us: number | null;
    readonly admitted?: Admitted;
  },
): Plan<State> {
  const planning = new Planning<Payload, State>(domain, days, watermark_us, admitted);
  planning.add(decoded, streams, stored);
  return planning.finish();
}
