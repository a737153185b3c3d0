import { z } from "@hono/zod-openapi";
import { type Queryable, text_array } from "../database/mod.ts";
import { read_head } from "../event_log/mod.ts";
import type { DomainBoard } from "../domains/mod.ts";
import { dimension_of, figure_number, figure_of, totals_of } from "../feed/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import type { KpiSource } from "./kpi_source.ts";
import { limit } from "./parameters.ts";
import { not_found } from "./problem.ts";
import { answer_json, etag_of, KeptAnswers, read_only, SharedReading } from "./reading.ts";

/** What the entities are read from. */
export interface EntitySource extends KpiSource {
  /** The dimension that the entity `h3` is; that of the H3 cells of pickups unless given. */
  readonly metrics_h3?: string;
  /** Batches of posted events that this process has appended so far; none unless given. */
  readonly appended?: () => number;
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
  const kept = new KeptAnswers(source, source.appended ?? (() => 0));
  add_entity_list_route(app, source, kept);
  add_entity_route(app, source, kept);
}

const entity_parameter = (entities: ReadonlyMap<string, Entity>) =>
  z.string().openapi({ description: `One of ${[...entities.keys()].join(", ")}`, example: "driver" });

const no_entity = (entity: string, entities: ReadonlyMap<string, Entity>): Response =>
  not_found(`no entity ${JSON.stringify(entity)}; there are ${[...entities.keys()].join(", ")}`);

/** The keys of an entity that have completed trips, as `<entity>:<id>`. `count` counts all; `keys` holds at most `limit`, `next_after` says where the next ones begin. */
function add_entity_list_route(app: App, source: EntitySource, kept: KeptAnswers): void {
  const entities = entities_of(source);
  const reading = new SharedReading((pages: readonly KeyPage[]) => read_pages(source, kept, pages));
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
    respond: async ({ entity, limit: most, after = "" }, request) => {
      const dimension = entities.get(entity)?.dimension;
      if (dimension === undefined) return no_entity(entity, entities);
      const page = { entity, dimension, most, after };
      const read = () => reading.ask(key_of(page), page);
      const { etag, body } = kept.find(key_of(page), read) ?? await read();
      return answer_json(request, etag, body);
    },
  });
}

/** A page of an entity's keys: at most so many, past one. */
interface KeyPage {
  readonly entity: string;
  readonly dimension: string;
  readonly most: number;
  readonly after: string;
}

/** What is asked of a page is its own, and none of a key's. */
const key_of = ({ entity, most, after }: KeyPage): string => `page ${entity} ${most} ${after}`;

/** Reads pages of keys, but those that are kept: they are thousands of rows, and the same until the log moves on. */
async function read_pages(source: EntitySource, kept: KeptAnswers, pages: readonly KeyPage[]) {
  const { database, build, board } = source;
  const known = (etag: string) => pages.map((page) => kept.of(etag, key_of(page)));
  const etag = etag_of(await kept.read_head(), build);
  const bodies = known(etag).filter((body) => body !== null);
  if (bodies.length === pages.length) return bodies.map((body) => ({ etag, body }));
  const asked = kept.ask();
  return await read_only(database, async (reading) => {
    const head = await read_head(reading);
    const etag = etag_of(head, build);
    kept.note(head, asked);
    const answers = [];
    for (const page of pages) {
      const body = kept.of(etag, key_of(page)) ?? new TextEncoder().encode(await read_page(reading, board, page));
      kept.keep(etag, key_of(page), body);
      answers.push({ etag, body });
    }
    return answers;
  });
}

