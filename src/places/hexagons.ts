import { cellToBoundary, cellToParent, getResolution, isValidCell } from "h3-js";

/** H3 cells as shapes. Pure. */

/**
 * A ring of corners, in millionths of a degree: latitude and longitude of the first, then how far each lies from the one before. Longitudes run
 * on past 180 rather than jump, so that a shape never goes round the world. It ends where it begins, without saying so.
 */
export type Ring = readonly number[];

const MICRO_DEGREES = 1e6;
const ROUND = 360 * MICRO_DEGREES;

/** The ring of corners [latitude, longitude], degrees. */
export function ring_of(corners: readonly (readonly [lat: number, lon: number])[]): Ring {
  const ring: number[] = [];
  let [last_lat, last_lon] = [0, 0];
  for (const [lat, lon] of corners) {
    const [y, x] = [Math.round(lat * MICRO_DEGREES), Math.round(lon * MICRO_DEGREES)];
    const turns = ring.length === 0 ? 0 : Math.round((last_lon - x) / ROUND);
    const unwrapped = x + turns * ROUND;
    ring.push(y - last_lat, unwrapped - last_lon);
    [last_lat, last_lon] = [y, unwrapped];
  }
  return ring;
}

/** Shapes that were made, so that the same cells are not computed anew several times a second. */
const MOST_KEPT = 50_000;
const shapes = new Map<string, Ring | null>();

/** The shape of a cell; null of what is none. */
export function cell_shape(key: string): Ring | null {
  let shape = shapes.get(key);
  if (shape === undefined) {
    if (shapes.size >= MOST_KEPT) shapes.clear();
    shapes.set(key, shape = isValidCell(key) ? ring_of(cellToBoundary(key)) : null);
  }
  return shape;
}

/** The cell of a coarser resolution that a cell lies in, or itself; null of what is no cell, or of a coarser one. */
export function cell_within(key: string, resolution: number): string | null {
  if (!isValidCell(key)) return null;
  const own = getResolution(key);
  return own === resolution ? key : own > resolution ? cellToParent(key, resolution) : null;
}

/** The resolution of a cell; null of what is none. */
export const resolution_of = (key: string): number | null => isValidCell(key) ? getResolution(key) : null;
