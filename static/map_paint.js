import { colour } from "./charts.js";

/** The canvas of a map: places in the colours of their steps, over them what is marked, and how the plane lies on the screen. */

/** A place is seen, and can be hit, however far away one looks from; pixels. */
const LEAST_REACH = 2.2;
/** Places of which one sees the borders are drawn so much smaller: a gap costs nothing, a line as much as the place. */
const GAP_PX = 0.6, GAP_FROM_PX = 5;
/** So many places are painted over in a frame, so that it stays short; the others in the next ones. */
const A_FRAME = 600;
/** How far one can look closer, pixels for the whole world. */
const CLOSEST = 2 ** 34;

/** Makes it: `element` holds two canvases, since what is pointed at changes often and places do not. `on_move` hears that another part of the plane is shown. */
export function make_canvas(on_move) {
  const [base, over] = [0, 1].map(() => document.createElement("canvas"));
  const element = document.createElement("div");
  element.className = "layers";
  element.ariaHidden = "true";
  element.append(base, over);
  const [ground, mark] = [base, over].map((canvas) => canvas.getContext("2d"));
  let view = null, drawn = null, size = { width: 0, height: 0 };
  const asked = new Set();
  /** Colours as a canvas takes them: asking for one lays the page out. */
  const colours_known = new Map();
  const shade = (token) => {
    if (!colours_known.has(token)) colours_known.set(token, colour(token));
    return colours_known.get(token);
  };

  const near = () => LEAST_REACH / (view?.scale ?? 1);
  const at = ({ offsetX, offsetY }) => [
    view.x + (offsetX - size.width / 2) / view.scale,
    view.y + (offsetY - size.height / 2) / view.scale,
  ];

  /** Adds a shape to the path of a pen; `part` of it around its middle. */
  function trace(pen, shape, part = 1) {
    const { scale } = view;
    const [left, top] = [size.width / 2 - view.x * scale, size.height / 2 - view.y * scale];
    const [x, y] = [shape.x * scale + left, shape.y * scale + top];
    if (shape.reach * scale < LEAST_REACH) {
      return pen.rect(x - LEAST_REACH, y - LEAST_REACH, 2 * LEAST_REACH, 2 * LEAST_REACH);
    }
    const by = scale * part, [from_x, from_y] = [x - shape.x * by, y - shape.y * by];
    for (const ring of shape.rings) {
      pen.moveTo(ring[0] * by + from_x, ring[1] * by + from_y);
      for (let i = 2; i < ring.length; i += 2) pen.lineTo(ring[i] * by + from_x, ring[i + 1] * by + from_y);
      if (shape.open !== true) pen.closePath();
    }
  }

  function is_in_sight({ x, y, reach }) {
    const { scale } = view, far = Math.max(reach, near());
    return Math.abs(x - view.x) - far < size.width / 2 / scale && Math.abs(y - view.y) - far < size.height / 2 / scale;
  }

  function outline(pen, shapes, token, width) {
    pen.beginPath();
    for (const shape of shapes) trace(pen, shape);
    pen.strokeStyle = shade(token);
    pen.lineWidth = width;
    pen.lineJoin = "round";
    pen.stroke();
  }

  /** An empty canvas, in pixels of the page; null while there is nothing to draw. */
  function cleared(pen) {
    if (view === null || drawn === null || size.width === 0) return null;
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, size.width, size.height);
    return drawn;
  }

  function paint_places() {
    const what = cleared(ground);
    if (what === null) return;
    const { places, colours, backdrop = [] } = what;
    if (backdrop.length > 0) outline(ground, backdrop.filter(is_in_sight), "--map-line", 1);
    fill(places.filter(({ shape }) => is_in_sight(shape)), colours);
    painted = { places, view, tokens: colours.join(), steps: places.map(({ step }) => step) };
  }

  /** What was painted last; places whose step is another one since are painted over. */
  let painted = null;

  function paint_changes() {
    const { places, colours } = drawn ?? {};
    const before = painted,
      same = before !== null && before.view === view && before.tokens === colours.join() &&
        before.places.length === places.length && places.every(({ shape }, i) => shape === before.places[i].shape);
    if (!same) return paint_places();
    const steps = before.steps.slice();
    const due = places.flatMap((place, i) => place.step === before.steps[i] ? [] : [[place, i]]).slice(0, A_FRAME);
    if (due.some(([{ step, shape }]) => step === null || !shape.convex)) return paint_places();
    for (const [{ step }, i] of due) steps[i] = step;
    fill(due.flatMap(([place]) => is_in_sight(place.shape) ? [place] : []), colours);
    painted = { ...before, places, steps };
    if (due.length === A_FRAME) soon(paint_changes);
  }

  function fill(places, colours) {
    const steps = Map.groupBy(places, ({ step }) => step);
    for (const [step, own] of steps) {
      if (step === null) {
        outline(ground, own.map(({ shape }) => shape), "--map-line", 1);
        continue;
      }
      const shapes = own.map(({ shape }) => shape), areas = shapes.filter(({ convex }) => !convex);
      ground.fillStyle = shade(colours[step]);
      // Cells lie side by side and are filled as one; areas may overlap, where one path of several would have a hole.
      for (const path of [shapes.filter(({ convex }) => convex), ...areas.map((area) => [area])]) {
        ground.beginPath();
        for (const shape of path) {
          const reach = shape.reach * view.scale;
          trace(ground, shape, shape.convex && reach > GAP_FROM_PX ? 1 - GAP_PX / reach : 1);
        }
        ground.fill("evenodd");
      }
      if (areas.length > 0) outline(ground, areas, "--panel", 0.8);
    }
  }

  function paint_marks() {
    const what = cleared(mark);
    if (what === null) return;
    const { chosen, marked } = what;
    if (chosen.length > 0) outline(mark, chosen.map(({ shape }) => shape), "--ink", 2.2);
    if (marked === null) return;
    outline(mark, [marked.shape], "--panel", 4.5);
    outline(mark, [marked.shape], "--ink", 2.2);
  }

  function soon(...paints) {
    if (asked.size === 0) {
      requestAnimationFrame(() => {
        const due = [...asked];
        asked.clear();
        for (const paint of due) paint();
      });
    }
    for (const paint of paints) asked.add(paint);
  }

  function resize() {
    const { clientWidth: width, clientHeight: height } = element;
    if (width === 0) return;
    const first = size.width === 0;
    size = { width, height };
    for (const canvas of [base, over]) {
      canvas.width = Math.round(width * devicePixelRatio);
      canvas.height = Math.round(height * devicePixelRatio);
    }
    paint_places();
    paint_marks();
    if (first) on_move();
  }

  function move(next) {
    view = { ...next, scale: Math.min(next.scale, CLOSEST) };
    soon(paint_places, paint_marks);
    on_move();
  }

  new ResizeObserver(resize).observe(element);
  return {
    element,
    at,
    near,
    /** Pixels that a shape reaches from its middle; 0 before anything is shown. */
    reach_of: ({ reach }) => reach * (view?.scale ?? 0),
    is_placed: () => view !== null,
    /** Shows {places, colours, marked, chosen, backdrop}; `same` says that places and colours are as they were. */
    show(what, same) {
      drawn = what;
      if (same) soon(paint_marks);
      else soon(paint_changes, paint_marks);
    },
    /** Takes the colours anew. */
    recolour() {
      colours_known.clear();
      soon(paint_places, paint_marks);
    },
    /** Shows a part of the plane whole; false while there is no room for it. */
    fit(extent) {
      if (extent === null || size.width === 0) return false;
      const { from_x, to_x, from_y, to_y } = extent;
      const scale = Math.min(size.width / (to_x - from_x), size.height / (to_y - from_y)) * 0.94;
      move({ x: (from_x + to_x) / 2, y: (from_y + to_y) / 2, scale });
      return true;
    },
    /** Looks closer by a factor, at a point that stays where it is. */
    zoom(by, [x, y] = [view?.x, view?.y]) {
      if (view === null) return;
      const scale = Math.min(Math.max(view.scale * by, size.width / 2), CLOSEST), part = view.scale / scale;
      move({ x: x + (view.x - x) * part, y: y + (view.y - y) * part, scale });
    },
    /** Moves the plane by pixels. */
    pan(dx, dy) {
      if (view !== null) move({ ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale });
    },
    /** Brings a shape into sight. */
    reveal(shape) {
      const { scale } = view;
      const outside = Math.abs(shape.x - view.x) > size.width / 2 / scale * 0.9 ||
        Math.abs(shape.y - view.y) > size.height / 2 / scale * 0.9;
      if (outside) move({ ...view, x: shape.x, y: shape.y });
    },
  };
}
