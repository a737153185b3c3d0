import assert from "node:assert/strict";
import { migrate, migrations_of } from "../../src/database/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import {
  bring_back,
  FIRST_LINK,
  next_stretch,
  read_archived,
  read_archives,
  read_head,
  settle_deployment,
  take_out,
} from "../../src/event_log/mod.ts";
import { FolderPlace, read_archive_page, verified_events, write_archive } from "../../src/export/mod.ts";
import { made_of } from "../support/archived_log.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";
import { contents_of, invented, log_template, make_log, make_partitions, take_in } from "../support/generated_log.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import { message } from "../support/trip_pipeline.ts";

/** What is read of a log whose beginning is archived: all that is known without it, and where it is for the rest; never less than there is. */

const never = new AbortController().signal;

tacho_test({
  name: "what needs archived events says where they are; figures, streams and lists of them are as before",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(log_template(TRIPS));
    const database = await make_log(url, TRIPS, invented(TRIPS, 0.7), 60, 300);
    try {
      const { get } = await make_http_side(database);
      const json = async (path: string) => {
        const response = await get(path);
        return { status: response.status, body: await response.json() };
      };
      /** Ids of all trips, page by page. */
      const listed = async () => {
        const ids: string[] = [];
        for (let next: string | null = "";;) {
          const { body } = await json(
            `/api/v1/trips?limit=100${next === "" ? "" : `&cursor=${encodeURIComponent(next!)}`}`,
          );
          ids.push(...body.trips.map(({ trip_id }: { trip_id: string }) => trip_id));
          next = body.next_cursor;
          if (next === null) return ids;
        }
      };
      const board = "/api/v1/board?from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z";
      const before = { trips: await listed(), board: (await json(board)).body };
      const [{ trip_id }] = await database.query("select trip_id from trips where positions[1] = 1") as [
        { trip_id: string },
      ];
      const trip = (await json(`/api/v1/trips/${trip_id}`)).body;
      assert.equal(trip.changes_fault, null);

      for (let stretch; (stretch = await next_stretch(database, Date.now() * 1000)) !== null;) {
        await take_out(database, stretch, `/archives/${stretch.first_position}`);
      }
      const archived = await read_archived(database), { position } = await read_head(database);
      assert.ok(archived > 500 && archived < position);

      const where =
        /^events up to position \d+ are archived, those from \d+ to \d+ in \/archives\/\d+; `tacho archive attach`/;
      for (
        const path of [
          "/api/v1/events",
          `/api/v1/events?after=${archived - 1}`,
          `/api/v1/trips/${trip_id}?as_of_position=1`,
          `${board}&as_of_position=${archived - 1}`,
          `${board}&as_of=2026-03-03T11:00:00.020Z`,
        ]
      ) {
        const { status, body } = await json(path);
        assert.equal(status, 410, `${path} ${JSON.stringify(body).slice(0, 300)}`);
        assert.match(body.detail, where);
      }
      const page = (await json(`/api/v1/events?after=${archived}`)).body;
      assert.equal(page.events[0].position, archived + 1);
      assert.equal((await json(`/api/v1/events?after=${position}`)).status, 200);

      const now = (await json(`/api/v1/trips/${trip_id}`)).body;
      assert.deepEqual({ ...now, events: 0, changes: 0, changes_fault: 0 }, {
        ...trip,
        events: 0,
        changes: 0,
        changes_fault: 0,
      });
      assert.equal(now.changes, null);
      assert.match(now.changes_fault, where);
      assert.deepEqual(now.events, trip.events.filter((event: { position: number }) => event.position > archived));
      assert.deepEqual(await listed(), before.trips);
      assert.deepEqual((await json(board)).body, before.board);

      const arrival = await json(`${board}&order=arrival`);
      assert.equal(arrival.status, 200, "of nothing that was recorded then");
      const recorded = "/api/v1/board?from=2026-03-03T00:00:00Z&to=2026-03-04T00:00:00Z&order=arrival";
      const refused = await json(recorded);
      assert.equal(refused.status, 400);
      assert.match(JSON.stringify(refused.body), /are archived.*take a later range/);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name:
    "the embedded database archives and takes back as a server does, and a batch that goes across two partitions stays whole",
  limit_ms: 240_000,
  async fn() {
    const made = new GuardedFolder("archive");
    await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
    const database = await open_embedded_copy("trades");
    try {
      await migrate(database, migrations_of("trades"));
      await settle_deployment(database, { time_zone: "UTC", currency: "USD", h3_resolution: "off" });
      await make_partitions(database, 200);
      const values = invented(TRADES, 0.2), domain = TRADES.make({ currency: "USD" });
      await take_in(database, domain, "trades", values.map((value, i) => message(i, value)), 70);
      const before = await contents_of(database, TRADES), { log_id } = await read_head(database);
      const batches = await database.query<{ last: string }>("select last_position as last from batches");
      let link_before: Uint8Array = FIRST_LINK;
      for (let stretch; (stretch = await next_stretch(database, Date.now() * 1000)) !== null;) {
        const of_stretch = stretch, folder = `${made.path}/${stretch.first_position}`;
        assert.ok(batches.some(({ last }) => Number(last) === of_stretch.last_position), "it ends where a batch does");
        await write_archive({
          ...{ database, domain: "trades", log_id, stretch, link_before, signal: never },
          place: new FolderPlace(folder, Date.now),
          progress: () => {},
        });
        link_before = stretch.link;
        await take_out(database, stretch, folder);
        await assert.rejects(take_out(database, stretch, folder), { name: "Overtaken" });
      }
      const archives = await read_archives(database);
      assert.ok(archives.length > 1);
      assert.deepEqual(made_of(await contents_of(database, TRADES)), made_of(before));
      for (const archive of archives.toReversed()) {
        const page = await read_archive_page(archive.place);
        await bring_back(database, archive, verified_events(archive.place, page, never));
      }
      assert.deepEqual(await contents_of(database, TRADES), before);
      assert.equal(await read_archived(database), 0);
    } finally {
      await database.close();
    }
  },
});
