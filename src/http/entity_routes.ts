import { z } from "@hono/zod-openapi";
import { dimension_of, figure_number, figure_of } from "../feed/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { type KpiSource, read_cell } from "./kpi_source.ts";
import { limit } from "./parameters.ts";
import { not_found } from "./problem.ts";
import { answer_from_log } from "./reading.ts";

/** Entities: the dimension each is, and the name its id has in an answer. */
const ENTITIES: ReadonlyMap<string, { readonly dimension: string; readonly id_name: string }> = new Map([
  ["driver", { dimension: "driver", id_name: "driver_id" }],
  ["passenger", { dimension: "passenger", id_name: "passenger_id" }],
  ["vehicle_type", { dimension: "vehicle_type", id_name: "vehicle_type" }],
  ["h3", { dimension: "pickup_h3", id_name: "h3" }],
]);

const MOST_KEYS = 100_000;

/** Adds `/metrics/{entity}…`: running totals of completed trips. */
export function add_entity_routes(app: App, source: KpiSource): void {
  add_entity_list_route(app, source);
  add_entity_route(app, source);
}

const no_entity = (entity: string): Response =>
  not_found(`no entity ${JSON.stringify(entity)}; there are ${[...ENTITIES.keys()].join(", ")}`);

/** The keys of an entity that have completed trips, as `<entity>:<id>`. `count` counts all; `keys` holds at most `limit`. */
function add_entity_list_route(app: App, source: KpiSource): void {
  const { board } = source;
  add_endpoint(app, {
    path: "/metrics/{entity}",
    summary: "Drivers, passengers, vehicle types or H3 cells of pickups that have completed trips, in order of key",
    query: { limit: limit(MOST_KEYS, 10_000), after: z.string().optional() },
    params: { entity: z.string() },
    answer: {
      type: "application/json",
      schema: z.object({ count: z.number(), keys: z.array(z.string()) }).openapi("EntityKeys"),
    },
    others: { 404: "No such entity" },
    respond: ({ entity, limit: most, after }, request) => {
      const dimension = ENTITIES.get(entity)?.dimension;
      if (dimension === undefined) return no_entity(entity);
      return answer_from_log(request, source, async (transaction) => {
        const where = `from ${board.tables.cells} where grain = 'all' and dimension = $1 and bucket = to_timestamp(0)
          and ${board.default_count} > 0`;
        const [counted] = await transaction.query<{ count: string }>(`select count(*) as count ${where}`, [dimension]);
        const rows = await transaction.query<{ key: string }>(
          `select key ${where} and key > $2 order by key limit $3`,
          [dimension, after ?? "", most],
        );
        const keys = rows.map(({ key }) => `${entity}:${key}`);
        return JSON.stringify({ count: Number(counted?.count ?? 0), keys });
      });
    },
  });
}

function add_entity_route(app: App, source: KpiSource): void {
  const { board } = source;
  add_endpoint(app, {
    path: "/metrics/{entity}/{id}",
    summary: "Running totals of one driver, passenger, vehicle type or H3 cell of pickups",
    query: {},
    params: { entity: z.string(), id: z.string().min(1) },
    answer: {
      type: "application/json",
      schema: z.object({
        trip_count: z.number(),
        avg_duration: z.number(),
        total_distance: z.number(),
        total_revenue: z.number(),
      }).catchall(z.string()).openapi("EntityTotals"),
    },
    others: { 404: "No such entity, or nothing completed under that key" },
    respond: ({ entity, id }, request) => {
      const known = ENTITIES.get(entity);
      if (known === undefined) return no_entity(entity);
      const { dimension, id_name } = known;
      if (dimension_of(board, dimension) === null) return not_found(`trips are not counted by ${entity} here`);
      return answer_from_log(request, source, async (transaction) => {
        const totals = await read_cell(transaction, board, { grain: "all", bucket_us: 0, dimension, key: id });
        const figure = (name: string, decimals: number) => figure_number(figure_of(board, name), totals, decimals) ?? 0;
        const trip_count = figure("completed", 0);
        if (trip_count === 0) return not_found(`no completed trips of ${entity} ${JSON.stringify(id)}`);
        return JSON.stringify({
          [id_name]: id,
          trip_count,
          avg_duration: figure("average_duration_min", 2),
          total_distance: figure("distance_km", 2),
          total_revenue: figure("revenue", 2),
        });
      });
    },
  });
}
