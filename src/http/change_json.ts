import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import type { StreamStep } from "../projection/mod.ts";
import { fields_json } from "./state_json.ts";

/** What an event's arrival changed, as the API gives it. */

const VALUE = z.union([z.string(), z.number(), z.null()]);

export const CHANGE = z.object({
  position: z.number().openapi({ description: "Of the event" }),
  status: z.object({ before: z.string().nullable(), after: z.string() }),
  fields: z.array(z.object({ name: z.string(), before: VALUE, after: VALUE })),
  cells: z.array(z.object({
    dimension: z.string(),
    key: z.string(),
    bucket: z.string().openapi({ description: "Its start; of grain all the epoch" }),
    grain: z.string(),
    measures: z.record(z.string(), z.number()).openapi({
      description:
        "Differences of the sums and counts, in the units of the cells: micros of the currency, metres, milliseconds",
    }),
  })).openapi({ description: "The figures it moved, of the finest grain of each dimension; extremes are not told" }),
}).openapi("TripChange");

/** Writes a step of a trip's history as JSON. Sums go through digit by digit: micros outgrow a double. */
export function change_json(
  { position, before, after, cells }: StreamStep,
  board: Pick<DomainBoard, "fields" | "measures">,
): string {
  const known = before === null ? null : fields_json(board.fields, before), now = fields_json(board.fields, after);
  const fields = Object.entries(now)
    .map(([name, value]) => ({ name, before: known?.[name] ?? null, after: value }))
    .filter((field) => field.name !== "status" && field.before !== field.after);
  const status = { before: known?.status ?? null, after: now.status };
  const moved = cells.flatMap(({ dimension, key, bucket_us, grain, change }) => {
    // Extremes are no sums: theirs is always 0.
    const sums = board.measures.map(({ name }, m) => ({ name, sum: change.sum(m) })).filter(({ sum }) =>
      Number(sum) !== 0
    )
      .map(({ name, sum }) => `${JSON.stringify(name)}:${sum}`);
    if (sums.length === 0) return [];
    const cell = JSON.stringify({ dimension, key, bucket: format_time(bucket_us), grain });
    return [`${cell.slice(0, -1)},"measures":{${sums.join(",")}}}`];
  });
  return `${JSON.stringify({ position, status, fields }).slice(0, -1)},"cells":[${moved.join(",")}]}`;
}
