import { z } from "@hono/zod-openapi";
import type { Queryable } from "../../database/mod.ts";
import { type MapDeclaration, places_shown } from "../../domains/mod.ts";
import {
  type Arrived,
  figure_of,
  LEAST_BASE,
  place_figure,
  places_by,
  type PlaceTotals,
  read_places,
  type View,
  type Window,
} from "../../feed/mod.ts";
import { cell_shape, cell_within, resolution_of } from "../../places/mod.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { currency_schema, requested_then, said_currency, then_parameters } from "../parameters.ts";
import { answer_json, Gate } from "../reading.ts";
import { answer_then, type BoardSource, keys_then, type Then } from "./then_answers.ts";

/** Most places of one answer: more than a screen can tell apart. What is left out, the least of all, is counted. */
const MOST_TOLD = 5_000;
/** How many maps are read at a time, and how many wait for how long. Equal questions are one. */
const GATE = { most: 1, waiting: 20, wait_ms: 4_000 };

const map_schema = (board: BoardSource["board"]) =>
  z.object({
    log_id: z.string(),
    position: z.number(),
    place: z.string(),
    ...currency_schema(board),
    figure: z.string(),
    unit: z.string(),
    resolution: z.number().nullable().openapi({ description: "Of the cells that are told; null: of none" }),
    kept_resolution: z.number().nullable().openapi({ description: "Of the cells that are counted: the finest" }),
    from_s: z.number(),
    to_s: z.number(),
    computed: z.boolean().openapi({ description: "Whether it is in no cell and was added up from states" }),
    left_out: z.number().openapi({ description: `How many places have less than the ${MOST_TOLD} that are told` }),
    unplaced: z.number().nullable().openapi({ description: "The figure of all that has no place; null: nothing" }),
    keys: z.array(z.string()),
    counts: z.array(z.number()).openapi({ description: "What each mean is over; of a sum what it is" }),
    values: z.array(z.number().nullable()),
    then: z.object({
      from_s: z.number(),
      to_s: z.number(),
      least_base: z.number().openapi({ description: "A change from a smaller count is no percent" }),
      counts: z.array(z.number()),
      values: z.array(z.number().nullable()),
    }).optional().openapi({ description: "The same places in the period that it is compared with" }),
    shapes: z.array(z.array(z.array(z.number()))).optional().openapi({
      description:
        "Of each place its rings: corners in millionths of a degree: latitude and longitude of the first, then the way from each to the next",
    }),
  }).openapi("PlacesOnMap");

const yes = z.enum(["0", "1"]).default("0").transform((text) => text === "1");

/** What is asked of a map, once its parameters are read. */
interface MapAsked {
  readonly view: View;
  readonly place: MapDeclaration["places"][number];
  readonly figure: string;
  /** How many resolutions coarser than what is counted. */
  readonly coarser: number;
  readonly then: boolean;
  readonly shapes: boolean;
}

/** Adds `/api/v1/kpis/map`: a figure at each place of a dimension whose keys are places. None where the domain declares no such. */
export function add_map_route(app: App, source: BoardSource): void {
  const { board } = source, { map } = board, places = places_shown(board);
  if (map === undefined || places.length === 0) return;
  add_shapes_route(app, source);
  const gate = new Gate(GATE), recent = new RecentAnswers();
  const [first] = places, dimensions = places.map(({ dimension }) => dimension);
  add_endpoint(app, {
    path: "/api/v1/kpis/map",
    summary:
      "A figure at each place of a range under a filter, as of now or as of any moment of the log, with its shape and what it was then",
    query: {
      place: z.string().refine((name) => dimensions.includes(name), `expected one of ${dimensions.join(", ")}`)
        .default(first!.dimension).openapi({ description: `One of ${dimensions.join(", ")}` }),
      figure: z.string().refine((name) => map.figures.includes(name), `expected one of ${map.figures.join(", ")}`)
        .default(map.figures[0]!).openapi({ description: `One of ${map.figures.join(", ")}` }),
      coarser: z.coerce.number().int().min(0).max(15).default(0).openapi({
        description: "So many resolutions coarser than the cells that are counted, as far as there are such",
      }),
      then: yes.openapi({ description: "1: with the figures of the period that `compare` names, where there is one" }),
      shapes: yes.openapi({ description: "1: with the corners of each place" }),
      ...then_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: map_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ place, figure, coarser, then, shapes, ...values }, request) => {
      const read = requested_then(values, request, board);
      if (read instanceof Response) return read;
      const { view, asked: as_of } = read, declared = places.find(({ dimension }) => dimension === place)!;
      const asked: MapAsked = { view, place: declared, figure, coarser, then, shapes };
      const turn = { gate, are: "one map is", name: "map" };
      return await answer_then(source, request, { view, as_of }, turn, async (reading, given) => {
        const { search } = new URL(request.url), known = recent.find(search, given.tag);
        if (known !== null) return known;
        const answer = await answer_map(reading, source, asked, given);
        if (typeof answer === "string") recent.keep(search, given.tag, answer);
        return answer;
      });
    },
  });
}

