import { z } from "@hono/zod-openapi";
import { type Queryable, text_array, type Value } from "../../database/mod.ts";
import { type DomainBoard, type EntitiesDeclaration, names_of_keys, table_names } from "../../domains/mod.ts";
import { figures_id_of, read_aliases, read_head } from "../../event_log/mod.ts";
import {
  all_time_of,
  count_of_keys,
  dimension_of,
  figure_number,
  figure_of,
  measures_in,
  prepared,
  shown_key_sql,
  totals_of,
} from "../../feed/mod.ts";
import { not_found } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { currency_parameter, currency_schema, limit, requested_board, said_currency } from "../parameters.ts";
import { answer_from_log, answer_json, etag_of, Gate, KeptAnswers, read_only, SharedReading } from "../reading.ts";
import { figure_schemas, type KpiSource, named_figures } from "./kpi_routes.ts";
import { busy, near_of } from "./then_answers.ts";

/** What the entities are read from. */
export interface EntitySource extends KpiSource {
  /** The name of the domain. */
  readonly name: string;
  /** Batches of posted events that this process has appended so far; none unless given. */
  readonly appended?: () => number;
}

/** What the routes of a domain's entities are made of. */
interface Entities {
  readonly source: EntitySource;
  readonly declared: EntitiesDeclaration;
  readonly kept: KeptAnswers;
}

const names_of = ({ of }: EntitiesDeclaration): string => of.map(({ name }) => name).join(", ");

const entity_of = ({ of }: EntitiesDeclaration, entity: string) => of.find(({ name }) => name === entity) ?? null;

const MOST_KEYS = 100_000;

/** Adds `/metrics/{entity}…`: running totals of keys, where the domain declares such. */
export function add_entity_routes(app: App, source: EntitySource): void {
  const declared = source.board.entities;
  if (declared === undefined) return;
  const kept = new KeptAnswers(source, source.appended ?? (() => 0));
  add_entity_list_route(app, { source, declared, kept });
  add_entity_route(app, { source, declared, kept });
}

const entity_parameter = (declared: EntitiesDeclaration) =>
  z.string().openapi({ description: `One of ${names_of(declared)}`, example: declared.of[0]!.name });

const no_entity = (entity: string, declared: EntitiesDeclaration): Response =>
  not_found(`no entity ${JSON.stringify(entity)}; there are ${names_of(declared)}`);

/** The keys of an entity that something is counted of, as `<entity>:<id>`. `count` counts all; `keys` holds at most `limit`, `next_after` says where the next ones begin. */
function add_entity_list_route(app: App, { source, declared, kept }: Entities): void {
  const [{ name: first, id_name }] = [declared.of[0]!];
  const reading = new SharedReading((pages: readonly KeyPage[]) => read_pages(source, kept, pages));
  // What an entity's own answer begins with: a key that has none of it is not found there, and is not listed.
  const counted = figure_of(source.board, declared.figures[0]!.figure).measure;
  add_endpoint(app, {
    path: "/metrics/{entity}",
    summary: `The keys of an entity (${names_of(declared)}) that have ${declared.counted}, in order of key`,
    query: {
      limit: limit(MOST_KEYS, 10_000),
      after: z.string().optional().openapi({ description: "`next_after` of the page before" }),
      ...currency_parameter(source.board),
    },
    params: { entity: entity_parameter(declared) },
    answer: {
      type: "application/json",
      schema: z.object({
        ...currency_schema(source.board),
        count: z.number().openapi({ description: "Of all keys" }),
        keys: z.array(z.string()).openapi({ description: "At most `limit`, those past `after`" }),
        next_after: z.string().nullable().openapi({ description: "`after` of the next page; null: this is the last" }),
      }).openapi("EntityKeys", {
        example: { count: 1, keys: [`${first}:${declared.example[id_name]}`], next_after: null },
      }),
    },
    others: { 404: "No such entity" },
    respond: async ({ entity, limit: most, after = "" }, request) => {
      const dimension = entity_of(declared, entity)?.dimension;
      if (dimension === undefined) return no_entity(entity, declared);
      const page = { board: requested_board(request, source.board), entity, dimension, counted, most, after };
      const read = () => reading.ask(key_of(page), page);
      const { etag, body } = kept.find(key_of(page), read) ?? await read();
      return answer_json(request, etag, body);
    },
  });
}

