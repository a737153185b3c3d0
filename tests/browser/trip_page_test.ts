import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { ASSETS, make_static_files, serve_http } from "../../src/http/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { type HttpSide, make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import { until, until_holds } from "../support/until.ts";
import { trips_board } from "../support/trip_board.ts";

/** The page of one trip, over a real log: a trip whose events came out of order, what the page says of it, and how it follows. */

const ID = "T/2026 0001";
const at = (time: string) => `2026-03-01T${time}Z`;
const PLACES = { city: "Chicago", pickup_zone: "8", dropoff_zone: "O'Hare", pickup_lat: 41.8919, pickup_lon: -87.6278 };
const REQUEST = {
  event_id: "r",
  type: "trip.requested",
  occurred_at: at("16:01:12"),
  passenger_id: "P-20931",
  ...PLACES,
};
const CANCELLATION = {
  event_id: "x",
  type: "trip.canceled",
  occurred_at: at("16:03:40"),
  canceled_by: "passenger",
  reason: "no show",
};
const COMPLETION = {
  event_id: "c",
  type: "trip.completed",
  occurred_at: at("16:31:05.25"),
  fare: "38.50",
  tip: "7.70",
  distance_km: 27.4,
  passenger_count: 2,
  payment_method: "credit card",
  meter: "METER",
};
const START = {
  event_id: "s",
  type: "trip.started",
  occurred_at: at("16:05:20"),
  driver_id: "D-0413",
  vehicle_type: "suv",
  estimated_fare: 36,
};
const CORRECTION = {
  event_id: "f",
  type: "trip.fare_adjusted",
  occurred_at: at("17:12:00"),
  fare: "42.25",
  reason: "airport toll",
};

/** Appends an event of the trip after those before it, as if it came at a time of 2026-03-01. */
function make_append(database: Database) {
  const cursors = new Cursors();
  let offset = 0;
  return async (time: string, event: object): Promise<void> => {
    const now_ms = Date.parse(at(time));
    // Digits that no double holds, for the raw data.
    const text = JSON.stringify({ trip_id: ID, ...event }).replace('"METER"', "12345678901234567890.5");
    const messages = [message(offset, text, now_ms)];
    const batch = { topic: "trips", partition: 3, from_offset: offset, next_offset: ++offset, messages };
    await feed(trip_pipeline(database, () => now_ms), [batch], cursors);
  };
}

/** What the page says in an element, its white space evened out; a day of another year has that beside it. */
const said = async ({ page }: BoardPage, selector: string): Promise<string> =>
  (await page.innerText(selector)).replace(/\s+/g, " ").replaceAll("1 Mar 2026", "1 Mar").trim();

/** Has the page ask at once, as when the network is back: it would ask within 3 s by itself. */
const ask_now = ({ page }: BoardPage) => page.evaluate("dispatchEvent(new Event('online'))");

/** The page over a real log and the program's own API. */
interface Served {
  readonly root: string;
  readonly append: ReturnType<typeof make_append>;
  readonly side: HttpSide;
  /** Whether requests are answered by a proxy that reaches nobody. */
  away: boolean;
}

async function with_server(work: (served: Served) => Promise<void>): Promise<void> {
  const { url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 3 });
  const cut = new AbortController();
  const side = await make_http_side(database, {
    time_zone: TEST_TIME_ZONE,
    static_files: await make_static_files(ASSETS, { "": trips_board }),
  });
  const { port } = serve_http(
    (request, bindings) =>
      served.away ? Promise.resolve(new Response("", { status: 502 })) : side.handler(request, bindings),
    { host: "127.0.0.1", port: 0, signal: cut.signal },
  );
  const served: Served = { root: `http://127.0.0.1:${port}`, append: make_append(database), side, away: false };
  try {
    await work(served);
  } finally {
    cut.abort();
    side.hub.close();
    await database.close();
  }
}

