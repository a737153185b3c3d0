import type { Page } from "playwright-core";
import { launch_chromium, type TestBrowser } from "./chromium.ts";
import type { Expectation } from "./oracle/mod.ts";
import { until } from "./until.ts";

/** The figures of the cards, as far as a test compares them. Money in units of the currency. */
export interface CardFigures {
  readonly trips: number;
  readonly in_progress: number;
  readonly completed: number;
  readonly canceled: number;
  readonly revenue: number;
  readonly average_fare: number;
  readonly average_distance: number;
  readonly max_fare: number;
}

/** What the cards must say of the trips in [from_s, to_s), from the oracle's trips alone. Averages and extremes of nothing are 0. */
export function expected_cards({ trips }: Expectation, from_s: number, to_s: number): CardFigures {
  const inside = (at_us: number | null) => at_us !== null && at_us >= from_s * 1e6 && at_us < to_s * 1e6;
  const rows = [...trips.values()];
  const completed = rows.filter(({ status, completed_at }) => status === "completed" && inside(completed_at));
  const fares = completed.flatMap(({ fare_micros }) => fare_micros === null ? [] : [Number(fare_micros) / 1e6]);
  const distances = completed.flatMap(({ distance_m }) => distance_m === null ? [] : [Number(distance_m) / 1000]);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const mean = (values: readonly number[]) => values.length === 0 ? 0 : sum(values) / values.length;
  const first = rows.map((row) => [row.requested_at, row.started_at, row.completed_at, row.canceled_at])
    .map((times) => times.filter((at) => at !== null))
    .map((times) => times.length === 0 ? null : Math.min(...times));
  return {
    trips: first.filter(inside).length,
    in_progress: rows.filter(({ status }) => status === "in_progress").length,
    completed: completed.length,
    canceled: rows.filter(({ status, canceled_at }) => status === "canceled" && inside(canceled_at)).length,
    revenue: sum(fares),
    average_fare: mean(fares),
    average_distance: mean(distances),
    max_fare: fares.length === 0 ? 0 : Math.max(...fares),
  };
}

/** Notes all that a document has read aloud. */
const NOTE_SAID = `window.tacho_test_said = [];
  addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("announcer");
    if (place === null) return;
    const note = () => place.textContent !== "" && window.tacho_test_said.push(place.textContent);
    new MutationObserver(note).observe(place, { childList: true, characterData: true, subtree: true });
    note();
  });`;

/** The page in a browser, as a viewer has it in front of them. `await using` closes the browser. */
export class BoardPage implements AsyncDisposable {
  /** What the browser's console had to complain of, violations of the content security policy among it. */
  readonly complaints: string[] = [];

  private constructor(readonly page: Page, readonly browser: TestBrowser) {}