/** Answers that were computed last: many look at the same map at the same position. */
class RecentAnswers {
  readonly #kept = new Map<string, { readonly tag: string; readonly body: string }>();

  find(query: string, tag: string): string | null {
    const kept = this.#kept.get(query);
    return kept?.tag === tag ? kept.body : null;
  }

  keep(query: string, tag: string, body: string): void {
    this.#kept.delete(query);
    this.#kept.set(query, { tag, body });
    for (const [oldest] of this.#kept) {
      if (this.#kept.size <= MOST_RECENT) break;
      this.#kept.delete(oldest);
    }
  }
}

/** Each of at most half a megabyte, with shapes. */
const MOST_RECENT = 32;

async function answer_map(
  reading: Queryable,
  source: BoardSource,
  { view, place, figure, coarser, then, shapes }: MapAsked,
  given: Then,
): Promise<string | Response> {
  const { filter } = view, { dimension } = place;
  const counted = await keys_then(reading, source, { view, dimension }, given);
  if (counted instanceof Response) return counted;
  const { board, asked: own, position, states, arrived, computed, earlier } = counted;
  const told = arrived === null ? counted.window : window_of(arrived, given.window);
  const asked = { filter, dimension, figure };
  const totals = await read_places(reading, own, { ...asked, window: told }, states);
  const kept = place.kind === "h3" ? kept_resolution(totals) : null;
  const resolution = kept === null ? null : Math.max(kept - coarser, 0);
  const areas = source.board.zones?.areas;
  const name_of = (key: string) =>
    place.kind === "zone" ? areas?.has(key) ? key : null : resolution === null ? null : cell_within(key, resolution);
  const places = [...places_by(totals, name_of)], shown = places.slice(0, MOST_TOLD);
  const unplaced = [...places_by(totals, (key) => name_of(key) === null ? "" : null).values()];
  const summed = figure_of(board, figure), value = (of: PlaceTotals) => place_figure(summed, of);
  const before = !then || earlier === null
    ? null
    : places_by(await read_places(reading, own, { ...asked, window: earlier }, states), name_of);
  const nothing: PlaceTotals = { count: 0n, amount: 0n };
  const was = shown.map(([name]) => before?.get(name) ?? nothing);
  return JSON.stringify({
    log_id: given.head.figures_id,
    position,
    place: dimension,
    ...said_currency(board),
    figure,
    unit: summed.unit,
    resolution,
    kept_resolution: kept,
    from_s: told.from_s,
    to_s: told.to_s,
    computed,
    left_out: places.length - shown.length + totals.reduce((sum, { key, keys }) => key === null ? sum + keys : sum, 0),
    unplaced: unplaced.length === 0 ? null : value(unplaced[0]!),
    keys: shown.map(([name]) => name),
    counts: shown.map(([, { count }]) => Number(count)),
    values: shown.map(([, of]) => value(of)),
    ...before === null ? {} : {
      then: {
        ...{ from_s: earlier!.from_s, to_s: earlier!.to_s, least_base: LEAST_BASE },
        counts: was.map(({ count }) => Number(count)),
        values: was.map(value),
      },
    },
    ...shapes
      ? {
        shapes: shown.map(([name]) => place.kind === "zone" ? areas?.get(name)?.rings ?? [] : [cell_shape(name) ?? []]),
      }
      : {},
  });
}

/** The finest resolution of the cells among keys; null: of none. */
function kept_resolution(totals: readonly { readonly key: string | null }[]): number | null {
  const found = totals.flatMap(({ key }) => key === null ? [] : resolution_of(key) ?? []);
  return found.length === 0 ? null : found.reduce((finest, each) => Math.max(finest, each));
}

/** What arrived lies between these. */
const window_of = ({ from_s, to_s }: Arrived, window: Window): Window => ({ ...window, from_s, to_s });

/** Adds `/api/v1/map/backdrop`: lines behind a map, such as of water and streets. None where the deployment gives none. */
function add_shapes_route(app: App, { board: { zones }, build }: BoardSource): void {
  if (zones === undefined || zones.backdrop.length === 0) return;
  const body = JSON.stringify({ shapes: zones.backdrop });
  add_endpoint(app, {
    path: "/api/v1/map/backdrop",
    summary:
      "Lines behind the map, each of corners in millionths of a degree: the first, then the way from each to the next",
    query: {},
    params: {},
    answer: {
      type: "application/json",
      schema: z.object({ shapes: z.array(z.array(z.number())) }).openapi("MapBackdrop"),
    },
    respond: (_values, request) => Promise.resolve(answer_json(request, `W/"backdrop-${body.length}-${build}"`, body)),
  });
}
