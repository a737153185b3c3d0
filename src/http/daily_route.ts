import { z } from "@hono/zod-openapi";
import { DAY_S, figure_number, figures_of_cells } from "../feed/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { figure_schemas, type KpiSource, named_figures } from "./kpi_source.ts";
import { calendar_date } from "./parameters.ts";
import { not_found } from "./problem.ts";
import { answer_from_log } from "./reading.ts";

/** A day's figures, in the shape of `metrics.json`: rounded half up; zeros for a day without anything. None where the domain declares no such. */
export function add_daily_route(app: App, source: KpiSource): void {
  const { board, days } = source;
  if (board.daily === undefined) return;
  const { says, metrics, count, example } = board.daily;
  const figures = named_figures(board, metrics), [counted] = named_figures(board, [count]);
  const schema = z.object({
    date: z.string(),
    metrics: z.object(figure_schemas(figures)),
    generated_at: z.string(),
    ...figure_schemas([counted!]),
  }).openapi("DailyKpis", { example });
  add_endpoint(app, {
    path: "/api/v1/kpis/daily",
    summary: says,
    query: { date: calendar_date },
    params: {},
    answer: { type: "application/json", schema },
    others: { 404: "The business time zone has no such day" },
    respond: ({ date }, request) => {
      const day = days.day_named(date);
      if (day === null) return not_found(`${source.time_zone} has no ${date}`);
      return answer_from_log(request, source, async (transaction) => {
        const window = { from_s: day.start_us / 1e6, to_s: day.end_us / 1e6, step_s: DAY_S, grain: "1d" } as const;
        const wants = { series: true, stretches: [window] };
        const { stretches } = await figures_of_cells(transaction, { board, days, filter: [], window, wants });
        const { totals } = stretches[0]!;
        const all = figure_number(counted!.figure, totals, 0) ?? 0;
        const nothing = all === 0 ? 0 : null;
        const told = figures.map(({ name, figure, decimals }) => [
          name,
          figure_number(figure, totals, decimals) ?? nothing,
        ]);
        return JSON.stringify({
          date,
          metrics: Object.fromEntries(told),
          generated_at: new Date(source.clock.now_ms()).toISOString(),
          [count.name]: all,
        });
      });
    },
  });
}
