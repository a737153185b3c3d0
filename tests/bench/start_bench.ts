import { DOMAINS } from "../../src/verbs/mod.ts";
import { launch_chromium } from "../support/chromium.ts";
import { make_log } from "../support/generated_log.ts";
import { start_postgres } from "../support/postgres.ts";
import { is_ready, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { percentile } from "./measures.ts";

/**
 * Measures how soon a page has figures: from the navigation's start to the first card that holds one, painted, in Chromium with an empty
 * profile (cold) and with what the last load left in it (warm). Beside it, in turns, a bare page of the same server (its probe), painted.
 * Server, database and browser share the machine. Arguments: --loads=21 of each kind. The last line is one line of JSON.
 */

const argument = (name: string, or: string): string =>
  Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? or;
const LOADS = Number(argument("loads", "21"));
const TRIPS = 2_000;

/** Notes when the board says of which position its figures are, and the frame after it. */
const NOTE_FIGURES = `new MutationObserver((_, observer) => {
  if (!document.body?.dataset.position) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => window.figures_ms = performance.now()));
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-position"] });`;

interface Load {
  readonly figures_ms: number | null;
  readonly painted_ms: number;
}

type Page = Awaited<ReturnType<typeof launch_chromium>>["context"] extends { newPage(): Promise<infer P> } ? P : never;

async function load(page: Page, url: string, has_figures: boolean): Promise<Load> {
  await page.goto(url, { waitUntil: "commit" });
  return await until("it is there", async () =>
    await page.evaluate<Load | null>(`(() => {
      const painted_ms = performance.getEntriesByName("first-contentful-paint")[0]?.startTime, figures_ms = window.figures_ms ?? null;
      return painted_ms && (figures_ms || !${has_figures}) ? { painted_ms, figures_ms } : null;
    })()`), 60_000);
}

async function main(): Promise<void> {
  await using postgres = await start_postgres({ fsync: false });
  const { url: DATABASE_URL } = await postgres.create_database();
  const now_ms = Date.now();
  const events = Array.from({ length: TRIPS }, (_, i) => ({
    event_id: "a",
    trip_id: `T-${i}`,
    type: "trip.completed",
    occurred_at: new Date(now_ms - i * 1_700).toISOString(),
    fare: `${10 + i % 40}.00`,
    distance_km: 1 + i % 9,
    city: `City ${i % 12}`,
    pickup_zone: `${i % 60}`,
    driver_id: `D${i % 300}`,
  }));
  const values = events.map((event) => JSON.stringify(event));
  await (await make_log(DATABASE_URL, DOMAINS[0]!, values, 500)).close();
  await using program = await TachoProgram.serve("start", { env: { DATABASE_URL } });
  await until("the log is open", () => is_ready(program.url), 60_000);

  const found: Record<"cold" | "warm" | "bare", Load[]> = { cold: [], warm: [], bare: [] };
  for (let i = 0; i < LOADS; i++) {
    await using browser = await launch_chromium({ viewport: { width: 1440, height: 900 } });
    const page = browser.context.pages()[0] ?? await browser.context.newPage();
    await page.addInitScript(NOTE_FIGURES);
    found.bare.push(await load(page, `${program.url}livez`, false));
    found.cold.push(await load(page, program.url, true));
    await page.goto("about:blank");
    found.warm.push(await load(page, program.url, true));
    console.log(
      `${i + 1} of ${LOADS}: ${
        Object.entries(found).map(([kind, of]) =>
          `${kind} ${Math.round(of.at(-1)!.figures_ms ?? of.at(-1)!.painted_ms)} ms`
        ).join(", ")
      }`,
    );
  }
  const of = (values: readonly number[], share: number) =>
    Math.round(percentile(values.toSorted((a, b) => a - b), share));
  const said = Object.fromEntries(
    Object.entries(found).map(([kind, loads]) => {
      const times = loads.map(({ figures_ms, painted_ms }) => figures_ms ?? painted_ms);
      return [kind, {
        p50_ms: of(times, 0.5),
        p95_ms: of(times, 0.95),
        painted_p50_ms: of(loads.map(({ painted_ms }) => painted_ms), 0.5),
      }];
    }),
  );
  console.log(JSON.stringify(said));
}

if (import.meta.main) await main();
