/**
 * What late is, in one place: how far event time may run on before a window is closed, and for whom that counts.
 *
 * The watermark of a log is the greatest event time it has admitted. A window is closed once the watermark is 5 minutes past its end.
 * A message is late when the minute of the newest of its events was closed before it came; all its events are late then. What one
 * message tells at once is not late against itself: a record of a whole stream tells its start when it ends. Late events count all
 * the same, in the window they belong to.
 *
 * Five minutes, not one: a phone without network, a consumer that is restarted and partitions that are read at different speeds are in time.
 */

/** How far past a window's end event time has to come before the window is closed, microseconds. */
export const LATENESS_US = 300e6;

const MINUTE_US = 60e6;

/** The watermark at which a window is closed that ends at `end_us`, microseconds. */
export const closes_at = (end_us: number): number => end_us + LATENESS_US;

/** Minutes that end by this time are closed, microseconds: whose newest event lies before it is late. */
export const closed_before = (watermark_us: number): number =>
  Math.floor((watermark_us - LATENESS_US) / MINUTE_US) * MINUTE_US;