/** A page of an entity's keys: at most so many, past one, of a board's currency. */
interface KeyPage {
  readonly board: DomainBoard;
  readonly entity: string;
  readonly dimension: string;
  /** The measure of which a key has some. */
  readonly counted: string;
  readonly most: number;
  readonly after: string;
}

/** What is asked of a page is its own, and none of a key's. */
const key_of = ({ board, entity, most, after }: KeyPage): string =>
  `page${board.currency ?? ""} ${entity} ${most} ${after}`;

/** Reads pages of keys, but those that are kept: they are thousands of rows, and the same until the log moves on. */
async function read_pages(source: EntitySource, kept: KeptAnswers, pages: readonly KeyPage[]) {
  const { database, build } = source;
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
      const body = kept.of(etag, key_of(page)) ?? new TextEncoder().encode(await read_page(reading, page));
      kept.keep(etag, key_of(page), body);
      answers.push({ etag, body });
    }
    return answers;
  }, source.board);
}

async function read_page(
  reading: Queryable,
  { board, entity, dimension, counted, most, after }: KeyPage,
): Promise<string> {
  // The text is made where the keys are: thousands of rows are dear to read.
  const statement = prepared(
    board,
    `api_keys_${table_names(board).cells}_${dimension}`,
    `with counted as (
        select key from ${all_time_of(board, dimension)} and ${counted} > 0
      ), page as (
        select key, row_number() over (order by key) <= $2 as is_in from counted where key > $1 order by key limit $2 + 1
      )
      select (select count(*) from counted) as count, string_agg(to_json($3 || ${
      shown_key_sql(board, dimension)
    })::text, ',' order by key) filter (where is_in) as keys,
        max(key) filter (where is_in) as last, coalesce(bool_or(not is_in), false) as more
      from page`,
  );
  const values = [after, most, `${entity}:`];
  const [row] = await reading.query<{ count: string; keys: string | null; last: string | null; more: boolean }>(
    statement,
    values,
  );
  const { count, keys, last, more } = row!;
  const said = board.currency === undefined ? "" : `"currency":"${board.currency}",`;
  return `{${said}"count":${count},"keys":[${keys ?? ""}],"next_after":${JSON.stringify(more ? last : null)}}`;
}

function add_entity_route(app: App, { source, declared, kept }: Entities): void {
  const { name, board } = source;
  const named = named_figures(board, declared.figures);
  const count = named[0]!.name;
  const reading = new SharedReading(figures_reader(source, named, kept));
  add_endpoint(app, {
    path: "/metrics/{entity}/{id}",
    summary: `Running totals of one key of an entity: ${names_of(declared)}`,
    query: currency_parameter(board),
    params: {
      entity: entity_parameter(declared),
      id: z.string().min(1).openapi({
        description: "A key of the entity",
        example: String(declared.example[declared.of[0]!.id_name]),
      }),
    },
    answer: {
      type: "application/json",
      schema: z.object(figure_schemas(named)).catchall(z.string()).openapi("EntityTotals", {
        example: declared.example,
      }),
    },
    others: { 404: `No such entity, or no ${declared.counted} under that key` },
    respond: async ({ entity, id }, request) => {
      const known = entity_of(declared, entity);
      if (known === null) return no_entity(entity, declared);
      const { dimension, id_name } = known;
      if (dimension_of(board, dimension) === null) return not_found(`${name} are not counted by ${entity} here`);
      const own = requested_board(request, board), said = said_currency(own);
      const key = `key${own.currency ?? ""} ${entity} ${id}`;
      const read = async () => {
        const aliases = board.persons?.includes(dimension)
          ? await read_aliases(source.database, dimension, [id])
          : new Map<string, string>();
        const { etag, figures } = await reading.ask(key, { dimension, id: aliases.get(id) ?? id, ...said });
        const body = figures[count] === 0 ? null : JSON.stringify({ [id_name]: id, ...said, ...figures });
        if (body !== null) kept.keep(etag, key, body);
        return { etag, body };
      };
      const { etag, body } = kept.find(key, read) ?? await read();
      return body === null
        ? not_found(`no ${declared.counted} of ${entity} ${JSON.stringify(id)}`)
        : answer_json(request, etag, body);
    },
  });
}

