import { fetch_places, map_query } from "./map_data.js";
import { format_clock, format_day } from "./format.js";
import { make, set_text } from "./page.js";

/** A day on the map, played as a film: half an hour a picture, 24 h in 12 s. Pictures are asked for one after the other, and kept. */

const PICTURE_MS = 1_800_000, PICTURES = 48, PACE_MS = 250;

/** The pairs that ask for a picture of a view: a stretch of its own instead of a range. Pure. */
export function picture_query(address, from_ms) {
  const { last: _last, grain: _grain, ...view } = address;
  return map_query({ ...view, range: null, from_ms, to_ms: from_ms + PICTURE_MS }, 0);
}

/** Makes it. `on_moment` hears {told, borders} of the picture in sight, null when there is none any more. */
export function make_film({ borders_of, on_moment }) {
  const play = make("button", "plain", "Play");
  const at = Object.assign(make("input"), { type: "range", min: "0", max: `${PICTURES - 1}`, value: "0" });
  at.ariaLabel = "Time of the day";
  const told = make("output");
  const element = make("div", "film", play, at, told);
  let address = null, zone = "UTC", now_ms = 0, start_ms = 0, name = "";
  let pictures = [], borders = [], counted = 0, place = 0, timer, closed = false, loading = 0;

  /** Begins anew where another view or another day is looked at. */
  function show({ address: next, shown, zone: zone_of }) {
    if (shown.hello === null || next.map === undefined) return;
    const end_ms = Math.floor(Math.min(shown.to_s * 1_000, shown.known_ms) / PICTURE_MS) * PICTURE_MS;
    const query = picture_query(next, 0).join("&");
    // While it plays the day stays, though a new half hour has passed.
    const same = query === name;
    [address, zone, now_ms] = [next, zone_of(), shown.known_ms];
    if (same) return;
    name = query;
    start_ms = end_ms - PICTURES * PICTURE_MS;
    [pictures, borders, counted] = [[], [], 0];
    load(++loading);
    tell();
  }

  /** Loads from the picture in sight on, then what lies before it. */
  async function load(mine) {
    for (let i = 0; i < PICTURES; i++) {
      const n = (place + i) % PICTURES;
      if (pictures[n] !== undefined) continue;
      try {
        const picture = await fetch_places(picture_query(address, start_ms + n * PICTURE_MS));
        if (closed || mine !== loading) return;
        pictures[n] = picture;
      } catch (error) {
        if (closed || mine !== loading) return;
        return set_text(told, `not known: ${error.message}`);
      }
      if (n === place || i === PICTURES - 1) show_picture();
      tell();
    }
  }

  function show_picture() {
    const picture = pictures[place];
    if (picture === undefined) return;
    // Steps are of the whole day: a colour means the same at noon and at night.
    const known = pictures.filter(Boolean);
    if (known.length !== counted) {
      [borders, counted] = [borders_of(known.flatMap(({ places }) => places)), known.length];
    }
    on_moment({ told: picture, borders });
  }

  function tell() {
    const from_ms = start_ms + place * PICTURE_MS, known = pictures.filter(Boolean).length;
    const clock = (ms) => format_clock(ms, zone);
    const when = `${format_day(from_ms, zone, now_ms)}, ${clock(from_ms)} – ${clock(from_ms + PICTURE_MS)}`;
    set_text(told, known < PICTURES ? `${when} (${known} of ${PICTURES})` : when);
    at.ariaValueText = when;
  }

  function go_to(n) {
    place = n;
    at.value = `${n}`;
    show_picture();
    tell();
  }

  function step() {
    // What is not there yet is waited for.
    const next = (place + 1) % PICTURES;
    if (pictures[next] === undefined) return;
    go_to(next);
    if (next === PICTURES - 1) pause();
  }

  function pause() {
    clearInterval(timer);
    timer = undefined;
    set_text(play, "Play");
  }

  play.onclick = () => {
    if (timer !== undefined) return pause();
    if (place === PICTURES - 1) go_to(0);
    timer = setInterval(step, PACE_MS);
    set_text(play, "Pause");
  };
  at.oninput = () => {
    pause();
    go_to(Number(at.value));
  };

  return {
    element,
    show,
    close() {
      closed = true;
      pause();
      element.remove();
      on_moment(null);
    },
  };
}
