/** A day of the business time zone: its date and the instant it starts, in microseconds since the epoch. */
export type LocalDay = { date: string; start_us: number };

/** Since 1972 every zone is off UTC by whole minutes, so that all instants of one UTC minute share their local day. */
const WHOLE_MINUTES_SINCE_US = Date.UTC(1973, 0, 1) * 1000;
const MINUTE_US = 60_000_000;

/** Makes the function that finds the local day of an instant; days of 23 or 25 hours come out right. Throws on an unknown zone. */
export function local_days(time_zone: string): (at_us: number) => LocalDay {
  const known = new Map<number, LocalDay>();

  function find(at_us: number): LocalDay {
    const local = Temporal.Instant.fromEpochNanoseconds(BigInt(at_us) * 1000n).toZonedDateTimeISO(time_zone);
    // Clocks that go back over midnight show the day before once more; the day that began goes on all the same.
    const next = local.toPlainDate().add({ days: 1 }).toZonedDateTime(time_zone);
    const day = next.epochMilliseconds * 1000 <= at_us ? next : local.startOfDay();
    return { date: day.toPlainDate().toString(), start_us: day.epochMilliseconds * 1000 };
  }

  find(0);
  return (at_us) => {
    if (at_us < WHOLE_MINUTES_SINCE_US) return find(at_us);
    const minute = Math.floor(at_us / MINUTE_US);
    let day = known.get(minute);
    if (!day) known.set(minute, day = find(minute * MINUTE_US));
    return day;
  };
}
