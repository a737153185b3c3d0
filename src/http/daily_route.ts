import { z } from "@hono/zod-openapi";
import { DAY_S, figure_number, figure_of, figures_of_cells } from "../feed/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import type { KpiSource } from "./kpi_source.ts";
import { calendar_date } from "./parameters.ts";
import { not_found } from "./problem.ts";
import { answer_from_log } from "./reading.ts";

const NONE = "null where trips were completed and none has a fare, 0 where none was completed";

const DAILY = z.object({
  date: z.string(),
  metrics: z.object({
    total_fare: z.number(),
    count_trips: z.number().openapi({ description: "Completed trips whose fare is known: those of these metrics" }),
    average_fare: z.number().nullable().openapi({ description: `total_fare over count_trips; ${NONE}` }),
    max_fare: z.number().nullable().openapi({ description: NONE }),
    min_fare: z.number().nullable().openapi({ description: NONE }),
  }),
  generated_at: z.string(),
  trip_count: z.number().openapi({ description: "Completed trips, those without a fare among them" }),
}).openapi("DailyKpis", {
  example: {
    date: "2024-05-25",
    metrics: { total_fare: 268640.79, count_trips: 4885, average_fare: 54.99, max_fare: 99.99, min_fare: 10.04 },
    generated_at: "2024-05-26T00:00:04.120Z",
    trip_count: 4885,
  },
});

/** A day's fares of completed trips, in the shape of `metrics.json`: two decimals, half up; zeros for a day without any trip. */
export function add_daily_route(app: App, source: KpiSource): void {
  const { board, days } = source;
  add_endpoint(app, {
    path: "/api/v1/kpis/daily",
    summary: "Fares of the trips completed on one day of the business time zone",
    query: { date: calendar_date },
    params: {},
    answer: { type: "application/json", schema: DAILY },
    others: { 404: "The business time zone has no such day" },
    respond: ({ date }, request) => {
      const day = days.day_named(date);
      if (day === null) return not_found(`${source.time_zone} has no ${date}`);
      return answer_from_log(request, source, async (transaction) => {
        const window = { from_s: day.start_us / 1e6, to_s: day.end_us / 1e6, step_s: DAY_S, grain: "1d" } as const;
        const wants = { series: true, stretches: [window] };
        const { stretches } = await figures_of_cells(transaction, { board, days, filter: [], window, wants });
        const { totals } = stretches[0]!;
        const count = (name: string): number => figure_number(figure_of(board, name), totals, 0) ?? 0;
        const trip_count = count("completed");
        const nothing = trip_count === 0 ? 0 : null;
        const money = (name: string): number | null => figure_number(figure_of(board, name), totals, 2) ?? nothing;
        return JSON.stringify({
          date,
          metrics: {
            total_fare: money("revenue"),
            count_trips: count("fare_count"),
            average_fare: money("average_fare"),
            max_fare: money("max_fare"),
            min_fare: money("min_fare"),
          },
          generated_at: new Date(source.clock.now_ms()).toISOString(),
          trip_count,
        });
      });
    },
  });
}
