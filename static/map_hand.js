import { extent_of, neighbour, place_at } from "./map_plane.js";

/** The hand on a map: pointer, fingers, wheel and keys. */

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Listens on the plane. `look()` gives {places, marked}, `mark` hears of the place that is read out, `press` of the one that filters. */
export function listen(view, plane, { look, mark, press }) {
  const down = new Map();
  let gone = 0, spread = 0;
  const hit = (event) => plane.is_placed() ? place_at(look().places, ...plane.at(event), 3 * plane.near()) : null;
  view.onpointerdown = (event) => {
    if (event.button > 0) return;
    down.set(event.pointerId, event);
    gone = spread = 0;
    view.setPointerCapture(event.pointerId);
  };
  view.onpointermove = (event) => {
    const before = down.get(event.pointerId);
    if (before === undefined) return mark(hit(event));
    down.set(event.pointerId, event);
    const [dx, dy] = [event.offsetX - before.offsetX, event.offsetY - before.offsetY];
    gone += Math.hypot(dx, dy);
    if (down.size === 1) return plane.pan(dx, dy);
    const [a, b] = [...down.values()];
    const apart = Math.hypot(a.offsetX - b.offsetX, a.offsetY - b.offsetY);
    const middle = { offsetX: (a.offsetX + b.offsetX) / 2, offsetY: (a.offsetY + b.offsetY) / 2 };
    if (spread > 0) plane.zoom(apart / spread, plane.at(middle));
    spread = apart;
  };
  view.onpointerup = (event) => {
    const was_alone = down.size === 1;
    down.delete(event.pointerId);
    const place = was_alone && gone < 5 ? hit(event) : null;
    if (place === null) return;
    mark(place);
    press(place, event.shiftKey || event.altKey);
  };
  view.onpointercancel = ({ pointerId }) => down.delete(pointerId);
  view.onpointerleave = () => mark(null);
  view.addEventListener("wheel", (event) => {
    // Without a key the page scrolls on, as it does beside the map.
    if (!event.ctrlKey && document.activeElement !== view) return;
    event.preventDefault();
    plane.zoom(Math.exp(-event.deltaY / (event.ctrlKey ? 120 : 400)), plane.at(event));
  }, { passive: false });
  view.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event, arrow = ARROWS[key];
    const { places, marked } = look();
    const greatest = () => places.reduce((best, each) => (each.value ?? -1) > (best?.value ?? -1) ? each : best, null);
    const keys = {
      "+": () => plane.zoom(1.6),
      "=": () => plane.zoom(1.6),
      "-": () => plane.zoom(1 / 1.6),
      0: () => plane.fit(extent_of(places, 1)),
      Home: () => go_to(greatest()),
      Enter: () => marked !== null && press(marked, event.shiftKey),
    };
    const run = arrow === undefined
      ? Object.hasOwn(keys, key) ? keys[key] : undefined
      : () => go_to(marked === null ? greatest() : neighbour(places, marked, ...arrow) ?? marked);
    if (run === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  };
  function go_to(place) {
    if (place === null) return;
    plane.reveal(place.shape);
    mark(place);
  }
}
