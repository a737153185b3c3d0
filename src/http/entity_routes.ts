import { z } from "@hono/zod-openapi";
import { dimension_of, figure_number, figure_of } from "../feed/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { type KpiSource, read_cell } from "./kpi_source.ts";
import { limit } from "./parameters.ts";
import { not_found } from "./problem.ts";
import { answer_from_log } from "./reading.ts";

/** What the entities are read from. */
export interface EntitySource extends KpiSource {
  /** The dimension that the entity `h3` is; that of the H3 cells of pickups unless given. */
  readonly metrics_h3?: string;
}

/** An entity: its dimension, and the name that its id has in an answer. */
interface Entity {
  readonly dimension: string;
  readonly id_name: string;
}

const ENTITIES: readonly (readonly [name: string, entity: Entity])[] = [
  ["driver", { dimension: "driver", id_name: "driver_id" }],
  ["passenger", { dimension: "passenger", id_name: "passenger_id" }],
  ["vehicle_type", { dimension: "vehicle_type", id_name: "vehicle_type" }],
  ["city", { dimension: "city", id_name: "city" }],
  ["payment_method", { dimension: "payment_method", id_name: "payment_method" }],
  ["pickup_zone", { dimension: "pickup_zone", id_name: "pickup_zone" }],
  ["dropoff_zone", { dimension: "dropoff_zone", id_name: "dropoff_zone" }],
];

/** Entities by name; the last is `h3`. */
const entities_of = ({ metrics_h3: dimension = "pickup_h3" }: EntitySource): ReadonlyMap<string, Entity> =>
  new Map([...ENTITIES, ["h3", { dimension, id_name: "h3" }]]);

const MOST_KEYS = 100_000;

/** Adds `/metrics/{entity}…`: running totals of completed trips. */
export function add_entity_routes(app: App, source: EntitySource): void {
  add_entity_list_route(app, source);
  add_entity_route(app, source);
}

const entity_parameter = (entities: ReadonlyMap<string, Entity>) =>
  z.string().openapi({ description: `One of ${[...entities.keys()].join(", ")}`, example: "driver" });

const no_entity = (entity: string, entities: ReadonlyMap<string, Entity>): Response =>
  not_found(`no entity ${JSON.stringify(entity)}; there are ${[...entities.keys()].join(", ")}`);

/** The keys of an entity that have completed trips, as `<entity>:<id>`. `count` counts all; `keys` holds at most `limit`, `next_after` says where the next ones begin. */
function add_entity_list_route(app: App, source: EntitySource): void {
  const { board } = source;
  const entities = entities_of(source);
  add_endpoint(app, {
    path: "/metrics/{entity}",
    summary: `The keys of an entity (${[...entities.keys()].join(", ")}) that have completed trips, in order of key`,
    query: {
      limit: limit(MOST_KEYS, 10_000),
      after: z.string().optional().openapi({ description: "`next_after` of the page before" }),
    },
    params: { entity: entity_parameter(entities) },
    answer: {
      type: "application/json",
      schema: z.object({
        count: z.number().openapi({ description: "Of all keys" }),
        keys: z.array(z.string()).openapi({ description: "At most `limit`, those past `after`" }),
        next_after: z.string().nullable().openapi({ description: "`after` of the next page; null: this is the last" }),
      }).openapi("EntityKeys", {
        example: { count: 2, keys: ["driver:D0002", "driver:D0413"], next_after: null },
      }),
    },
    others: { 404: "No such entity" },
    respond: ({ entity, limit: most, after }, request) => {
      const dimension = entities.get(entity)?.dimension;
      if (dimension === undefined) return no_entity(entity, entities);
      return answer_from_log(request, source, async (transaction) => {
        const where = `from ${board.tables.cells} where grain = 'all' and dimension = $1 and bucket = to_timestamp(0)
          and ${board.default_count} > 0`;
        const [counted] = await transaction.query<{ count: string }>(`select count(*) as count ${where}`, [dimension]);
        const rows = await transaction.query<{ key: string }>(
          `select key ${where} and key > $2 order by key limit $3`,
          [dimension, after ?? "", most + 1],
        );
        const keys = rows.slice(0, most).map(({ key }) => `${entity}:${key}`);
        const next_after = rows.length > most ? rows[most - 1]!.key : null;
        return JSON.stringify({ count: Number(counted?.count ?? 0), keys, next_after });
      });
    },
  });
}

function add_entity_route(app: App, source: EntitySource): void {
  const { board } = source;
  const entities = entities_of(source);
  add_endpoint(app, {
    path: "/metrics/{entity}/{id}",
    summary: `Running totals of one key of an entity: ${[...entities.keys()].join(", ")}`,
    query: {},
    params: {
      entity: entity_parameter(entities),
      id: z.string().min(1).openapi({ description: "A key of the entity", example: "D0413" }),
    },
    answer: {
      type: "application/json",
      schema: z.object({
        trip_count: z.number(),
        avg_duration: z.number().nullable().openapi({
          description: "Minutes, of the trips whose duration is known; null: of none",
        }),
        total_distance: z.number().openapi({ description: "Kilometres" }),
        total_revenue: z.number(),
      }).catchall(z.string()).openapi("EntityTotals", {
        example: {
          driver_id: "D0413",
          trip_count: 22,
          avg_duration: 12.19,
          total_distance: 54.25,
          total_revenue: 338.09,
        },
      }),
    },
    others: { 404: "No such entity, or nothing completed under that key" },
    respond: ({ entity, id }, request) => {
      const known = entities.get(entity);
      if (known === undefined) return no_entity(entity, entities);
      const { dimension, id_name } = known;
      if (dimension_of(board, dimension) === null) return not_found(`trips are not counted by ${entity} here`);
      return answer_from_log(request, source, async (transaction) => {
        const totals = await read_cell(transaction, board, { grain: "all", bucket_us: 0, dimension, key: id });
        const figure = (name: string, decimals: number) => figure_number(figure_of(board, name), totals, decimals);
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