tacho_test({
  name: "trip page: says what is known, what is unusual and what each event changed, and follows its trip",
  needs: ["chromium", "postgres"],
  limit_ms: 120_000,
  fn: () =>
    with_server(async (served) => {
      const { root, append } = served;
      const address = `${root}/trips/${encodeURIComponent(ID)}?theme=light`;
      await using board = await BoardPage.open(address);
      const { page } = board;
      const phase = (wanted: string) => until(`the page is ${wanted}`, async () => await board.phase() === wanted);
      await phase("not_found");
      assert.match(await said(board, "main"), /T\/2026 0001 No event of that trip has arrived/);
      await board.picture("trip_not_found", false);

      await append("16:01:14", REQUEST);
      await append("16:03:41", CANCELLATION);
      await append("16:31:06", COMPLETION);
      await append("16:44:00", START);
      await phase("ready");
      // It may have asked between two of them.
      await until("all four are told", async () => await page.locator("#events > li").count() === 4);
      assert.equal(await said(board, "#story"), "Completed Sun 1 Mar, 11:31:05 · Chicago 8 → O'Hare");
      assert.equal(await said(board, "#told_zone"), "UTC−05:00 New York");
      assert.equal(
        await said(board, "#figures"),
        "Fare 38.50 USD estimated 36.00 Tip 7.70 USD 20 % of the fare Distance 27.40 km 63.8 km/h on average Duration 25.8 min 25 min 45 s",
      );
      const notes = await said(board, "#notes");
      assert.match(
        notes,
        /Completed and canceled .* 11:31:05, after it had been canceled at 11:03:40 by the passenger \(no show\)/,
      );
      assert.match(notes, /Recorded late Start 38 min after it happened/);
      assert.match(notes, /Out of order The start arrived after events that happened later/);
      const facts = await said(board, "#facts");
      for (
        const fact of ["Driver D-0413", "Payment credit card", "Drop-off at unknown", "Started Sun 1 Mar, 11:05:20"]
      ) {
        assert(facts.includes(fact), `${fact} in ${facts}`);
      }
      const completion = await said(board, '[data-type="trip.completed"]');
      assert.match(
        completion,
        /recorded 11:31:06, 0\.8 s later position 3 · revision 3 · trips\/3@2/,
      );
      assert.match(
        completion,
        /What it changed Status canceled → completed Completed unknown → 11:31:05 .*Fare unknown → 38\.50 USD/,
      );
      assert.match(
        completion,
        /11:31 \+1 completed · \+1 conflict · \+38\.50 USD revenue · \+7\.70 USD tips · \+27\.40 km/,
      );
      assert.match(completion, /11:03 −1 canceled/);
      await page.click('[data-type="trip.completed"] .raw summary');
      await until(
        "it tells each digit",
        async () => /"meter": 12345678901234567890\.5/.test(await said(board, '[data-type="trip.completed"] pre')),
      );
      assert.match(
        await page.locator("text=D-0413").first().getAttribute("href") ?? "",
        /^\/\?from=.*&driver=D-0413&theme=light$/,
      );
      assert.equal(
        await page.getAttribute("#onward a", "href"),
        "/?from=2026-03-01T16:01:00Z&to=2026-03-01T17:01:00Z&theme=light",
      );

      await append("17:12:01", CORRECTION);
      await ask_now(board);
      await until("the correction is there", async () => (await said(board, "#figures")).startsWith("Fare 42.25"));
      assert.match(await said(board, "#notes"), /Fare adjusted From 38\.50 to 42\.25 USD \(airport toll\)\./);
      assert.match(
        await said(board, "#events > li:last-child"),
        /Fare 38\.50 USD → 42\.25 USD .* 11:31 \+3\.75 USD revenue/,
      );
      assert(await page.locator('[data-type="trip.completed"] .raw[open]').isVisible(), "what was opened stays open");
      assert.equal(await board.is_unloaded(), false, "the page was reloaded");
      await page.click('[data-type="trip.completed"] .raw summary');
      await look(board);

      served.away = true;
      await ask_now(board);
      await until_holds("the page says that it is cut off", async () => {
        assert.match(
          await said(board, "#doubt"),
          /^The server answered 502, since \d\d:\d\d:\d\d\. What is shown is from before\./,
        );
      });
      assert.match(await said(board, "#figures"), /^Fare 42\.25/, "the last state stays");
      served.away = false;
      await page.click("#retry");
      await until("the banner is gone", async () => !await page.locator("#doubt").isVisible());

      await page.setViewportSize({ width: 360, height: 800 });
      await append("17:13:00", { ...START, event_id: "long", city: "c".repeat(200), driver_id: "D".repeat(200) });
      await ask_now(board);
      await until("the long names are there", async () => (await said(board, "#facts")).includes("c".repeat(200)));
      await page.click("#events > li:last-child .moved summary");
      await until("long names break", async () => await board.overflow() <= 0);

      await page.evaluate("sessionStorage.setItem('tacho-board', '?range=24h')");
      await page.goto(`${address}&as_of_position=3&tz=UTC`);
      await phase("ready");
      assert.match(await said(board, "#doubt"), /^As it stood at log position 3\./);
      assert.match(
        await said(board, "main"),
        /Completed Sun 1 Mar, 16:31:05 .* Fare 38\.50 USD .* Duration unknown .* 3 events/,
      );
      await page.keyboard.press("Escape");
      await until("the board is as it was left", () => page.url() === `${root}/?range=24h`);
      assert.deepEqual(board.complaints.filter((text) => !/status of (404|502)/.test(text)), []);
    }),
});

