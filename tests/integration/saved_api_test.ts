import assert from "node:assert/strict";
import { make_http_side } from "../support/http_side.ts";
import { database_test } from "../support/read_side.ts";
import { MOST_SAVED, put_note, put_view } from "../../src/saved/mod.ts";

const RANGE = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";

database_test(
  "views and notes are saved for all over HTTP, with who and when, and what is wrong, foreign or too many is refused",
  async (database) => {
    const side = await make_http_side(database), { get } = side;
    const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
      const answer = await side.post(`/api/v1/${path}`, body, headers);
      return { status: answer.status, body: await answer.json() };
    };
    const views = async () => (await (await get("/api/v1/views")).json()).views;
    const notes = async (range = RANGE) => (await (await get(`/api/v1/notes?${range}`)).json()).notes;

    assert.deepEqual([await views(), await notes()], [[], []]);
    const view = {
      name: "Night <shift> – Zürich",
      query: "range=6h&city=Z%C3%BCrich&note=2026-03-01T12:00:00Z~x",
      by: "Ada",
    };
    assert.deepEqual(await post("views", view), { status: 200, body: { name: view.name } });
    const [{ saved_at, ...kept }] = await views();
    assert.deepEqual(kept, view);
    assert.ok(Math.abs(Date.parse(saved_at) - Date.now()) < 60_000);
    const fresh = await post("views", { ...view, query: "", by: "Eve", fresh: true });
    assert.deepEqual([fresh.status, fresh.body.detail], [409, `there is a view "${view.name}": take another name`]);
    assert.equal((await views())[0].by, "Ada");
    assert.equal((await post("views", { ...view, query: "", by: "Bob" })).status, 200);
    assert.deepEqual([(await views())[0].query, (await views())[0].by], ["", "Bob"]);
    // What stands in an address: nothing that leads elsewhere, or ends it.
    for (const query of ["?range=1h", "#x", "range=1h#x", "range=1h x", "a\nb", "ü", "x".repeat(4_001)]) {
      const { status, body } = await post("views", { ...view, query });
      assert.deepEqual([status, body.errors[0].path], [400, "query"], query.slice(0, 20));
    }
    for (
      const [wrong, path] of [[{ name: " " }, "name"], [{ name: "n".repeat(81) }, "name"], [{ by: "" }, "by"]] as const
    ) {
      assert.equal((await post("views", { ...view, ...wrong })).body.errors[0].path, path);
    }

    const note = { at: "2026-03-01T12:00:00.5+01:00", text: " Rain begins ", by: "Ada" };
    const { status, body: { id } } = await post("notes", note);
    assert.equal(status, 200);
    assert.equal((await post("notes", { ...note, at: "2026-03-02T00:00:00Z", text: "after" })).status, 200);
    assert.deepEqual((await notes()).map(({ saved_at: _, ...note }: Record<string, unknown>) => note), [
      { id, at: "2026-03-01T11:00:00.500000Z", text: "Rain begins", by: "Ada" },
    ]);
    assert.deepEqual(
      (await notes("from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&limit=1")).map(({ text }: { text: string }) =>
        text
      ),
      ["after"],
    );
    assert.equal((await post("notes", { ...note, at: "noon" })).body.errors[0].path, "at");
    assert.equal((await post("notes", { ...note, text: "x".repeat(121) })).body.errors[0].path, "text");
    assert.equal((await get("/api/v1/notes")).status, 400);

    // What another site's page can make a browser send.
    for (const [path, body] of [["views", view], ["notes", note], ["views/x/remove", { by: "Ada" }]] as const) {
      assert.equal((await post(path, body, { "content-type": "text/plain" })).status, 415);
      assert.equal((await post(path, body, { "sec-fetch-site": "cross-site" })).status, 403);
      assert.equal((await post(path, "{")).status, 400);
    }

    const remove = async (path: string) => (await post(`${path}/remove`, { by: "Ada" })).status;
    assert.deepEqual([await remove("views/none"), await remove("notes/999"), await remove("notes/x")], [404, 404, 404]);
    assert.deepEqual([await remove(`notes/${id}`), await remove(`notes/${id}`)], [200, 404]);
    assert.deepEqual([await remove(`views/${encodeURIComponent(view.name)}`), await views()], [200, []]);

    await database.execute(
      `insert into saved_views (name, query, saved_by) select 'v' || i, '', 'x' from generate_series(1, ${MOST_SAVED.views}) i`,
    );
    await database.execute(
      `insert into saved_notes (noted_at, note, saved_by) select now(), 'x', 'x' from generate_series(1, ${
        MOST_SAVED.notes - 1
      }) i`,
    );
    assert.deepEqual([(await post("views", view)).status, (await post("notes", note)).status], [409, 409]);
    assert.equal((await post("views", { ...view, name: "v1" })).status, 200, "one that is there can be another one");

    const reading = await make_http_side(database, { saved: null });
    const answer = await (await reading.get("/api/v1/views")).json();
    assert.deepEqual([answer.writable, answer.views.length], [false, MOST_SAVED.views]);
    const refused = await reading.post("/api/v1/views", view);
    assert.equal(refused.status, 403);
    await refused.body?.cancel();
  },
);

database_test("of many who save at once none is lost, and never are there more than there may be", async (database) => {
  const some = MOST_SAVED.views - 5;
  await database.execute(
    `insert into saved_views (name, query, saved_by) select 'v' || i, '', 'x' from generate_series(1, ${some}) i`,
  );
  const outcomes = await Promise.all(
    Array.from(
      { length: 12 },
      (_, i) => database.transaction((tx) => put_view(tx, { name: `new ${i}`, query: "", by: "x" }, true)),
    ),
  );
  assert.equal(outcomes.filter((outcome) => outcome === "done").length, 5);
  const ids = await Promise.all(
    Array.from({ length: 12 }, (_, i) => database.transaction((tx) => put_note(tx, { at_us: i, text: "x", by: "x" }))),
  );
  assert.equal(new Set(ids).size, 12);
});
