import type { VehicleType } from "./habits.ts";

/** What a ride costs: cents to get in, cents a kilometre, cents a minute, and the least a ride costs. */
interface Tariff {
  readonly base: number;
  readonly per_km: number;
  readonly per_min: number;
  readonly least: number;
}

const tariffs: Readonly<Record<VehicleType, Tariff>> = {
  economy: { base: 220, per_km: 95, per_min: 22, least: 500 },
  comfort: { base: 300, per_km: 125, per_min: 30, least: 700 },
  electric: { base: 260, per_km: 105, per_min: 24, least: 600 },
  suv: { base: 420, per_km: 175, per_min: 38, least: 1_000 },
  van: { base: 500, per_km: 195, per_min: 42, least: 1_200 },
  scooter: { base: 100, per_km: 45, per_min: 15, least: 200 },
};

/** The fare in cents of a ride of `distance_m` metres and `duration_ms` milliseconds; surge multiplies all of it. */
export function fare_cents(vehicle_type: VehicleType, distance_m: number, duration_ms: number, surge: number): number {
  const tariff = tariffs[vehicle_type];
  const metered = tariff.base + (tariff.per_km * distance_m) / 1_000 + (tariff.per_min * duration_ms) / 60_000;
  return Math.round(Math.max(tariff.least, metered) * surge);
}

/** The least that a ride costs, cents, before any surge. No correction takes a fare below it. */
export const least_cents = (vehicle_type: VehicleType): number => tariffs[vehicle_type].least;

/** What demand makes of the price, in tenths from 1 to 2.5: `crowding` is demand over its usual level. */
export function surge_factor(crowding: number): number {
  return Math.min(25, Math.max(10, Math.round(10 + (crowding - 1.6) * 6))) / 10;
}

/** Cents as a decimal amount: 1860 is "18.60". */
export function amount_text(cents: number): string {
  const part = cents % 100;
  return `${Math.floor(cents / 100)}.${part < 10 ? "0" : ""}${part}`;
}
