import { z } from "@hono/zod-openapi";
import type { DomainBoard, ShownField } from "../../domains/mod.ts";
import { decimal_text } from "../../feed/mod.ts";
import { format_time } from "../../kpi/mod.ts";

/**
 * A state as the API gives it, by the fields that its domain declares: amounts as decimal text, times in RFC 3339 UTC, all else as text or
 * number; null is unknown.
 */

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

type StateRow = Readonly<Record<string, unknown>>;

function field_json(field: ShownField, value: unknown): unknown {
  return field.many
    ? (value as readonly unknown[] ?? []).map((one) => value_json(field, one))
    : value_json(field, value);
}

function value_json({ kind, per }: ShownField, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (kind) {
    case "time":
      return format_time(Number(value));
    case "amount":
      return decimal_text(BigInt(String(value)), 6, 2);
    case "number":
      return Number(value) / per;
    case "text":
      return value;
  }
}

/** Fields of a state, by the names and in the units of the API. */
export const fields_json = (fields: readonly ShownField[], row: StateRow): Record<string, unknown> =>
  Object.fromEntries(fields.map((field) => [field.name, field_json(field, row[field.column])]));

/** The state of a row that `state_select` gave, or of a state's columns with its id, `revision` and `position`. */
export const state_json = ({ stream_column, fields }: DomainBoard, row: StateRow): Record<string, unknown> => ({
  [stream_column]: row[stream_column],
  ...fields_json(fields.filter(({ always }) => always), row),
  revision: Number(row.revision),
  position: Number(row.position),
  ...fields_json(fields.filter(({ always }) => !always), row),
});
