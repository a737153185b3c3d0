import { z } from "zod";

/** How long cells of minutes and of five minutes are kept, days; one that is not named: for ever. */
export interface KeptDays {
  readonly "1m"?: number;
  readonly "5m"?: number;
}

const MOST_DAYS = 36_500;

/** Reads `1m:90d,5m:365d`, or `off`: all are kept for ever. What is wrong, as text, where it is neither. */
export function parse_kept_days(text: string): KeptDays | string {
  if (text === "off") return {};
  const ages: { "1m"?: number; "5m"?: number } = {};
  for (const part of text.split(",").map((each) => each.trim())) {
    const [, grain, age = ""] = /^(1m|5m):(\d{1,5})d$/.exec(part) ?? [];
    if (grain !== "1m" && grain !== "5m") {
      return `expected off, or 1m and 5m with days, such as 1m:90d,5m:365d; ${JSON.stringify(part)} is none of it` +
        (/^(1h|1d|all)(:|$)/.test(part) ? ": hours, days and all of time are kept for ever" : "");
    }
    const days = Number(age);
    if (ages[grain] !== undefined) return `names ${grain} twice`;
    if (days < 1 || days > MOST_DAYS) return `expected 1 to ${MOST_DAYS} days of ${grain}`;
    ages[grain] = days;
  }
  const { "1m": minutes, "5m": fives } = ages;
  if (fives !== undefined && (minutes === undefined || minutes > fives)) {
    const kept = minutes === undefined ? "for ever" : `for ${minutes} days`;
    return `expected 1m to be kept no longer than 5m, which is for ${fives} days, not ${kept}`;
  }
  return ages;
}

/** The setting of it. */
export const kept_days = z.string().transform((text, context): KeptDays => {
  const ages = parse_kept_days(text);
  if (typeof ages !== "string") return ages;
  context.addIssue({ code: "custom", message: ages });
  return z.NEVER;
});
