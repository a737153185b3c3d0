import type { Days } from "../kpi/mod.ts";

/** The day of a business time zone that has a date's name, from its start to the start of the next, microseconds; null when the zone skipped that date. */
export function business_day(
  date: string,
  days: Days,
  time_zone: string,
): { readonly start_us: number; readonly end_us: number } | null {
  const name = new Intl.DateTimeFormat("en-US-u-ca-iso8601", {
    timeZone: time_zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  const date_of = (us: number): string => {
    const parts = new Map(name.formatToParts(us / 1000).map(({ type, value }) => [type, value] as const));
    return `${parts.get("year")?.padStart(4, "0")}-${parts.get("month")}-${parts.get("day")}`;
  };
  // Noon UTC lies in the wanted day or, in zones far from Greenwich, in the one beside it.
  const noon_us = Date.parse(`${date}T12:00:00Z`) * 1000;
  const day = days.day_of(noon_us);
  const beside = [day, days.day_of(day.start_us - 1), days.day_of(day.end_us)];
  return beside.find(({ start_us, end_us }) => date_of((start_us + end_us) / 2) === date) ?? null;
}
