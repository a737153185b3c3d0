import { declared } from "./page.js";

/** Alerts that fire, told beside the page: in its title and icon, and by consent as a notification and a sound. Loaded by the first of them, or when there is a reader. */

/** A page out of sight asks by itself: it hears no feed for long. */
const ASK_MS = 30_000;
const KEYS = { notify: "tacho-alerts-notify", sound: "tacho-alerts-sound" };
const icon = globalThis.document?.querySelector("link[rel=icon]");
const plain_icon = icon?.href;
/** What fires already when the page is opened makes no noise. */
const OPENED_MS = 10_000;
/** The alerts that are known to fire; null before anything was heard. */
let heard = null, sounding = null;

/** Whether a reader wants something; browsers that store nothing know it for as long as the page is there. */
const wants = new Map();
export function wanted(what) {
  try {
    return wants.get(what) ?? localStorage.getItem(KEYS[what]) === "yes";
  } catch {
    return false;
  }
}

/** Turns something on or off; of notifications the browser asks. Resolves with what holds then. */
export async function want(what, on) {
  if (what === "notify" && on) on = await globalThis.Notification?.requestPermission() === "granted";
  wants.set(what, on);
  try {
    localStorage.setItem(KEYS[what], on ? "yes" : "no");
  } catch (error) {
    console.info("keep what is wanted of alerts: this browser stores nothing", error);
  }
  // A press lets sounds be made later.
  if (what === "sound" && on) beep(0.05);
  return on;
}

/** Shows what fires, by the newest board. */
export function show_alerts({ board }) {
  if (board.health !== null) hear(board.health.alerts?.named ?? [], board.health.alerts?.firing ?? 0);
}

function hear(named, firing) {
  // Before it a sign of trouble may stand.
  const title = document.title.replace(/\(\d+\) /, "");
  const next = firing > 0 ? title.replace(/^(! )?/, `$1(${firing}) `) : title;
  if (document.title !== next) document.title = next;
  colour_icon(firing > 0, next.startsWith("! "));
  const now = new Map(named.map((each) => [each.name, each]));
  if (heard === null && performance.now() > OPENED_MS) heard = new Map();
  const fresh = heard === null ? [] : named.filter(({ name }) => !heard.has(name));
  heard = now;
  if (fresh.length === 0) return;
  if (wanted("sound")) beep(0.4);
  if (wanted("notify") && globalThis.Notification?.permission === "granted") {
    for (const { name } of fresh) {
      new Notification(`${name} fires`, { body: `${declared.many} · tacho`, tag: `tacho ${declared.api} ${name}` });
    }
  }
}

/** The icon's line is red while something fires, and amber in trouble. */
function colour_icon(fires, trouble) {
  if (!icon) return;
  const href = plain_icon.replace("%230b8080", fires ? "%23c62828" : trouble ? "%23b26a00" : "%230b8080");
  if (icon.href !== href) icon.href = href;
}

// The title is what tells of trouble, whoever found it.
if (globalThis.MutationObserver && icon) {
  const follow = () => colour_icon(/\(\d+\) /.test(document.title), document.title.startsWith("! "));
  new MutationObserver(follow).observe(document.querySelector("title"), { childList: true });
  follow();
}

/** Two short tones. */
function beep(length_s) {
  sounding ??= new AudioContext();
  sounding.resume().catch(console.info);
  const tone = sounding.createOscillator(), loud = sounding.createGain(), at = sounding.currentTime;
  tone.frequency.setValueAtTime(880, at);
  tone.frequency.setValueAtTime(660, at + length_s / 2);
  loud.gain.value = 0.1;
  tone.connect(loud).connect(sounding.destination);
  tone.start(at);
  tone.stop(at + length_s);
}

/** Asks while the page is out of sight, where anything is wanted. */
async function ask_hidden() {
  if (!document.hidden || !(wanted("notify") || wanted("sound"))) return;
  const answer = await fetch(`${declared.api}/health`, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return void await answer?.body?.cancel();
  show_alerts({ board: { health: await answer.json() } });
}

if (globalThis.document) setInterval(ask_hidden, ASK_MS);
