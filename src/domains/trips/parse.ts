import type { Validation } from "../domain.ts";
import { is_event_type, read_payload, SCHEMAS } from "./schemas.ts";
import { EVENT_TYPES, type TripPayload } from "./trip.ts";

/**
 * Validates the data of a trip event.
 * @param currency the deployment's currency: another one is refused, since currencies are not added up
 */
export function parse_trip_data(
  currency: string,
): (type: string, version: number, data: Readonly<Record<string, unknown>>) => Validation<TripPayload> {
  return (type, version, data) => {
    if (!is_event_type(type)) {
      const detail = `expected one of ${EVENT_TYPES.join(", ")}, got ${JSON.stringify(type.slice(0, 100))}`;
      return { ok: false, fault: { reason: "unknown_type", path: "type", detail } };
    }
    const schema = SCHEMAS[type][version];
    if (schema === undefined) {
      const known = Object.keys(SCHEMAS[type]).join(", ");
      const detail = `expected schema version ${known} of ${type}, got ${version}`;
      return { ok: false, fault: { reason: "unknown_version", path: "schema_version", detail } };
    }
    const payload = read_payload(type, version, data);
    if (payload === null) {
      const { error } = schema.safeParse(data);
      if (error === undefined) throw new Error(`read ${type}: its schema admits data that cannot be read`);
      const issue = error.issues[0]!;
      const path = issue.path.join(".");
      const missing = data[path] === undefined;
      const detail = missing ? `expected ${path}, which ${type} requires; it is absent` : issue.message;
      return { ok: false, fault: { reason: missing ? "missing_field" : "invalid_field", path, detail } };
    }
    if (payload.currency !== undefined && payload.currency !== currency) {
      const detail = `expected the currency of this deployment, ${currency}, got ${JSON.stringify(payload.currency)}`;
      return { ok: false, fault: { reason: "other_currency", path: "currency", detail } };
    }
    return { ok: true, value: payload };
  };
}