/** Pictures, and what can be measured of the page's looks. */
async function look(board: BoardPage): Promise<void> {
  const { page } = board;
  await page.click('[data-type="trip.completed"] .moved summary');
  await page.evaluate("scrollTo(0, 0)");
  await board.picture("page_trip");
  await page.evaluate("document.documentElement.dataset.theme = 'dark'");
  await board.picture("trip_dark");
  await page.evaluate("document.documentElement.dataset.theme = 'light'");
  for (const [width, height] of [[3840, 2160], [900, 1200], [360, 800]] as const) {
    await page.setViewportSize({ width, height });
    await until(`nothing is wider than ${width} pixels`, async () => await board.overflow() <= 0);
  }
  await board.picture("trip_phone");
  await page.setViewportSize({ width: 1440, height: 900 });
}

tacho_test({
  name:
    "trip page: one press on the highest fare of the board leads to its trip, by the range, filter and time in sight",
  needs: ["chromium", "postgres"],
  limit_ms: 120_000,
  fn: () =>
    with_server(async (served) => {
      const { root, append, side } = served;
      const giant = { ...COMPLETION, trip_id: "T/giant fare", fare: "1000000000000.00", city: "Boston" };
      await append("16:31:06", { ...COMPLETION, ...PLACES });
      await append("16:31:07", giant);
      side.time.now = Date.parse(at("17:00:30"));
      await using board = await BoardPage.open(`${root}/?theme=light`);
      const { page } = board;
      const highest = page.locator("[data-card=revenue] .greatest");
      const shown = (text: string) =>
        until(`the card says ${text}`, async () => {
          side.time.pass(50);
          return (await highest.innerText()).endsWith(` to ${text} a trip`);
        });
      const leads_to = async (trip_id: string, query: string) => {
        await until(`the trip ${trip_id} is there`, async () =>
          await board.phase() === "ready" && /trips/.test(page.url()));
        assert.equal(page.url(), `${root}/trips/${encodeURIComponent(trip_id)}?${query}`);
        await page.keyboard.press("Escape");
        await until("the board is back", () =>
          !page.url().includes("/trips/"));
      };
      await shown("1T");
      await highest.click();
      await leads_to("T/giant fare", "theme=light");
      await shown("1T");
      await page.keyboard.press("Tab");
      await until("it can be reached by keys", async () => await highest.getAttribute("role") === "link");
      await highest.focus();
      await page.keyboard.press("Enter");
      await leads_to("T/giant fare", "theme=light");
      await page.goto(`${root}/?theme=light&range=24h&city=Chicago`);
      await shown("38.50");
      await highest.click();
      await leads_to(ID, "theme=light");
      // Of then: the giant had not come.
      await page.goto(`${root}/?theme=light&range=24h&as_of_position=1`);
      await shown("38.50");
      await highest.click();
      await leads_to(ID, "theme=light&as_of_position=1");
      await page.goto(`${root}/?theme=light&range=24h&as_of_position=1`);
      await shown("38.50");
      await highest.hover();
      await until("the way is there", async () => await highest.getAttribute("role") === "link");
      served.away = true;
      await highest.click();
      const told = "It could not be looked for: the server answered 502.";
      await until("it says why it leads nowhere", async () => await page.innerText("dialog p") === told);
      served.away = false;
      await page.goto(`${root}/?from=2026-02-01T00:00:00Z&to=2026-02-02T00:00:00Z`);
      const figure = page.locator("[data-card=average_fare] .figure");
      await until("no trip has a fare", async () => {
        side.time.pass(50);
        return await figure.innerText() === "–";
      });
      await until("nothing is there to be pressed", async () => {
        await page.keyboard.press("Tab");
        return await page.evaluate("getComputedStyle(document.querySelector('.card [role=link]')).visibility") ===
          "hidden";
      });
      assert.deepEqual(board.complaints.filter((text) => !/status of 502/.test(text)), []);
    }),
});

