/** Fingers on a chart: one held still reads out, one that goes sideways moves the stretch, two look closer or less close. Loaded by the first. */

/** A finger that stays so long reads out. */
const HOLD_MS = 400;
/** And moves the chart from so far on, pixels. */
const FAR = 10;
/** The shortest stretch that two fingers come to, in buckets. */
const LEAST_BUCKETS = 4;

/** The stretch after a finger moved it by some pixels of a chart so wide; it goes no further than to `latest_s`. Pure. */
export function panned({ from_s, to_s }, moved, width, latest_s) {
  const length_s = to_s - from_s, wanted_s = -moved / width * length_s;
  const by_s = Math.round(Math.min(wanted_s, Math.max(latest_s - to_s, 0)));
  return { from_s: from_s + by_s, to_s: to_s + by_s };
}

/** The stretch after two fingers went from [a, b] to [c, d], pixels: what was under them is under them again, as far as may be. Pure. */
export function pinched({ from_s, to_s, step_s }, [a, b], [c, d], { width, latest_s, longest_s }) {
  const length_s = to_s - from_s, per_px = length_s / width;
  const apart = Math.max(Math.abs(b - a), 1), now_apart = Math.max(Math.abs(d - c), 1);
  const wanted_s = Math.min(Math.max(length_s * apart / now_apart, LEAST_BUCKETS * step_s), longest_s);
  const middle_s = from_s + (a + b) / 2 * per_px, place = (c + d) / 2 / width;
  const end_s = Math.min(middle_s + (1 - place) * wanted_s, Math.max(latest_s, to_s));
  return { from_s: Math.round(end_s - wanted_s), to_s: Math.round(end_s) };
}

/** Follows fingers on the place of a chart. `chart` gives it, `look` what is drawn; `point` reads out at so many pixels, null: not any more. */
export function follow_fingers(place, { chart, look, on_zoom, point }) {
  const down = new Map();
  let start = null, mode = "", timer;

  const x_of = ({ clientX }) => clientX - chart().over.getBoundingClientRect().left;
  const fingers = () => [...down.values()].slice(0, 2).sort((a, b) => a - b);

  function shift(moved, scale = 1) {
    const canvas = place.querySelector("canvas");
    if (canvas) canvas.style.transform = moved === 0 && scale === 1 ? "" : `translateX(${moved}px) scaleX(${scale})`;
  }

  function begin() {
    start = { at: fingers(), width: chart().over.clientWidth };
    shift(0);
  }

  place.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch" || look() === null) return;
    down.set(event.pointerId, x_of(event));
    clearTimeout(timer);
    mode = down.size > 1 ? "pinch" : "";
    begin();
    if (down.size > 1) return;
    timer = setTimeout(() => {
      mode = "read";
      point(start.at[0]);
    }, HOLD_MS);
  });
  place.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) return;
    down.set(event.pointerId, x_of(event));
    const [c, d] = fingers(), [a, b] = start.at;
    if (mode === "read") return point(c);
    if (mode === "pinch") return shift((c + d) / 2 - (a + b) / 2, Math.abs(d - c) / Math.max(Math.abs(b - a), 1));
    if (mode === "" && Math.abs(c - a) < FAR) return;
    clearTimeout(timer);
    mode = "pan";
    shift(c - a);
  });

  function end(event) {
    if (!down.has(event.pointerId)) return;
    clearTimeout(timer);
    const at = fingers(), done = mode;
    down.delete(event.pointerId);
    // A finger that stays behind does nothing more.
    mode = down.size > 0 ? "over" : "";
    if (event.type === "pointercancel" || done === "over") return shift(0);
    const sight = look();
    shift(0);
    if (sight === null) return;
    const { view, step_s, now_ms } = sight, view_s = { ...view, step_s };
    const latest_s = Math.ceil(now_ms / 1_000 / step_s) * step_s;
    if (done === "pan") on_zoom(panned(view_s, at[0] - start.at[0], start.width, latest_s));
    else if (done === "pinch") {
      on_zoom(pinched(view_s, start.at, at, { width: start.width, latest_s, longest_s: 400 * 86_400 }));
    } else if (done === "") point(null);
  }
  place.addEventListener("pointerup", end);
  place.addEventListener("pointercancel", end);
}
