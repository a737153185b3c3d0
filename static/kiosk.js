import { by_id, make, set_text } from "./page.js";

/** The board on a wall: nothing to press, awake, and on the server's newest build by itself. */

const KEY = "tacho-kiosk-builds";
/** All walls of a house hear of a new build at once: they do not come back at once. */
const LEAST_MS = 2_000, SPREAD_MS = 8_000;

const root = document.documentElement;
const is_on = () => root.dataset.kiosk === "1";
let lock = null, timer, shown = false, redraw = () => {};

/** Enters the kiosk, or leaves it. */
export function open({ look, go }) {
  go({ kiosk: !look().address.kiosk });
}

/** Binds what keeps it awake. */
export function start({ charts }) {
  redraw = charts.recolour;
  document.addEventListener("visibilitychange", stay_awake);
}

/** Goes with the address. */
export function show({ address: { kiosk } }) {
  if (kiosk === shown) return;
  shown = kiosk;
  if (kiosk) root.dataset.kiosk = "1";
  else delete root.dataset.kiosk;
  if (kiosk && document.querySelector("link[href$='/kiosk.css']") === null) {
    document.head.append(Object.assign(make("link"), { rel: "stylesheet", href: "/static/kiosk.css", onload: redraw }));
  } else if (!kiosk) redraw();
  set_text(by_id("announcer"), kiosk ? "Kiosk: Escape or k ends it" : "The kiosk has ended");
  stay_awake();
}

async function stay_awake() {
  if (!is_on() || document.hidden) {
    await lock?.release();
    lock = null;
    return;
  }
  if (lock !== null && !lock.released) return;
  try {
    lock = await navigator.wakeLock?.request("screen") ?? null;
  } catch (error) {
    // A battery that runs low may forbid it: the board goes on, the screen may go dark.
    console.info("keep the screen awake: this browser does not", error);
  }
}

// The builds that this wall has reloaded itself for; null where nothing can be remembered, so that no loop can come about.
function loaded_builds() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return null;
  }
}

/** The server has another build than this page: loads that, once a build, and only while the server answers. */
export function new_build(build) {
  const loaded = loaded_builds();
  if (!is_on() || loaded === null || loaded.includes(build)) return;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    // A reload while nothing answers would end in the browser's own page, for ever.
    const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
    if (answer === null || !answer.ok) return new_build(build);
    sessionStorage.setItem(KEY, JSON.stringify([...loaded, build]));
    location.reload();
  }, LEAST_MS + Math.random() * SPREAD_MS);
}
