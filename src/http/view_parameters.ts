import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../domains/mod.ts";
import { absolute_fault, COMPARISONS, type FilterFault, RANGE_NAMES, read_filter, type View } from "../feed/mod.ts";
import { filterable } from "./filter_parameters.ts";
import { instant } from "./parameters.ts";

/** The parameters of a view, as the feed and the board take them. */

/** The parameters that name a stretch of event time and what it is compared with. */
export const SPAN_PARAMETERS = {
  range: z.enum(RANGE_NAMES).optional().openapi({
    description: "So long up to `to`, or up to now; an hour unless given",
  }),
  from: instant.optional(),
  to: instant.optional(),
  compare: z.enum(COMPARISONS).default("weekday").openapi({ description: "What the chart's second line is" }),
};

/** The values of `SPAN_PARAMETERS`, read. */
export type SpanValues = z.output<z.ZodObject<typeof SPAN_PARAMETERS>>;

/**
 * The view that a request asks for: `range` up to `to` or up to now (an hour when nothing is named), or all from `from`
 * to `to`.
 */
export function read_view(
  { range, from, to, compare }: SpanValues,
  request: Request,
  board: DomainBoard,
): { readonly ok: true; readonly view: View } | { readonly ok: false; readonly faults: readonly FilterFault[] } {
  const faults: FilterFault[] = [];
  if (from !== undefined && range !== undefined) {
    faults.push({ path: "range", detail: "expected either range or from and to, got both" });
  } else if (from !== undefined && to === undefined) {
    faults.push({ path: "to", detail: "expected both from and to" });
  } else if (from !== undefined && to !== undefined) {
    const fault = absolute_fault(from / 1e6, to / 1e6);
    if (fault !== null) faults.push({ path: "to", detail: fault });
  }
  const filtered = read_filter(new URL(request.url).searchParams, filterable(board));
  if (!filtered.ok) return { ok: false, faults: [...faults, ...filtered.faults] };
  if (faults.length > 0) return { ok: false, faults };
  const { filter } = filtered;
  const to_s = to === undefined ? null : to / 1e6;
  return from !== undefined && to_s !== null
    ? { ok: true, view: { range: "custom", from_s: from / 1e6, to_s, filter, compare } }
    : { ok: true, view: { range: range ?? "1h", to_s, filter, compare } };
}