/** All that is written or read aloud on a page: text, titles, names for readers of screens. */
const ALL_SAID =
  `[document.title, document.body.textContent, ...[...document.querySelectorAll("*")].flatMap((element) =>
  element.getAttributeNames().filter((name) => /^(title|placeholder|alt|aria-.*)$/.test(name)).map((name) => element.getAttribute(name)))
].join(String.fromCharCode(10))`;

tacho_test({
  name:
    "trip page: names that turn writing around do so nowhere, on it and on the board: not in titles, not read aloud",
  needs: ["chromium", "postgres"],
  limit_ms: 120_000,
  fn: () =>
    with_server(async ({ root, append, side }) => {
      const trip_id = "T\u202egnp";
      const turned = (name: string) => `${name}\u202eexe\u2066`;
      const places = { city: turned("city"), pickup_zone: turned("from"), dropoff_zone: turned("to") };
      const who = { driver_id: turned("driver"), passenger_id: turned("rider"), vehicle_type: turned("car") };
      const paid = { payment_method: turned("cash") };
      await append("16:01:14", { ...REQUEST, trip_id, event_id: turned("r"), ...places });
      await append("16:05:21", { ...START, trip_id, ...who });
      const cancellation = { ...CANCELLATION, reason: turned("why") };
      await append("16:05:22", { ...cancellation, trip_id });
      await append("16:05:23", { ...cancellation, trip_id: "U" });
      await append("16:31:06", { ...COMPLETION, trip_id, ...paid });
      await append("17:12:01", { ...CORRECTION, trip_id, reason: turned("toll") });
      side.time.now = Date.parse(at("17:00:30"));
      const city = `city=${encodeURIComponent(places.city)}`;
      const note = `note=${encodeURIComponent(`2026-03-01T16:31:00Z~${turned("note")}`)}`;
      await using board = await BoardPage.open(`${root}/?range=6h&${city}&${note}`);
      const { page } = board;
      const assert_plain = async (where: string, ...names: string[]) => {
        let said = "";
        await until_holds(`${where}: all is told`, async () => {
          said = await page.evaluate<string>(ALL_SAID);
          for (const name of names) assert.ok(said.includes(`${name}\\u202e`), `${name} in ${said}`);
        });
        assert.deepEqual(said.split("\n").filter((line) => /[\u202a-\u202e\u2066-\u2069]/.test(line)), [], where);
      };
      const ready = () =>
        until("the board is ready", async () => {
          side.time.pass(50);
          return await board.phase() === "ready" && await page.locator("#trips tr:not([hidden])").count() > 0 &&
            await page.locator("[data-breakdown=city] .bar").count() > 0 && await page.locator(".notes li").count() > 0;
        });
      await ready();
      await assert_plain("board", "T", "city", "from", "to", "cash", "driver", "note");
      for (const key of ["f", "n", "e", "m"]) {
        await page.keyboard.press(key);
        await page.locator("dialog").waitFor();
        await assert_plain(`dialog ${key}`, "city");
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
      await page.focus("#chart_trips");
      await until("the note is read aloud", async () => {
        await page.keyboard.press("ArrowLeft");
        return /note/.test(await page.getAttribute("#chart_trips", "aria-valuetext") ?? "");
      });
      await assert_plain("readout", "note");
      for (const [id, ...names] of [[trip_id, "T", "city", "toll", "why", "driver", "r"], ["U", "why"]]) {
        await page.goto(`${root}/trips/${encodeURIComponent(id!)}`);
        await until("the trip is there", async () => await board.phase() === "ready");
        await assert_plain(`trip ${id}`, ...names);
      }
      assert.equal(await page.title(), "Trip U · tacho");
      assert.deepEqual(board.complaints, []);
    }),
});
