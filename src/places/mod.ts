/**
 * Where things are: the shapes of places that keys name, H3 cells, and areas and lines that a deployment gives as GeoJSON. Pure.
 *
 * Decision: the server tells shapes, in whole numbers, once to each who looks at a map. A page that computed them would carry all of h3-js,
 * four times what it weighs itself.
 */
import { cellToBoundary, cellToParent, getResolution, isValidCell } from "h3-js";

/**
 * A ring of corners, in millionths of a degree: latitude and longitude of the first, then how far each lies from the one before. Longitudes run
 * on past 180 rather than jump, so that a shape never goes round the world. It ends where it begins, without saying so.
 */
type Ring = readonly number[];

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

// GeoJSON (RFC 7946) is checked strictly, and made as small as a screen can tell.

/** What a file of areas may hold. */
export const AREA_LIMITS = { bytes: 64 << 20, areas: 2_000, points: 2_000_000, characters: 100 } as const;
/** Corners that lie nearer to the one before than this part of the whole are left out: no screen shows them, but closely looked at. */
const FINENESS = 1 / 6_000;

/** A zone as it is drawn. */
interface Area {
  readonly name: string;
  readonly rings: readonly Ring[];
}

/** A file that is no such areas: what was expected, what came, and where. */
export class AreasFault extends Error {}

type Corner = readonly [lat: number, lon: number];

/**
 * Reads a FeatureCollection of polygons. Features of one key are one area.
 * @param properties those that have the key of an area, and its name; where a feature has no name the key is it
 * @returns areas by key. Throws AreasFault.
 */
export function read_areas(
  text: string,
  properties: { readonly key: string; readonly name: string },
): ReadonlyMap<string, Area> {
  const found = new Map<string, { name: string; rings: Corner[][] }>();
  for (const [i, feature] of features_of(text).entries()) {
    const at = `features[${i}]`, own = object(feature, at), named = object(own.properties, `${at}.properties`);
    const key = word(named[properties.key], `${at}.properties.${properties.key}`);
    const name = named[properties.name] == null
      ? key
      : word(named[properties.name], `${at}.properties.${properties.name}`);
    const rings = polygons_of(own.geometry, `${at}.geometry`);
    const before = found.get(key);
    if (before !== undefined) before.rings.push(...rings);
    else if (found.size >= AREA_LIMITS.areas) {
      throw new AreasFault(`expected at most ${AREA_LIMITS.areas} areas, got more`);
    } else found.set(key, { name, rings });
  }
  if (found.size === 0) throw new AreasFault("expected features, got none");
  const all = [...found.values()].flatMap(({ rings }) => rings);
  const points = all.reduce((sum, ring) => sum + ring.length, 0);
  if (points > AREA_LIMITS.points) {
    throw new AreasFault(`expected at most ${AREA_LIMITS.points} corners, got ${points}`);
  }
  const least = extent_of(all) * FINENESS;
  return new Map(
    [...found].map((
      [key, { name, rings }],
    ) => [key, { name, rings: rings.map((ring) => ring_of(thinned(ring, least))) }]),
  );
}

/**
 * Reads a FeatureCollection of lines or polygons as lines, whatever they are called.
 * @returns lines, those around polygons end where they begin. Throws AreasFault.
 */
export function read_lines(text: string): readonly Ring[] {
  const lines: Corner[][] = [];
  let points = 0;
  for (const [i, feature] of features_of(text).entries()) {
    const at = `features[${i}].geometry`, geometry = object(object(feature, `features[${i}]`).geometry, at);
    const { type, coordinates } = geometry;
    const own = type === "LineString"
      ? [corners_of(coordinates, `${at}.coordinates`, false)]
      : type === "MultiLineString"
      ? list(coordinates, `${at}.coordinates`).map((line, n) => corners_of(line, `${at}.coordinates[${n}]`, false))
      : polygons_of(geometry, at).map((ring) => [...ring, ring[0]!]);
    lines.push(...own);
    points += own.reduce((sum, line) => sum + line.length, 0);
    if (points > AREA_LIMITS.points) throw new AreasFault(`expected at most ${AREA_LIMITS.points} corners, got more`);
  }
  const least = extent_of(lines) * FINENESS;
  return lines.map((line) => ring_of(thinned(line, least)));
}

