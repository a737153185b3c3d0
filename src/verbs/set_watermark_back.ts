import { read_head, set_watermark_back, spoilt_watermark, type SpoiltWatermark } from "../event_log/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { decode_limits, open_log } from "./open.ts";
import type { Shell } from "./shell.ts";

/** Options of `tacho watermark`, as the command line gives them. */
export interface WatermarkOptions {
  readonly by: string;
  readonly reason: string;
  readonly dryRun: boolean;
  /** Microseconds; now and the future limit unless given. */
  readonly notAfter?: number;
}

const told = ({ from_us, to_us, events }: SpoiltWatermark): string =>
  `event time goes back from ${format_time(from_us)} to ${to_us === null ? "none" : format_time(to_us)}; ` +
  `${events} ${events === 1 ? "event" : "events"} later than that ${events === 1 ? "stays" : "stay"} in the log`;

/**
 * `tacho watermark`: sets event time back to the greatest that is believed, after events of a wrong clock were admitted that lie years
 * ahead. A program that is running goes on by itself.
 */
export async function watermark_verb(shell: Shell, options: WatermarkOptions): Promise<void> {
  const { by, reason, dryRun, notAfter } = options;
  const now_us = system_clock.now_ms() * 1000;
  const latest_us = notAfter ?? now_us + decode_limits(shell.config).future_limit_ms * 1000;
  const { database } = await open_log(shell);
  try {
    const found = dryRun
      ? await spoilt_watermark(database, latest_us)
      : await set_watermark_back(database, { latest_us, by, reason }, now_us);
    if (found === null) {
      const { watermark_us } = await read_head(database);
      const reached = watermark_us === null
        ? "the log has no event"
        : `event time has come to ${format_time(watermark_us)}`;
      console.log(`nothing to set back: ${reached}, and up to ${format_time(latest_us)} is believed`);
    } else if ("batch" in found) console.log(`set back in batch ${found.batch}: ${told(found)}`);
    else console.log(`would set back: ${told(found)}`);
  } finally {
    await database.close();
  }
}
