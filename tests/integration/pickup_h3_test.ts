import assert from "node:assert/strict";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { DeploymentMismatch } from "../../src/event_log/mod.ts";
import { type Logger, read_config, system_clock } from "../../src/runtime/mod.ts";
import { open_log } from "../../src/verbs/open.ts";
import { tacho_test } from "../support/available.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { shared_postgres } from "../support/postgres.ts";
import { whole_trip } from "../support/trip_events.ts";
import { message, TEST_TIME_ZONE } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

const MIGRATIONS = migrations_of("trips");

/** The Brandenburg Gate. */
const GATE = { pickup_lat: 52.516262, pickup_lon: 13.377704 };
const never = new AbortController().signal;

/** Opens the log as a verb does, with what it logged. */
async function opened_log(url: string, variables: Record<string, string> = {}) {
  const lines: string[] = [];
  const config = read_config({ DATABASE_URL: url, TACHO_TIME_ZONE: TEST_TIME_ZONE, ...variables });
  const logger: Logger = { log: (_, text) => void lines.push(text) };
  const opened = await open_log({
    config,
    shared: config,
    domain: TRIPS,
    clock: system_clock,
    random: () => 0,
    logger,
    signal: never,
  });
  return { ...opened, lines };
}

/** Takes in a trip from the gate and one of half a place; gives what the database then says of them. */
async function counted({ database, domain, days }: Awaited<ReturnType<typeof opened_log>>) {
  const known = whole_trip("T", GATE);
  const half = whole_trip("U", { pickup_lat: GATE.pickup_lat });
  const messages = [...known, ...half].map((each, offset) => message(offset, each));
  const running = start_ingest(database, new MemorySource("trips", [messages]), { domain });
  await running.caught_up().finally(() => running.stop());
  const { faults } = await verified(database, {}, { domain, days });
  assert.deepEqual(faults, []);
  const trips = await database.query("select trip_id, pickup_h3 from trips order by trip_id");
  const cells = await database.query(
    "select grain, key, completed from trip_cells where dimension = 'pickup_h3' and completed > 0 order by key, grain",
  );
  return {
    pickups: trips.map(({ trip_id, pickup_h3 }) => [trip_id, pickup_h3]),
    cells: cells.map(({ grain, key, completed }) => `${key} ${grain} ${completed}`),
  };
}

tacho_test({
  name: "pickups are counted by their cell at the resolution that the first start named",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const first = await opened_log(url, { TACHO_H3_RESOLUTION: "7" });
    await first.database.close();
    const opened = await opened_log(url);
    try {
      const cell = "871f1d488ffffff";
      const grains = ["1d", "1h", "5m", "all"];
      assert.deepEqual(await counted(opened), {
        pickups: [["T", cell], ["U", null]],
        cells: [cell, "unknown"].flatMap((key) => grains.map((grain) => `${key} ${grain} 1`)),
      });
      await assert.rejects(opened_log(url, { TACHO_H3_RESOLUTION: "8" }), DeploymentMismatch);
    } finally {
      await opened.database.close();
    }
  },
});

tacho_test({
  name: "a database that was begun before there were cells of pickups stays without, and says so until it is told off",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const before = await open_database({ url, data_dir: null, connections: 1 });
    await migrate(before, MIGRATIONS.slice(0, 4));
    await before.execute("update log_head set time_zone = $1, currency = 'USD'", [TEST_TIME_ZONE]);
    await before.close();
    const opened = await opened_log(url);
    try {
      assert.deepEqual([...new Set(opened.lines)], ["migrated", "places are not counted by H3 cell"]);
      assert.deepEqual(await counted(opened), { pickups: [["T", null], ["U", null]], cells: [] });
    } finally {
      await opened.database.close();
    }
    const off = await opened_log(url, { TACHO_H3_RESOLUTION: "off" });
    await off.database.close();
    assert.deepEqual(off.lines, []);
    await assert.rejects(opened_log(url, { TACHO_H3_RESOLUTION: "8" }), DeploymentMismatch);
  },
});
