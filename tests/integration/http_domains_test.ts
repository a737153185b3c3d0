import assert from "node:assert/strict";
import { migrate, migrations_of, type OpenedDatabase } from "../../src/database/mod.ts";
import { past_states } from "../../src/feed/mod.ts";
import { make_metrics, type MetricsReading, type ServedDomain } from "../../src/http/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { stream_history } from "../../src/projection/mod.ts";
import { door_events, DOOR_TABLES, doors } from "../support/door_domain.ts";
import { FrameReader } from "../support/feed_client.ts";
import { make_http_side } from "../support/http_side.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { database_test, make_hub, ManualTime, SETTINGS } from "../support/read_side.ts";

const TOKEN = "a token of sixteen characters";

const figures = (position: number): MetricsReading => ({
  position,
  read: 10 * position,
  admitted: 0,
  duplicates: 0,
  quarantined: 0,
  tombstones: 0,
  skipped: 0,
  late: 0,
  lag: null,
  held_partitions: 0,
  open_gaps: 0,
  watermark_us: null,
  partitions: [],
  repeated: 0,
  foreign_partitions: 0,
  table_reloads: 0,
  stale_tables: 0,
  subscribers: 0,
  feed_frames: 0,
  feed_encodes: 0,
  feed_skipped: 0,
});

const DOORS = {
  name: "doors",
  base: "/doors",
  readiness: () => [
    { name: "database", ok: true, reason: "held up" },
    { name: "ingest", ok: false, reason: "no partitions yet" },
  ],
};

/** Doors as a domain beside trips, their log in a schema of its own. */
async function with_doors(
  database: OpenedDatabase,
  work: (doors: Partial<ServedDomain>) => Promise<void>,
): Promise<void> {
  const log = database.beside({ connections: 3, schema: "doors" });
  try {
    await migrate(log, migrations_of("doors"));
    await log.script(DOOR_TABLES);
    const days = days_in("UTC");
    const history: ServedDomain["history"] = (events) => stream_history(doors, days, events);
    const { board, event_types } = doors;
    await work({ ...DOORS, database: log, board, event_types, days, history, past: past_states(doors) });
  } finally {
    await log.close();
  }
}

database_test(
  "a domain's streams are listed and told as it declares them",
  (database) =>
    with_doors(database, async (declared) => {
      const source = new MemorySource("doors", [
        door_events(["1", "a", "front", "10:00"], ["2", "b", "back", "10:10"]),
      ]);
      const running = start_ingest(declared.database!, source, { domain: doors, time_zone: "UTC" });
      await running.caught_up();
      source.put(0, door_events(["1", "c", "side", "12:30"]));
      await running.caught_up();
      await running.stop();
      const { get } = await make_http_side(database, { beside: [declared] });
      const json = async (path: string) => (await get(`/doors${path}`)).json();
      const side = { door_id: "1", revision: 2, position: 3, opened_at: "2026-03-01T12:30:00.000000Z", door: "side" };
      const back = { door_id: "2", revision: 1, position: 2, opened_at: "2026-03-01T10:10:00.000000Z", door: "back" };
      assert.deepEqual(await json("/api/v1/doors"), { as_of_position: 3, doors: [side, back], next_cursor: null });
      assert.deepEqual((await json("/api/v1/doors?not_door=side")).doors, [back]);
      const { events, changes, changes_fault, ...rest } = await json("/api/v1/doors/1");
      assert.deepEqual(rest, { ...side, as_of_position: null, deployment: { time_zone: "UTC", currency: "USD" } });
      assert.deepEqual([events.length, changes_fault], [2, null]);
      assert.deepEqual(changes[1].fields, [
        { name: "opened_at", before: "2026-03-01T10:00:00.000000Z", after: side.opened_at },
        { name: "door", before: "front", after: "side" },
      ]);
      assert(!("status" in changes[0]), "doors have no status");
      const then = await json("/api/v1/doors/1?as_of_position=2");
      assert.deepEqual([then.door, then.revision, then.position], ["front", 1, 1]);
      assert.deepEqual((await json("/api/v1/doors/9")).detail, 'no door "9"');
      assert.equal((await json("/api/v1/events")).events.length, 3);
      assert.deepEqual((await (await get("/api/v1/trips")).json()).trips, [], "trips have a log of their own");
      const { components, paths } = await json("/openapi.json");
      assert(["Door", "DoorPage", "DoorWithEvents", "DoorChange"].every((name) => name in components.schemas));
      assert.doesNotMatch(JSON.stringify({ components, paths }), /\b(?:trip|fare)/i);
      for (const path of ["/metrics/door", "/metrics/driver/1", "/api/v1/kpis/daily", "/api/v1/kpis/greatest"]) {
        assert(!(`/doors${path}` in paths) && (await get(`/doors${path}`)).status === 404, `${path} is not declared`);
      }
    }),
);

database_test("a domain beside that at the root has its page, API and document below its base", async (database) => {
  const { get } = await make_http_side(database, { beside: [DOORS] });
  const to_page = await get("/doors");
  assert.deepEqual([to_page.status, to_page.headers.get("location")], [302, "/doors/"]);
  for (const path of ["/", "/doors/", "/trips/T-1", "/doors/doors/1", "/static/app.js", "/doors/api/v1/board"]) {
    assert.equal((await get(path)).status, 200, path);
  }
  // What domains share is not there once more, and no domain has the pages of another.
  for (
    const path of [
      "/doors/static/app.js",
      "/doors/livez",
      "/doors/metrics",
      "/doors/api/v1/session",
      "/doors/trips/1",
      "/doors/1",
    ]
  ) {
    assert.equal((await get(path)).status, 404, path);
  }
  const wrong = await get("/doors/api/v1/board?range=never");
  assert.deepEqual([wrong.status, (await wrong.json()).title], [400, "Bad request"]);
  const [own, other] = await Promise.all(["", "/doors"].map(async (base) => {
    const { paths } = await (await get(`${base}/openapi.json`)).json();
    return Object.keys(paths);
  }));
  assert(own!.includes("/api/v1/board") && own!.includes("/livez") && own!.every((path) => !path.startsWith("/doors")));
  assert(other!.includes("/doors/api/v1/board") && other!.every((path) => path.startsWith("/doors/")));
});

