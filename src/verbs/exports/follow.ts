import {
  type DailyExport,
  days_changed,
  type ExportPlace,
  FolderPlace,
  PlaceUnusable,
  S3Place,
  write_day,
} from "../../export/mod.ts";
import { type Config, ConfigError, Paced, type Runtime, system_clock, told_once } from "../../runtime/mod.ts";

/** The place that a text says: a folder, or `s3://bucket/prefix`, with the S3 access of the configuration. Throws PlaceUnusable. */
export function place_of(text: string, config: Config): ExportPlace {
  if (!/^[a-z0-9]+:\/\//i.test(text)) return new FolderPlace(text, system_clock.now_ms);
  return new S3Place(text, {
    access_key_id: config.s3_access_key_id,
    secret_access_key: config.s3_secret_access_key,
    session_token: config.s3_session_token,
    region: config.s3_region,
    endpoint: config.s3_endpoint,
  });
}

/** The place that a variable of the configuration names. Throws ConfigError. */
export function configured_place(variable: string, text: string, config: Config): ExportPlace {
  try {
    return place_of(text, config);
  } catch (error) {
    throw error instanceof PlaceUnusable ? new ConfigError([`${variable}: ${error.message}`]) : error;
  }
}

/** How often it is looked whether something changed. */
const LOOK_MS = 1_000;

/**
 * Keeps the documents of all whole days up to date, until the signal: those of days that anything lies in at once, then those that a late event
 * changed, and each day when it has ended. A place or a database that is away is waited for; ingest never is. Rejects with the signal's
 * reason, or PlaceUnusable where that would stay so however often it is tried.
 * @param heard hears of each day that was looked at
 */
export async function follow_days(
  runtime: Runtime,
  source: DailyExport,
  heard: (date: string, outcome: "written" | "unchanged") => void,
): Promise<never> {
  const { signal, logger } = runtime;
  let since: Parameters<typeof days_changed>[1] = { position: 0, ended_ms: -Infinity };
  const pace = new Paced(runtime, { gap_ms: LOOK_MS, first_ms: LOOK_MS, cap_ms: 60_000 });
  for (;;) {
    await pace.pause(signal);
    since = await pace.until_done(signal, async () => {
      const looked_ms = source.now_ms();
      const { dates, position, figures_id } = await days_changed(source, since);
      for (const date of dates) {
        signal.throwIfAborted();
        heard(date, await write_day(source, date));
      }
      return { position, figures_id, ended_ms: looked_ms };
    }, {
      passes: (error) => !(error instanceof PlaceUnusable),
      ...told_once(logger, "days cannot be exported", "days are exported again"),
    });
  }
}

/** Where the documents of a domain's days are kept while it is served; null: nowhere. @param base the path of the domain; throws ConfigError */
export function export_of(config: Config, base: string): ExportPlace | null {
  const { export_daily } = config;
  return export_daily === null
    ? null
    : configured_place("TACHO_EXPORT_DAILY", `${export_daily.replace(/\/+$/, "")}${base}`, config);
}

/** Keeps the days of a served domain exported where the configuration asks for it, until the signal. Pages and ingest go on without it: that it ended is said. */
export async function keep_exported(
  runtime: Runtime & { readonly config: Config },
  base: string,
  source: Omit<DailyExport, "place" | "now_ms">,
): Promise<void> {
  const place = export_of(runtime.config, base);
  if (place === null || source.board.daily === undefined) return;
  try {
    await follow_days(runtime, { ...source, place, now_ms: system_clock.now_ms }, () => {});
  } catch (error) {
    if (!runtime.signal.aborted) runtime.logger.log("error", "days are not exported any more", { reason: error });
  }
}
