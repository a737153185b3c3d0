import { z } from "@hono/zod-openapi";
import type { Database } from "../database/mod.ts";
import { read_at, read_head, type RecordedEvent } from "../event_log/mod.ts";
import type { DomainBoard } from "../domains/mod.ts";
import type { StreamHistory } from "../projection/mod.ts";
import { CHANGE, change_json } from "./change_json.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { EVENT, event_json } from "./event_json.ts";
import { position } from "./parameters.ts";
import { bad_request, not_found, problem } from "./problem.ts";
import { answer_tagged, etag_of, read_only } from "./reading.ts";
import { state_json, state_schema, state_select } from "./state_json.ts";

/** What one trip is told from. */
export interface TripSource {
  readonly database: Database;
  readonly build: string;
  readonly board: DomainBoard;
  readonly time_zone: string;
  readonly currency: string;
  /** What each event of a trip changed, from all its events up to some position. */
  readonly history: (events: readonly RecordedEvent[]) => StreamHistory;
}

/** The schema of a trip, by itself and in lists. */
export const trip_schema = (board: DomainBoard) => state_schema(board).openapi("Trip");

const WITH_EVENTS = {
  as_of_position: z.number().nullable().openapi({ description: "The position it is told as of; null: as it is now" }),
  deployment: z.object({ time_zone: z.string(), currency: z.string() }).openapi({
    description: "The business time zone, and the currency of all amounts",
  }),
  events: z.array(EVENT),
  changes: z.array(CHANGE).nullable().openapi({
    description:
      "For each event what its arrival changed; null when an event is refused today, then changes_fault says so",
  }),
  changes_fault: z.string().nullable(),
};

/**
 * Adds `GET /api/v1/trips/{id}`. Its entity tag is that of the trip's newest event, not of the log: who watches a trip is
 * answered 304 however much else happens.
 */
export function add_trip_route(app: App, source: TripSource): void {
  const { board } = source;
  const select = state_select(board);
  add_endpoint(app, {
    path: "/api/v1/trips/{id}",
    summary: "One trip, its events in the order in which they arrived, and what each of them changed",
    query: { as_of_position: position.optional() },
    params: {
      id: z.string().min(1).max(200).openapi({ description: "The trip, as its producer names it", example: "T-1042" }),
    },
    answer: { type: "application/json", schema: trip_schema(board).extend(WITH_EVENTS).openapi("TripWithEvents") },
    others: {
      404: "No event of that trip has arrived, or had by then",
      500: "As it stood then it cannot be told today",
    },
    respond: ({ id, as_of_position = null }, request) =>
      read_only(source.database, async (reading) => {
        const head = await read_head(reading);
        if (as_of_position !== null && as_of_position > head.position) {
          const detail = `expected at most ${head.position}, the log's position now; got ${as_of_position}`;
          return bad_request("read the position", [{ path: "as_of_position", detail }]);
        }
        const [row] = await reading.query<{ all_positions: readonly (string | number)[] }>(
          `select ${select}, states.positions as all_positions from trips states where trip_id = $1`,
          [id],
        );
        const positions = (row?.all_positions ?? []).map(Number).filter((at) => at <= (as_of_position ?? Infinity));
        const newest = positions.at(-1);
        if (row === undefined || newest === undefined) return not_found(`no trip ${JSON.stringify(id)}`);
        return await answer_tagged(request, etag_of({ ...head, position: newest }, source.build), async () => {
          const events = await read_at(reading, positions);
          const history = source.history(events);
          if (as_of_position === null) return whole_trip(source, state_json(board, row), null, events, history);
          if (!history.ok) return problem({ status: 500, title: "Cannot be folded", detail: history.fault });
          const then = { ...history.steps.at(-1)?.after, trip_id: id, revision: events.length, position: newest };
          return whole_trip(source, state_json(board, then), as_of_position, events, history);
        });
      }),
  });
}

function whole_trip(
  { board, time_zone, currency }: TripSource,
  trip: Record<string, unknown>,
  as_of_position: number | null,
  events: readonly RecordedEvent[],
  history: StreamHistory,
): string {
  const plain = { ...trip, as_of_position, deployment: { time_zone, currency } };
  const changes = history.ok ? `[${history.steps.map((step) => change_json(step, board)).join(",")}]` : "null";
  const fault = JSON.stringify(history.ok ? null : history.fault);
  return `${JSON.stringify(plain).slice(0, -1)},"events":[${events.map(event_json).join(",")}],"changes":${changes},` +
    `"changes_fault":${fault}}`;
}
