import { z } from "@hono/zod-openapi";

/** The board as the API answers it: what the feed's hello says, without health. */

const card_values = z.record(z.string(), z.number().nullable());
const columns = z.object({ t: z.array(z.number()) }).catchall(z.union([z.array(z.number()), z.string(), z.number()]));
const stretch = z.object({
  from_s: z.number(),
  to_s: z.number().openapi({ description: "Not past the newest event, moved back as the window is" }),
  since_s: z.number().nullable().openapi({
    description: "Null: the stretch lies wholly in the log. Else from when on; to_s: not at all",
  }),
  least_base: z.number().openapi({ description: "A change from fewer trips than this is no percent" }),
  cards: card_values,
});

export const BOARD = z.object({
  log_id: z.string(),
  position: z.number().openapi({ description: "The position that series and cards belong to" }),
  now_ms: z.number().openapi({ description: "When it was read; of a past board, when its position was recorded" }),
  range: z.string(),
  grain: z.string(),
  step_s: z.number(),
  from_s: z.number(),
  to_s: z.number(),
  following: z.boolean(),
  filter: z.array(z.object({ dimension: z.string(), keys: z.array(z.string()), excluded: z.boolean() })),
  compare: z.string(),
  time_zone: z.string(),
  currency: z.string(),
  series: columns,
  cards: card_values.nullable(),
  breakdowns: z.array(z.object({
    dimension: z.string(),
    total_keys: z.number(),
    rows: z.array(z.object({ key: z.string().nullable() }).catchall(z.union([z.string(), z.number(), z.null()]))),
  })),
  computed: z.object({
    cards: z.string(),
    breakdowns: z.string(),
    position: z.number().nullable(),
    age_ms: z.number().nullable(),
    failed: z.string().nullable(),
  }),
  compared: z.object({ previous: stretch, weekday: stretch }).partial(),
  compared_series: columns.optional(),
  trips: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.null()]))),
  newest_event_ms: z.number().nullable(),
  as_of: z.object({ position: z.number(), recorded_ms: z.number(), head: z.number() }).nullable(),
}).openapi("Board");
