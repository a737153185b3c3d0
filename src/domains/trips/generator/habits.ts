import { cumulate } from "./random.ts";
import type { Random } from "./random.ts";

export const vehicle_types = ["economy", "comfort", "electric", "suv", "van", "scooter"] as const;
export type VehicleType = (typeof vehicle_types)[number];

export const payment_methods = ["card", "wallet", "cash", "voucher"] as const;
export type PaymentMethod = (typeof payment_methods)[number];

const vehicle_shares = cumulate([0.42, 0.2, 0.13, 0.11, 0.06, 0.08]);
const payment_shares = cumulate([0.55, 0.2, 0.2, 0.05]);

/** The vehicle type of a driver, or the one a passenger usually asks for. */
export function pick_vehicle_type(random: Random): VehicleType {
  return vehicle_types[random.weighted(vehicle_shares)] ?? "economy";
}

/** A way to pay, as often as the city pays so. */
export function pick_payment_method(random: Random): PaymentMethod {
  return payment_methods[random.weighted(payment_shares)] ?? "card";
}

/** How likely a fare paid so is tipped at all. */
export const tip_shares: Readonly<Record<PaymentMethod, number>> = {
  card: 0.6,
  wallet: 0.4,
  cash: 0.15,
  voucher: 0.05,
};

/** Who cancels, and why. The list repeats what happens more often. */
export const cancellations: readonly { readonly canceled_by: string; readonly reason: string }[] = [
  { canceled_by: "passenger", reason: "changed_plans" },
  { canceled_by: "passenger", reason: "changed_plans" },
  { canceled_by: "passenger", reason: "waited_too_long" },
  { canceled_by: "passenger", reason: "found_another_ride" },
  { canceled_by: "driver", reason: "passenger_not_found" },
  { canceled_by: "driver", reason: "passenger_not_found" },
  { canceled_by: "driver", reason: "vehicle_problem" },
  { canceled_by: "system", reason: "no_driver_nearby" },
  { canceled_by: "system", reason: "payment_refused" },
];

/** Why a fare is corrected, and by which factors the fare is multiplied. */
export const adjustments: readonly { readonly reason: string; readonly factor: readonly [number, number] }[] = [
  { reason: "toll_added", factor: [1.05, 1.3] },
  { reason: "waiting_time_added", factor: [1.05, 1.2] },
  { reason: "route_corrected", factor: [0.7, 0.95] },
  { reason: "refund_granted", factor: [0, 0.5] },
];