interface EntityFigures {
  readonly etag: string;
  /** Zeros and null where the key has no cell. */
  readonly figures: Readonly<Record<string, number | null>>;
}

interface EntityKey {
  /** Of a domain by currency. */
  readonly currency?: string;
  readonly dimension: string;
  readonly id: string;
}

/** Reads all-time figures of keys: one statement for all that are asked for at the same time. */
function figures_reader(
  { database, board: whole, build }: EntitySource,
  figures: ReturnType<typeof named_figures>,
  kept: KeptAnswers,
) {
  const needed = new Set(
    figures.flatMap(({ figure }) => measures_in(figure)),
  );
  const board = { ...whole, measures: whole.measures.filter(({ name }) => needed.has(name)) };
  const { by_currency } = board, { cells, totals } = table_names(board);
  const columns = [...needed].join(", ");
  const names = ["dimension", "key", ...by_currency === undefined ? [] : ["currency"]];
  const is_asked = (table: string) => names.map((name) => `${table}.${name} = asked.${name}`).join(" and ");
  const statement = {
    name: `api_figures_${cells}`,
    // Key by key: with a join the planner may read the whole table.
    text: `select head.log_id, head.read_model, head.forgotten, head.position, cell.*
      from log_head head
      cross join unnest(${names.map((_, i) => `$${i + 1}::text[]`)}) with ordinality asked (${names}, ordinal)
      left join lateral (
        ${
      totals === null ? "" : `select ${columns} from ${totals} totals
        where ${is_asked("totals")}
        union all`
    }
        select ${columns} from ${cells} cells
        where grain = 'all' and bucket = to_timestamp(0) and ${is_asked("cells")}
        limit 1
      ) cell on true
      order by asked.ordinal`,
  };
  return async (keys: readonly EntityKey[]): Promise<EntityFigures[]> => {
    const asked = kept.ask();
    const values = [
      text_array(keys.map(({ dimension }) => dimension)),
      text_array(keys.map(({ id }) => id)),
      ...by_currency === undefined ? [] : [text_array(keys.map(({ currency }) => currency ?? by_currency))],
    ];
    const rows = await database.query(statement, values);
    const head = { figures_id: figures_id_of(rows[0] ?? {}), position: Number(rows[0]?.position) };
    kept.note(head, asked);
    const etag = etag_of(head, build);
    return rows.map((row) => {
      const totals = totals_of(board, row);
      const named = figures.map(({ name, figure, decimals }) =>
        [name, figure_number(figure, totals, decimals)] as const
      );
      return { etag, figures: Object.fromEntries(named) };
    });
  };
}

/** How many searches are read at a time, and how many wait for how long. */
const SEARCH_GATE = { most: 2, waiting: 40, wait_ms: 2_000 };
/** Keys of each dimension that are found, and those with the most that are looked through for what is like a word. */
const FOUND = 6;
const LIKENED = 1_000;

const found_schema = z.array(
  z.object({
    dimension: z.string(),
    key: z.string(),
    name: z.string().optional().openapi({ description: "What the deployment calls it" }),
    count: z.number().openapi({ description: "Of all of time" }),
  }),
);

