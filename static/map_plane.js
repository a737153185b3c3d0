/** Places on a plane: projection, steps of colour, neighbours, and the H3 cells within a cell. Pure. */

/** A point in Web Mercator, from 0 to 1 over the world, of millionths of a degree. */
export function project(lat, lon) {
  const angle = Math.min(Math.max(lat / 1e6, -85), 85) * Math.PI / 180;
  return [lon / 360e6 + 0.5, 0.5 - Math.log(Math.tan(Math.PI / 4 + angle / 2)) / (2 * Math.PI)];
}

/** A shape as the server tells it, on the plane: rings [x, y, x, y, …], the middle of the one with the most corners, and how far all reach from that. */
export function shape_of(told, convex = true) {
  const rings = told.map(ring_of).sort((a, b) => b.length - a.length), [first] = rings;
  let [x, y, reach] = [0, 0, 0];
  for (let i = 0; i < first.length; i += 2) {
    x += first[i] * 2 / first.length;
    y += first[i + 1] * 2 / first.length;
  }
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i += 2) reach = Math.max(reach, Math.hypot(ring[i] - x, ring[i + 1] - y));
  }
  return { rings, x, y, reach, convex };
}

function ring_of(ring) {
  const points = new Float64Array(ring.length);
  let [lat, lon] = [0, 0];
  for (let i = 0; i < ring.length; i += 2) {
    lat += ring[i];
    lon += ring[i + 1];
    [points[i], points[i + 1]] = project(lat, lon);
  }
  return points;
}

/** Whether a point of the plane lies within a shape: an odd number of its borders lie to one side. */
export function is_within({ rings }, x, y) {
  let inside = false;
  for (const ring of rings) {
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      const [ax, ay, bx, by] = [ring[i], ring[i + 1], ring[j], ring[j + 1]];
      if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside;
    }
  }
  return inside;
}

/** The place that holds a point, of several the nearest; null of none. `near`: how far its middle may be where a place is too small to be hit. @returns {any} */
export function place_at(places, x, y, near) {
  let [found, least] = [null, Infinity];
  for (const place of places) {
    const { shape } = place, distance = Math.hypot(shape.x - x, shape.y - y);
    if (distance >= least || distance > Math.max(shape.reach, near)) continue;
    if (distance <= near || is_within(shape, x, y)) [found, least] = [place, distance];
  }
  return found;
}

/** The next place in a direction (dx, dy of -1, 0 or 1): near, and not far aside; null where there is none. @returns {any} */
export function neighbour(places, from, dx, dy) {
  let [found, least] = [null, Infinity];
  for (const place of places) {
    const [x, y] = [place.shape.x - from.shape.x, place.shape.y - from.shape.y];
    const [along, aside] = [x * dx + y * dy, Math.abs(x * dy) + Math.abs(y * dx)];
    const cost = along + 2 * aside;
    if (along > 1e-12 && aside <= along * 1.8 && cost < least) [found, least] = [place, cost];
  }
  return found;
}

/** What a view shows at first: all places, or where a few lie far from all others these others. One at the end of the world makes no city small. */
export function first_extent_of(places) {
  const [all, most] = [extent_of(places, 1), extent_of(places, 0.98)];
  const far = (from, to) => all !== null && all[to] - all[from] > 1.5 * (most[to] - most[from]);
  return far("from_x", "to_x") || far("from_y", "to_y") ? most : all;
}

/** The middle of places that `of` them (0 to 1) lie in along each axis, by their weight; null of none. */
export function extent_of(places, of) {
  if (places.length === 0) return null;
  const side = (axis) => {
    const sorted = places.map(({ shape, weight }) => ({ at: shape[axis], weight })).sort((a, b) => a.at - b.at);
    const total = sorted.reduce((sum, { weight }) => sum + weight, 0), cut = total * (1 - of) / 2;
    let passed = 0;
    const inner = sorted.filter(({ weight }) => {
      const before = passed;
      passed += weight;
      return passed > cut && before < total - cut;
    });
    return [inner[0].at, inner.at(-1).at];
  };
  const [[from_x, to_x], [from_y, to_y]] = [side("x"), side("y")];
  const reach = Math.max(...places.slice(0, 50).map(({ shape }) => shape.reach));
  return { from_x: from_x - reach, to_x: to_x + reach, from_y: from_y - reach, to_y: to_y + reach };
}

/** Borders of so many steps that hold about equally many values: the least value of each step but the first, ascending, each once. @returns {number[]} */
export function quantile_borders(values, steps) {
  const sorted = Float64Array.from(values).sort();
  const borders = [];
  for (let i = 1; i < steps; i++) {
    const border = sorted[Math.ceil(i * sorted.length / steps)];
    if (border > (borders.at(-1) ?? sorted[0])) borders.push(border);
  }
  return borders;
}

/** The borders of a change: halved, a bit less, about the same, a bit more, half as much again. */
export const CHANGE_BORDERS = [-0.5, -0.15, 0.15, 0.5];

/** The step that a value lies in. */
export function step_of(borders, value) {
  let step = 0;
  while (step < borders.length && value >= borders[step]) step++;
  return step;
}

/** A change as a part of what was then; null where that was too little to tell. */
export function change_of({ value, count, then }, least_base) {
  if (then === null || then.count < least_base || !(then.value > 0) || count === null || value === null) return null;
  return value / then.value - 1;
}

const PENTAGON_BASES = new Set([4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117]);

/** The H3 cells of the next resolution within a cell: seven, of a pentagon six; itself of one of the finest. The digits of an index say where it lies. */
export function cells_within(key) {
  const index = BigInt(`0x${key}`), resolution = Number(index >> 52n & 15n);
  if (resolution === 15) return [key];
  const digit_at = (of) => BigInt(3 * (15 - of));
  const base = Number(index >> 45n & 127n);
  const digits = Array.from({ length: resolution }, (_, i) => Number(index >> digit_at(i + 1) & 7n));
  const pentagon = PENTAGON_BASES.has(base) && digits.every((digit) => digit === 0);
  const finer = index & ~(15n << 52n) & ~(7n << digit_at(resolution + 1)) | BigInt(resolution + 1) << 52n;
  return [0, 1, 2, 3, 4, 5, 6].filter((digit) => !(pentagon && digit === 1))
    .map((digit) => (finer | BigInt(digit) << digit_at(resolution + 1)).toString(16));
}