database_test("a domain's feed says where its board and its API are", async (database) => {
  const hub = make_hub(database, new ManualTime("2026-03-01T12:00:30Z"), { settings: { ...SETTINGS, base: "/doors" } });
  const { get } = await make_http_side(database, { beside: [{ ...DOORS, hub }] });
  const reader = new FrameReader((await get("/doors/api/v1/feed")).body!);
  const { base, api, path } = (await reader.until("hello")).data.declared;
  assert.deepEqual([base, api, path], ["/doors", "/doors/api/v1", "/doors/trips/"]);
  await reader.cancel();
  hub.close();
});

database_test("a token guards every domain; one session and one bearer open them all", async (database) => {
  const { get } = await make_http_side(database, { token: TOKEN, beside: [DOORS] });
  for (const path of ["/api/v1/board", "/doors/api/v1/board", "/doors/api/v1/feed", "/doors/metrics/driver"]) {
    assert.equal((await get(path)).status, 401, path);
  }
  assert.equal((await get("/doors/api/v1/board", { authorization: `Bearer ${TOKEN}` })).status, 200);
  // A path is guarded as it is understood, however it is written.
  for (const path of ["/%64oors/api/v1/board", "/doors/%61pi/v1/board", "/doors/%6detrics/driver"]) {
    assert.equal((await get(path)).status, 401, path);
  }
  for (const path of ["//doors/api/v1/board", "/doors//api/v1/board", "/doors/api/v1/session", "/DOORS/api/v1/board"]) {
    assert((await get(path)).status >= 400, path);
  }
  for (const path of ["/doors/", "/doors/doors/1"]) assert.match(await (await get(path)).text(), /<title>token/);
});

database_test("probes and metrics speak of all domains, each by its name", async (database) => {
  const metrics = make_metrics({ trips: () => figures(3), doors: () => figures(4) });
  metrics.observe_batch_s("doors", 0.02);
  const { get } = await make_http_side(database, { beside: [DOORS], metrics });
  const ready = await get("/readyz");
  const { detail, errors, domains } = await ready.json();
  assert.deepEqual([ready.status, detail], [503, "not ready: doors: ingest"]);
  assert.deepEqual(domains, { trips: "ok", doors: "not ready" });
  assert.deepEqual(errors, [{ path: "doors: ingest", detail: "no partitions yet" }]);
  const well = await make_http_side(database, {
    beside: [{ ...DOORS, readiness: () => DOORS.readiness().slice(0, 1) }],
  });
  assert.deepEqual(await (await well.get("/readyz")).json(), {
    status: "ok",
    domains: { trips: "ok", doors: "ok" },
    remarks: ["doors: held up"],
  });
  // Below its base a domain is seen alone, whether its log is open or not yet.
  const alone = await get("/doors/readyz");
  const said = await alone.json();
  assert.deepEqual([alone.status, said.detail, said.domains], [503, "not ready: ingest", undefined]);
  assert.deepEqual(said.errors, [{ path: "ingest", detail: "no partitions yet" }]);
  assert.deepEqual(await (await well.get("/doors/readyz")).json(), { status: "ok", remarks: ["held up"] });
  const { paths } = await (await well.get("/doors/openapi.json")).json();
  assert("/doors/readyz" in paths);
  const waiting = { name: "doors", base: "/doors", readiness: () => [{ name: "log", ok: false, reason: "no right" }] };
  const shut = await make_http_side(database, { unopened: [waiting] });
  for (const path of ["/doors/readyz", "/readyz"]) {
    const answer = await shut.get(path);
    const told = path === "/readyz" ? "not ready: doors: log" : "not ready: log";
    assert.deepEqual([answer.status, (await answer.json()).detail], [503, told]);
  }
  assert.match((await (await shut.get("/doors/api/v1/board")).json()).detail, /^the log of doors is not open/);
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await (await get("/metrics")).text();
    assert.match(text, /^tacho_log_position\{domain="trips"\} 3\ntacho_log_position\{domain="doors"\} 4$/m);
    assert.match(text, /^tacho_messages_read_total\{domain="doors"\} 40$/m, "a second scrape counts nothing twice");
    assert.match(text, /^tacho_batch_seconds_count\{domain="trips"\} 0$/m);
    assert.match(text, /^tacho_batch_seconds_count\{domain="doors"\} 1$/m);
  }
});

database_test("without a domain at the root its page leads to the first one", async (database) => {
  const { get } = await make_http_side(database, DOORS);
  const root = await get("/");
  assert.deepEqual([root.status, root.headers.get("location")], [302, "/doors/"]);
  assert.equal((await get("/doors/api/v1/board")).status, 200);
  for (const path of ["/api/v1/board", "/trips/1"]) assert.equal((await get(path)).status, 404, path);
  const { paths } = await (await get("/openapi.json")).json();
  assert.deepEqual(Object.keys(paths).sort(), ["/api/v1/session", "/health", "/livez", "/metrics", "/readyz"]);
});
