import { faker } from "@faker-js/faker/locale/en";
import { hours_of_week } from "./demand.ts";
import { pick_vehicle_type } from "./habits.ts";
import type { VehicleType } from "./habits.ts";
import type { Random } from "./random.ts";

export interface Driver {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly vehicle_type: VehicleType;
  /** Hour of the day at which the shift starts, local time. */
  readonly shift_start_hour: number;
  readonly shift_hours: number;
  /** The weekdays without a shift, Monday is 0. */
  readonly days_off: readonly number[];
}

/** Makes the driver with this index (counted through all places); the name is the next that the seeded faker gives. */
export function make_driver(random: Random, index: number): Driver {
  const day_off = random.whole(0, 7);
  return {
    index,
    id: `D${String(index + 1).padStart(4, "0")}`,
    name: faker.person.fullName(),
    vehicle_type: pick_vehicle_type(random),
    // Early, day and evening shifts; a few drive through the night.
    shift_start_hour: [5, 7, 9, 13, 15, 17, 20][random.whole(0, 7)] ?? 7,
    shift_hours: random.whole(7, 11),
    days_off: [day_off, (day_off + random.whole(1, 4)) % 7],
  };
}

/** The drivers on shift in each hour of the week. */
export function drivers_on_shift(drivers: readonly Driver[]): Driver[][] {
  const on_shift = Array.from({ length: hours_of_week }, (): Driver[] => []);
  for (const driver of drivers) {
    for (let day = 0; day < 7; day++) {
      if (driver.days_off.includes(day)) continue;
      for (let hour = 0; hour < driver.shift_hours; hour++) {
        on_shift[(day * 24 + driver.shift_start_hour + hour) % hours_of_week]?.push(driver);
      }
    }
  }
  return on_shift;
}