function features_of(text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AreasFault(`expected JSON: ${(error as Error).message}`);
  }
  const { type, features } = object(value, "the file");
  if (type !== "FeatureCollection" || !Array.isArray(features)) {
    throw new AreasFault(`expected a FeatureCollection with features, got type ${said(type)}`);
  }
  return features;
}

function polygons_of(value: unknown, at: string): Corner[][] {
  const { type, coordinates } = object(value, at);
  if (type !== "Polygon" && type !== "MultiPolygon") {
    throw new AreasFault(`${at}.type: expected Polygon or MultiPolygon, got ${said(type)}`);
  }
  const polygons = type === "Polygon" ? [coordinates] : list(coordinates, `${at}.coordinates`);
  return polygons.flatMap((polygon, p) => {
    const place = type === "Polygon" ? `${at}.coordinates` : `${at}.coordinates[${p}]`;
    return list(polygon, place).map((ring, r) => corners_of(ring, `${place}[${r}]`));
  });
}

function corners_of(value: unknown, at: string, closed = true): Corner[] {
  const corners = list(value, at).map((position, i): Corner => {
    const [lon, lat] = Array.isArray(position) ? position : [];
    const is_place = typeof lon === "number" && typeof lat === "number" && Math.abs(lon) <= 360 && Math.abs(lat) <= 90;
    if (!is_place) {
      const got = JSON.stringify(position)?.slice(0, 60);
      throw new AreasFault(
        `${at}[${i}]: expected longitude and latitude in degrees, got ${got}; other projections are not read`,
      );
    }
    return [lat, lon];
  });
  const fewest = closed ? 4 : 2;
  if (corners.length < fewest) {
    throw new AreasFault(`${at}: expected at least ${fewest} positions, got ${corners.length}`);
  }
  if (!closed) return corners;
  const [first, last] = [corners[0]!, corners.at(-1)!];
  if (first[0] !== last[0] || first[1] !== last[1]) {
    throw new AreasFault(
      `${at}: expected a ring that ends where it begins, got [${last[1]}, ${last[0]}] after [${first[1]}, ${first[0]}]`,
    );
  }
  return corners.slice(0, -1);
}

/** Corners without those that lie nearly where the one before does; three at least stay. */
function thinned(ring: readonly Corner[], least: number): readonly Corner[] {
  let last = ring[0]!;
  const kept = ring.filter((corner, i) => {
    if (i > 0 && Math.hypot(corner[0] - last[0], corner[1] - last[1]) < least) return false;
    last = corner;
    return true;
  });
  return kept.length >= 3 ? kept : ring.slice(0, 3);
}

/** How far rings reach, degrees. */
function extent_of(rings: readonly (readonly Corner[])[]): number {
  const [least, most] = [[90, 360], [-90, -360]] as [[number, number], [number, number]];
  for (const corner of rings.flat()) {
    for (const axis of [0, 1] as const) {
      least[axis] = Math.min(least[axis], corner[axis]);
      most[axis] = Math.max(most[axis], corner[axis]);
    }
  }
  return Math.hypot(most[0] - least[0], most[1] - least[1]);
}

const said = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? "nothing";

function object(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AreasFault(`${at}: expected an object, got ${said(value)}`);
}

function list(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new AreasFault(`${at}: expected a list, got ${said(value)}`);
}

/** A key or a name: text, or a number as a key is written. */
export function word(value: unknown, at: string): string {
  const text = typeof value === "number" && Number.isFinite(value) ? String(value) : value;
  if (typeof text === "string" && text.trim() !== "" && text.length <= AREA_LIMITS.characters) return text.trim();
  throw new AreasFault(
    `${at}: expected a text of 1 to ${AREA_LIMITS.characters} characters or a number, got ${said(value)}`,
  );
}
