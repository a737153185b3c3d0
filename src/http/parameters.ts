import { z } from "@hono/zod-openapi";
import { date_of_day, parse_time } from "../kpi/mod.ts";

/** Parameters that several endpoints take, each parsed once, at the edge. */

/** An RFC 3339 instant, as microseconds since the Unix epoch. */
export const instant = z.string().transform((text, context) => {
  // A plus sign that was not percent-encoded arrives as a space.
  const parsed = parse_time(text.replace(/ (?=\d\d:\d\d$)/, "+"));
  if (parsed.ok) return parsed.us;
  context.addIssue({
    code: "custom",
    message: `expected an RFC 3339 time with zone such as 2026-03-01T09:00:00Z, got ${JSON.stringify(text)}`,
  });
  return z.NEVER;
}).openapi({ description: "An RFC 3339 time with zone", example: "2026-03-01T09:00:00Z" });

/** A calendar date that exists, `YYYY-MM-DD`. */
export const calendar_date = z.string().refine((text) => {
  const ms = Date.parse(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(ms) && date_of_day(ms / 86_400_000) === text;
}, "expected a date such as 2026-03-01").openapi({
  description: "A date of the business time zone",
  example: "2026-03-01",
});

/** A whole number from 1, with a most and a default. */
export const limit = (most: number, fallback: number) =>
  z.coerce.number().int().min(1).max(most).default(fallback).openapi({ description: "At most so many rows" });

/** A position in the log; 0 is before the first event. */
export const position = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
  .openapi({ description: "A position in the log; 0 is before the first event", example: 120_934 });

/** Where a page goes on: the position that all pages are as of, and the one before which this one begins. */
export interface Cursor {
  readonly pinned: number;
  readonly before: number;
}

/** Makes an opaque cursor. */
export function format_cursor(pinned: number, before: number): string {
  return btoa(`p${pinned}.${before}`).replaceAll("=", "");
}

/** A cursor that a page before gave. */
export const cursor = z.string().transform((text, context): Cursor => {
  const [, pinned, before] = /^p(\d{1,15})\.(\d{1,15})$/.exec(decode_base64(text)) ?? [];
  if (pinned !== undefined && before !== undefined) return { pinned: Number(pinned), before: Number(before) };
  context.addIssue({ code: "custom", message: "expected a cursor as a page before gave it" });
  return z.NEVER;
}).openapi({ description: "`next_cursor` of the page before" });

function decode_base64(text: string): string {
  return /^[A-Za-z0-9+/]{0,44}$/.test(text) && text.length % 4 !== 1 ? atob(text) : "";
}