/** Adds `/api/v1/search`: what a word leads to: a stream of that id, and keys of any dimension that hold it, or are like it. */
export function add_search_route(app: App, source: KpiSource): void {
  const { board } = source, gate = new Gate(SEARCH_GATE);
  add_endpoint(app, {
    path: "/api/v1/search",
    summary:
      `A ${board.noun} of that id, and the keys of every dimension that hold a word, those with the most first; ` +
      "where there is none, keys that are like it",
    query: {
      find: z.string().trim().min(1).max(200).openapi({ description: "A part of a key, in any case; or an id" }),
      ...currency_parameter(board),
    },
    params: {},
    answer: {
      type: "application/json",
      schema: z.object({
        stream: z.string().nullable().openapi({ description: `The ${board.noun} of exactly that id` }),
        keys: found_schema,
        near: found_schema,
      }).openapi("Found"),
    },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ find }, request) => {
      const own = requested_board(request, board);
      const answer = await gate.run(() =>
        answer_from_log(request, source, async (reading) => {
          const [stream] = await reading.query<{ id: string }>(
            `select ${own.stream_column} as id from ${own.tables.states} states where ${own.stream_column} = $1`,
            [find],
          );
          const keys = await find_keys(reading, own, find);
          const near = keys.length > 0 || stream !== undefined ? [] : await near_keys(reading, own, find);
          return JSON.stringify({ stream: stream?.id ?? null, keys, near });
        })
      );
      return answer ?? busy(`${SEARCH_GATE.most} searches are`, SEARCH_GATE.wait_ms);
    },
  });
}

interface FoundKey {
  readonly dimension: string;
  readonly key: string;
  readonly count: string;
}

/** Keys with what they count of all of time, those with the most first. */
async function read_counted(
  reading: Queryable,
  board: DomainBoard,
  { condition, values, most }: {
    readonly condition: (dimension: string) => string;
    readonly values: readonly Value[];
    readonly most: number;
  },
) {
  const parts = board.dimensions.filter(({ name }) => name !== board.whole.dimension).map(({ name }) =>
    `(select '${name}' as dimension, ${shown_key_sql(board, name)} as key, ${count_of_keys(board, name)} as count
      from ${all_time_of(board, name)} and ${condition(name)} order by count desc, key limit ${most})`
  );
  const rows = await reading.query<Record<keyof FoundKey, string>>(parts.join(" union all "), values);
  return rows.map(({ dimension, key, count }) => {
    const name = names_of_keys(board, dimension)?.get(key);
    return { dimension, key, ...name === undefined ? {} : { name }, count: Number(count) };
  }).sort((a, b) => b.count - a.count);
}

/** The keys that hold a word, in their names, too. Of persons it is the id. */
function find_keys(reading: Queryable, board: DomainBoard, find: string) {
  const words = find.toLowerCase().replaceAll("_", " ");
  const named = [...board.zones?.names ?? []].filter(([, name]) => name.toLowerCase().includes(words)).map(([key]) =>
    key
  );
  const condition = (dimension: string) =>
    `(position($1 in lower(replace(${shown_key_sql(board, dimension)}, '_', ' '))) > 0${
      names_of_keys(board, dimension) === undefined ? "" : " or key = any($2::text[])"
    })`;
  const uses_names = board.dimensions.some(({ name }) => names_of_keys(board, name) !== undefined);
  const values = uses_names ? [words, text_array(named)] : [words];
  return read_counted(reading, board, { condition, values, most: FOUND });
}

/** The keys that are like a word, of those with the most. */
async function near_keys(reading: Queryable, board: DomainBoard, find: string) {
  const all = await read_counted(reading, board, { condition: () => "true", values: [], most: LIKENED });
  const near = near_of(find, all.map(({ key, name = key }) => name));
  return near.flatMap((word) => all.find(({ key, name = key }) => name === word) ?? []);
}