  /** Opens a page's address in a fresh browser. */
  static async open(url: string, options: Parameters<typeof launch_chromium>[0] = {}): Promise<BoardPage> {
    const browser = await launch_chromium({ viewport: { width: 1440, height: 900 }, locale: "en-US", ...options });
    const page = browser.context.pages()[0] ?? await browser.context.newPage();
    const board = new BoardPage(page, browser);
    page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      board.complaints.push(`${message.text()} ${message.location().url}`.trim());
    });
    page.on("pageerror", (error) => board.complaints.push(String(error)));
    await page.addInitScript(NOTE_SAID);
    // A reload would take the mark away.
    await page.goto(url);
    await page.evaluate("window.tacho_test_mark = true");
    return board;
  }

  /** Its complaints but for those about connections that could not be made, and answers that the server had no time for: outages and slow machines look like that. */
  unexpected(): string[] {
    return this.complaints.filter((text) => !/net::ERR_|with a status of 503 /.test(text));
  }

  /** Waits until all that a reader may open is loaded: from then on the page needs no server for it. It is asked for by the first move of a pointer. */
  async has_all(): Promise<void> {
    await this.page.mouse.move(300, 300);
    // Whoever brings it all asks for that at the end.
    await this.page.locator('link[href="/static/kiosk.css"]').waitFor({ state: "attached" });
  }

  /** Waits until this document has had something read aloud, and gives it: other news may have taken its place since. */
  async heard(pattern: RegExp): Promise<string> {
    return await until(`${pattern} is read aloud`, async () => {
      const said = await this.page.evaluate<string[]>("window.tacho_test_said");
      const found = said.find((text) => pattern.test(text));
      if (found === undefined) throw new Error(`read aloud: ${JSON.stringify(said)}`);
      return found;
    });
  }

  /** Waits until the page's address matches, and gives it: a browser tells of a change a little after its page shows what has changed. */
  async address(pattern: RegExp): Promise<string> {
    return await until(`the address matches ${pattern}`, () => {
      const address = this.page.url();
      return pattern.test(decodeURIComponent(address)) && address;
    });
  }

  /** Whether this is still the document that was opened, not a reloaded one. */
  async is_unloaded(): Promise<boolean> {
    return await this.page.evaluate("window.tacho_test_mark !== true");
  }

  /** The log position that the figures in sight are of. */
  async position(): Promise<number> {
    return Number(await this.page.getAttribute("body", "data-position"));
  }

  /** loading, empty, empty_range, ready or changing. */
  async phase(): Promise<string> {
    return await this.page.getAttribute("body", "data-phase") ?? "";
  }

  /** The link as the page tells it: connecting, connected, reconnecting or paused. */
  async link(): Promise<string> {
    return await this.page.getAttribute("#link", "data-link") ?? "";
  }

  /** Waits until a banner tells of this warning, and gives its text: a slow machine may have others to tell of before or beside it. */
  async warned(of: string, timeout_ms?: number): Promise<string> {
    return await until(
      `a banner tells of ${of}`,
      async () => (await this.banners()).find(({ warning }) => warning === of)?.text,
      timeout_ms,
    );
  }

  /** All banners, the worst first. */
  async banners(): Promise<{ readonly warning: string; readonly text: string }[]> {
    return await this.page.evaluate(`[...document.querySelectorAll(".banner")].map((banner) =>
      ({ warning: banner.dataset.warning, text: banner.innerText }))`);
  }

  /** Whether the age of the data is coloured as doubtful. */
  async is_amber(): Promise<boolean> {
    return await this.page.locator("#age_line.amber").isVisible();
  }

  /** The exact figures behind the cards' texts; 0 where a card says that nothing is known. */
  async cards(): Promise<CardFigures> {
    const found: Record<string, string> = await this.page.evaluate(`Object.fromEntries(
      [...document.querySelectorAll("[data-card]")].flatMap(({ dataset }) => [
        [dataset.card, dataset.value], [dataset.card + "_max", dataset.max ?? ""],
      ]))`);
    const figure = (name: string) => Number(found[name] ?? NaN);
    return {
      trips: figure("trips"),
      in_progress: figure("in_progress"),
      completed: figure("completed"),
      canceled: figure("canceled"),
      revenue: figure("revenue"),
      average_fare: figure("average_fare"),
      average_distance: figure("average_distance"),
      max_fare: figure("revenue_max"),
    };
  }

  /** How far the page is wider than its window, pixels. */
  async overflow(): Promise<number> {
    return await this.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  }

  /** What does not fit into its card, of all that is in sight there: texts. */
  async cut_in_cards(): Promise<string[]> {
    return await this.page.evaluate(`[...document.querySelectorAll(".card :is(button, b, small, span)")]
      .filter((each) => each.checkVisibility() && (each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0 ||
        each.getBoundingClientRect().bottom > each.closest(".card").getBoundingClientRect().bottom))
      .map((each) => each.textContent)`);
  }

  /** Keeps a picture in tests/output. */
  async picture(name: string, full = true): Promise<string> {
    const path = new URL(`../output/${name}.png`, import.meta.url).pathname;
    await this.page.screenshot({ path, fullPage: full, animations: "disabled" });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
  }
}

const is_near = (a: number, b: number): boolean => Math.abs(a - b) < 0.006;
const agree = (a: CardFigures, b: CardFigures): boolean =>
  Object.entries(a).every(([name, value]) => is_near(value, b[name as keyof CardFigures]));

/** Waits until the cards of the last hour are the oracle's; the hour moves on with the clock, so both are taken anew each time. */
export async function until_cards_agree(
  board: BoardPage,
  expectation: Expectation,
  timeout_ms: number,
): Promise<CardFigures> {
  let last: unknown;
  return await until("the cards say what the oracle says", async () => {
    const to_s = (Math.floor(Date.now() / 60_000) + 1) * 60;
    const expected = expected_cards(expectation, to_s - 3_600, to_s);
    const seen = await board.cards();
    last = { seen, expected };
    return agree(seen, expected) && seen;
  }, timeout_ms).catch((cause) => {
    throw new Error(`cards and oracle differ: ${JSON.stringify(last, null, 1)}`, { cause });
  });
}
