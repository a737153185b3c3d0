import { Fault, type Json } from "./json.ts";

const SHAPE = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const EARLIEST_YEAR = 1900;
const LATEST_YEAR = 2254;

/**
 * Reads an RFC 3339 time with a zone. Gives microseconds since the epoch, always a safe integer because the year 2254
 * is the last one allowed; or a fault.
 */
export function read_time(raw: Json, what: string): number | Fault {
  if (typeof raw !== "string") return new Fault(`${what} is not a text`);
  const match = SHAPE.exec(raw);
  if (!match) return new Fault(`${what} "${raw}" is not an RFC 3339 time with a zone`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const micros = Number((match[7] ?? "").slice(0, 6).padEnd(6, "0"));
  const zone_hours = Number(match[9] ?? 0);
  const zone_minutes = Number(match[10] ?? 0);

  const midnight_ms = Date.UTC(year, month - 1, day);
  const midnight = new Date(midnight_ms);
  const date_exists = midnight.getUTCMonth() === month - 1 && midnight.getUTCDate() === day;
  if (!date_exists || hour > 23 || minute > 59 || second > 59 || zone_hours > 23 || zone_minutes > 59) {
    return new Fault(`${what} "${raw}" does not exist`);
  }
  if (year < EARLIEST_YEAR || year > LATEST_YEAR) return new Fault(`${what} "${raw}" is not in 1900..2254`);

  const local_s = midnight_ms / 1000 + hour * 3600 + minute * 60 + second;
  const ahead_of_utc_s = (zone_hours * 3600 + zone_minutes * 60) * (match[8] === "-" ? -1 : 1);
  return (local_s - ahead_of_utc_s) * 1_000_000 + micros;
}
