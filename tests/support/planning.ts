import type { Domain } from "../../src/domains/mod.ts";
import type { RecordedEvent, StreamState } from "../../src/event_log/mod.ts";
import { type Admitted, type Decoded, type Plan, Planning } from "../../src/ingest/mod.ts";
import type { Days } from "../../src/kpi/mod.ts";

/** What a batch comes to that is planned in one slice. */
export function plan(
  domain: Domain,
  { decoded, streams, stored, days, watermark_us, admitted = () => {} }: {
    readonly decoded: readonly Decoded[];
    readonly streams: ReadonlyMap<string, StreamState>;
    readonly stored: ReadonlyMap<number, RecordedEvent>;
    readonly days: Days;
    readonly watermark_us: number | null;
    readonly admitted?: Admitted;
  },
): Plan {
  const planning = new Planning(domain, days, watermark_us, admitted);
  planning.add(decoded, streams, stored);
  return planning.finish();
}
