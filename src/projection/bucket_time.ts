/** SQL for the time of a bucket given in seconds; exact, since buckets start on whole seconds. */
export const AT = (seconds: string): string => `timestamptz 'epoch' + ${seconds} * interval '1 second'`;

/** SQL for the date of a fact as `date_text` writes it: its time, and the id of the event that dates it. */
export const date_sql = (at: string, by: string): string =>
  `(to_char(${at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || ' ' || coalesce(${by}, '')) collate "C"`;

/** The time of a bucket given in microseconds, for people. */
export const time_of = (bucket_us: number): string => {
  const time = new Date(bucket_us / 1000);
  return Number.isNaN(time.getTime()) ? String(bucket_us) : time.toISOString();
};
