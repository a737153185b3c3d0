import { cellToLatLng, cellToParent, gridDisk, latLngToCell } from "h3-js";
import { cell_shape } from "../../src/places/mod.ts";

/** Places that are made from their number, and what a map is told of them: for a page that has no server behind it. Pure. */

/** Cells around the middle of a city, most of them within it: enough for the greatest map. */
const MIDDLE = { lat: 40.7549, lon: -73.984 };
const RESOLUTION = 8;
const cells = new Map<number, string[]>();

function cells_of(count: number): string[] {
  let found = cells.get(count);
  if (found === undefined) {
    const rings = Math.ceil(Math.sqrt(count / 3)) + 1;
    found = gridDisk(latLngToCell(MIDDLE.lat, MIDDLE.lon, RESOLUTION), rings).slice(0, count);
    cells.set(count, found);
  }
  return found;
}

/** How much is counted in a cell: less the farther out, and other at each time. */
function count_at(key: string, i: number, time: number): number {
  const [lat, lon] = cellToLatLng(key);
  const far = Math.hypot(lat - MIDDLE.lat, (lon - MIDDLE.lon) * 0.76);
  const wave = 1 + 0.4 * Math.sin(time / 3 + i) + 0.5 * Math.sin(time / 5 + lon * 40);
  return Math.max(Math.round(400 * Math.exp(-far * 14) * wave + (i % 7)), i % 5 === 0 ? 0 : 1);
}

/** What a map of so many cells is told; each query of another stretch, or each time, has other figures. */
export function made_map(query: URLSearchParams, count: number, time: number) {
  const coarser = Number(query.get("coarser") ?? 0), figure = query.get("figure") ?? "completed";
  const counted = (at: number) => {
    const sums = new Map<string, number>();
    cells_of(count).forEach((key, i) => {
      const of = coarser === 0 ? key : cellToParent(key, RESOLUTION - coarser);
      sums.set(of, (sums.get(of) ?? 0) + count_at(key, i, at));
    });
    return sums;
  };
  const from = Date.parse(query.get("from") ?? ""), at = Number.isNaN(from) ? time : from / 1_800_000;
  const now = [...counted(at)].filter(([, counts]) => counts > 0).sort(([, a], [, b]) => b - a);
  const value = (counts: number) => figure === "revenue" ? Math.round(counts * 1_873) / 100 : counts;
  const keys = now.map(([key]) => key), then = counted(at - 77);
  const was = keys.map((key) => then.get(key) ?? 0);
  return {
    log_id: "log",
    position: 1,
    place: query.get("place"),
    figure,
    unit: figure === "revenue" ? "money" : "count",
    resolution: RESOLUTION - coarser,
    kept_resolution: RESOLUTION,
    from_s: 0,
    to_s: 0,
    computed: false,
    left_out: 0,
    unplaced: 31,
    keys,
    counts: now.map(([, counts]) => counts),
    values: now.map(([, counts]) => value(counts)),
    ...query.get("then") === "1"
      ? { then: { from_s: 0, to_s: 0, least_base: 20, counts: was, values: was.map(value) } }
      : {},
    ...query.get("shapes") === "1" ? { shapes: keys.map((key) => [cell_shape(key)]) } : {},
  };
}