async function read_page(
  reading: Queryable,
  board: DomainBoard,
  { entity, dimension, most, after }: KeyPage,
): Promise<string> {
  const { cells } = board.tables;
  // The text is made where the keys are: thousands of rows are dear to read.
  const [row] = await reading.query<{ count: string; keys: string | null; last: string | null; more: boolean }>({
    name: `api_keys_${cells}`,
    text: `with counted as (
        select key from ${cells}
        where grain = 'all' and dimension = $1 and bucket = to_timestamp(0) and ${board.default_count} > 0
      ), page as (
        select key, row_number() over (order by key) <= $3 as is_in from counted where key > $2 order by key limit $3 + 1
      )
      select (select count(*) from counted) as count, string_agg(to_json($4 || key)::text, ',' order by key) filter (where is_in) as keys,
        max(key) filter (where is_in) as last, coalesce(bool_or(not is_in), false) as more
      from page`,
  }, [dimension, after, most, `${entity}:`]);
  const { count, keys, last, more } = row!;
  return `{"count":${count},"keys":[${keys ?? ""}],"next_after":${JSON.stringify(more ? last : null)}}`;
}

function add_entity_route(app: App, source: EntitySource, kept: KeptAnswers): void {
  const { board } = source;
  const entities = entities_of(source);
  const reading = new SharedReading(figures_reader(source, kept));
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
    respond: async ({ entity, id }, request) => {
      const known = entities.get(entity);
      if (known === undefined) return no_entity(entity, entities);
      const { dimension, id_name } = known;
      if (dimension_of(board, dimension) === null) return not_found(`trips are not counted by ${entity} here`);
      const key = `key ${entity} ${id}`;
      const read = async () => {
        const { etag, figures } = await reading.ask(key, { dimension, id });
        const body = figures.trip_count === 0 ? null : JSON.stringify({ [id_name]: id, ...figures });
        if (body !== null) kept.keep(etag, key, body);
        return { etag, body };
      };
      const { etag, body } = kept.find(key, read) ?? await read();
      return body === null
        ? not_found(`no completed trips of ${entity} ${JSON.stringify(id)}`)
        : answer_json(request, etag, body);
    },
  });
}

/** An entity's figures: their names in an answer, those of the board that they are, and their decimals. */
const FIGURES = [
  ["trip_count", "completed", 0],
  ["avg_duration", "average_duration_min", 2],
  ["total_distance", "distance_km", 2],
  ["total_revenue", "revenue", 2],
] as const;

interface EntityFigures {
  readonly etag: string;
  /** Zeros and null where the key has no cell. */
  readonly figures: Readonly<Record<typeof FIGURES[number][0], number | null>>;
}

interface EntityKey {
  readonly dimension: string;
  readonly id: string;
}

/** Reads all-time figures of keys: one statement for all that are asked for at the same time. */
function figures_reader({ database, board: whole, build }: EntitySource, kept: KeptAnswers) {
  const figures = FIGURES.map(([name, figure, decimals]) => ({ name, figure: figure_of(whole, figure), decimals }));
  const needed = new Set(
    figures.flatMap(({ figure }) => figure.kind === "mean" ? [figure.measure, figure.count] : figure.measure),
  );
  const board = { ...whole, measures: whole.measures.filter(({ name }) => needed.has(name)) };
  const { cells } = board.tables;
  const statement = {
    name: `api_figures_${cells}`,
    // Key by key: with a join the planner may read the whole table.
    text: `select head.log_id, head.position, cell.*
      from log_head head cross join unnest($1::text[], $2::text[]) with ordinality asked (dimension, key, ordinal)
      left join lateral (
        select ${[...needed].join(", ")} from ${cells} cells
        where grain = 'all' and bucket = to_timestamp(0) and cells.dimension = asked.dimension and cells.key = asked.key
        limit 1
      ) cell on true
      order by asked.ordinal`,
  };
  return async (keys: readonly EntityKey[]): Promise<EntityFigures[]> => {
    const asked = kept.ask();
    const values = [text_array(keys.map(({ dimension }) => dimension)), text_array(keys.map(({ id }) => id))];
    const rows = await database.query(statement, values);
    const head = { log_id: String(rows[0]?.log_id), position: Number(rows[0]?.position) };
    kept.note(head, asked);
    const etag = etag_of(head, build);
    return rows.map((row) => {
      const totals = totals_of(board, row);
      const named = figures.map(({ name, figure, decimals }) =>
        [name, figure_number(figure, totals, decimals)] as const
      );
      return { etag, figures: Object.fromEntries(named) as EntityFigures["figures"] };
    });
  };
}
