import assert from "node:assert/strict";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { next_stretch, read_archived, read_head, take_out } from "../../src/event_log/mod.ts";
import { tacho_test } from "../support/available.ts";
import { invented, make_log } from "../support/generated_log.ts";
import { make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";

/** What is read of a log whose beginning is archived: all that is known without it, and where it is for the rest; never less than there is. */

tacho_test({
  name: "what needs archived events says where they are; figures, streams and lists of them are as before",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
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
