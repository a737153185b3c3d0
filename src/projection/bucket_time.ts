/** SQL for the time of a bucket given in seconds; exact, since buckets start on whole seconds. */
export const AT = (seconds: string): string => `timestamptz 'epoch' + ${seconds} * interval '1 second'`;

/** The time of a bucket given in microseconds, for people. */
export const time_of = (bucket_us: number): string => {
  const time = new Date(bucket_us / 1000);
  return Number.isNaN(time.getTime()) ? String(bucket_us) : time.toISOString();
};
