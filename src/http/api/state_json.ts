import type { RecordedEvent } from "../../event_log/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import { z } from "@hono/zod-openapi";
import type { DomainBoard, ShownField } from "../../domains/mod.ts";

/** A state as the API reads it and says what it is: `state_json` of its domain writes it. */

/** What a field says where its domain says nothing more. */
const SAYS: Readonly<Record<ShownField["kind"], string>> = {
  time: "RFC 3339, UTC; null: not told",
  text: "As its producer names it; null: unknown",
  number: "As its producer says; null: unknown",
  amount: "Decimal text, in the deployment's currency",
};
const AMOUNT_BY_CURRENCY = "Decimal text, in its currency";

/** The select list of a state, from its table under the name `states`. */
export const state_select = ({ stream_column, fields }: DomainBoard): string =>
  [
    `states.${stream_column}`,
    "states.revision",
    "states.positions[cardinality(states.positions)] as position",
    ...fields.map(({ column, kind, many }) => {
      const value = many ? "item" : `states.${column}`;
      const read = kind === "time" ? `(extract(epoch from ${value}) * 1000000)::bigint` : value;
      if (many) return `array(select ${read}::text from unnest(states.${column}) item) as ${column}`;
      return kind === "time" ? `${read} as ${column}` : read;
    }),
  ].join(", ");

/** The schema of a state. */
export function state_schema({ noun, stream_column, fields, by_currency }: DomainBoard) {
  const says_of = (kind: ShownField["kind"]) =>
    kind === "amount" && by_currency !== undefined ? AMOUNT_BY_CURRENCY : SAYS[kind];
  const shown = (some: readonly ShownField[]) =>
    Object.fromEntries(some.map(({ name, kind, values, always, many, says }) => {
      const known = values !== null ? z.enum(values) : kind === "number" ? z.number() : z.string();
      const said = many ? z.array(known) : always ? known : known.nullable();
      return [name, said.openapi({ description: says ?? says_of(kind) })];
    }));
  return z.object({
    [stream_column]: z.string().openapi({ description: `The ${noun}, as its producer names it` }),
    ...shown(fields.filter(({ always }) => always)),
    revision: z.number().openapi({ description: "How many events of it are in the log" }),
    position: z.number().openapi({ description: "Position of its newest event" }),
    ...shown(fields.filter(({ always }) => !always)),
  }).openapi(title(noun));
}

/** The field that says what became of a stream; null where states have none. */
export const status_field = ({ fields }: DomainBoard): ShownField | null =>
  fields.find(({ name }) => name === "status") ?? null;

/** A noun as titles and the names of schemas begin with it. */
export const title = (noun: string): string => noun.charAt(0).toUpperCase() + noun.slice(1);

/** A recorded event as the API gives it. */
export const EVENT = z.object({
  position: z.number(),
  stream_id: z.string(),
  revision: z.number(),
  event_id: z.string(),
  type: z.string(),
  schema_version: z.number(),
  occurred_at: z.string(),
  recorded_at: z.string(),
  data: z.record(z.string(), z.unknown()),
  metadata: z.record(z.string(), z.unknown()),
}).openapi("RecordedEvent");

/** Writes an event as JSON. Data and metadata go through as the log has them: parsing would round long numbers. */
export function event_json(event: RecordedEvent): string {
  const { position, stream_id, revision, event_id, type, schema_version } = event;
  const occurred_at = format_time(event.occurred_at_us), recorded_at = format_time(event.recorded_at_us);
  const plain = { position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at };
  return `${JSON.stringify(plain).slice(0, -1)},"data":${event.data},"metadata":${event.metadata}}`;
}
