const KEPT = "completed fare_count fare_sum_micros distance_sum_m distance_count duration_sum_ms duration_count".split(
  " ",
);
const OTHERS =
  "trips requested started canceled conflicts fare_min_micros fare_max_micros tip_sum_micros voided voids_waiting waiting_sum_ms waiting_count";
const UNKEPT = OTHERS.split(" ");

/** SQL of a relation: the cells of trips, and the totals of drivers and passengers as cells of all of time, null in all that they do not keep. */
export const ALL_CELLS = `(
  select grain, bucket, dimension, key, ${
  [...KEPT, ...UNKEPT].join(", ")
}, last_position, first_position from trip_cells
  union all
  select 'all', timestamptz 'epoch', dimension, key, ${KEPT.join(", ")}, ${
  UNKEPT.map(() => "null").join(", ")
}, last_position, null
  from trip_totals)`;
