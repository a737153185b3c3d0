import assert from "node:assert/strict";
import { make_http_side } from "../support/http_side.ts";
import { database_test } from "../support/read_side.ts";

const RULE = { name: "few", figure: "completed", below: 5, filter: { city: ["Chicago"] } };

database_test(
  "rules are made, silenced and removed over HTTP, with who and when, and told with how they stand",
  async (database) => {
    const side = await make_http_side(database), { get } = side;
    const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
      const answer = await side.post(`/api/v1/alerts/rules${path}`, body, headers);
      return { status: answer.status, body: await answer.json() };
    };
    const rules = async () => (await (await get("/api/v1/alerts")).json()).rules;
    assert.deepEqual(await rules(), []);
    assert.deepEqual(await post("", { rule: RULE, by: "Ada" }), { status: 200, body: { name: "few" } });
    const [made] = await rules();
    assert.deepEqual(
      [made.words, made.changed_by, made.origin, made.state, made.silence_until, made.definition],
      ["completed (city Chicago) below 5", "Ada", "page", null, null, RULE],
    );
    assert.equal((await post("/few/silence", { until: "2026-03-01T12:00:00Z", by: "Bob" })).status, 200);
    assert.deepEqual((await rules())[0].silence_until, "2026-03-01T12:00:00.000000Z");
    assert.equal((await rules())[0].changed_by, "Bob");
    assert.equal((await post("/few/silence", { until: null, by: "Bob" })).status, 200);
    assert.equal((await rules())[0].silence_until, null);
    assert.equal((await post("/none/silence", { until: null, by: "Bob" })).status, 404);

    // A form that does not know of a rule does not replace it; who means to, does.
    const fresh = await post("", { rule: { ...RULE, below: 6 }, by: "Eve", fresh: true });
    assert.deepEqual([fresh.status, fresh.body.detail], [409, 'there is a rule "few": take another name']);
    assert.equal((await rules())[0].definition.below, 5);
    assert.equal((await post("", { rule: { ...RULE, below: 6 }, by: "Ada" })).status, 200);
    assert.equal((await rules())[0].definition.below, 6);
    assert.equal((await post("", { rule: RULE, by: "Ada" })).status, 200);

    const wrong = await post("", { rule: { ...RULE, figure: "moons", send_to: ["x"] }, by: "Ada" });
    assert.equal(wrong.status, 400);
    assert.equal(wrong.body.errors[0].path, "figure");
    assert.equal((await post("", { rule: { ...RULE, send_to: ["x"] }, by: "Ada" })).body.errors[0].path, "send_to[0]");
    assert.equal((await post("", { rule: RULE, by: " " })).body.errors[0].path, "by");
    assert.equal((await post("", { rule: RULE, by: "Ada", more: 1 })).status, 400);
    assert.equal((await post("", "{")).status, 400);
    assert.equal(
      (await post("", JSON.stringify({ rule: { ...RULE, note: "x".repeat(70_000) }, by: "Ada" }))).status,
      413,
    );
    // What another site's page can make a browser send.
    assert.equal((await post("", { rule: RULE, by: "Ada" }, { "content-type": "text/plain" })).status, 415);
    assert.equal((await post("", { rule: RULE, by: "Ada" }, { "sec-fetch-site": "cross-site" })).status, 403);
    assert.equal((await post("", { rule: RULE, by: "Ada" }, { "sec-fetch-site": "same-site" })).status, 403);
    assert.equal((await post("", { rule: RULE, by: "Ada" }, { origin: "http://evil.example" })).status, 403);
    assert.equal((await post("", { rule: RULE, by: "Ada" }, { origin: "null" })).status, 403);
    assert.equal(
      (await post("", { rule: RULE, by: "Ada" }, { origin: "http://localhost", "sec-fetch-site": "same-origin" }))
        .status,
      200,
    );

    // As a proxy passes on what a page at a port of its own asks.
    const proxied = { origin: "https://localhost:8443", "sec-fetch-site": "same-origin" };
    assert.equal((await post("", { rule: RULE, by: "Ada" }, proxied)).status, 200);

    assert.equal((await post("/few/remove", { by: "Ada" })).status, 200);
    assert.equal((await post("/few/remove", { by: "Ada" })).status, 404);
    assert.deepEqual(await rules(), []);
    await database.execute(
      `insert into alert_rules (name, definition, origin, version, changed_by) values ('few', '{}', 'file', 1, 'TACHO_ALERTS')`,
    );
    assert.equal((await post("/few/remove", { by: "Ada" })).status, 409);
    assert.equal((await post("", { rule: RULE, by: "Ada" })).status, 409);
    assert.equal(
      (await post("/few/silence", { until: "2026-03-01T12:00:00Z", by: "Bob" })).status,
      200,
      "any can be silenced",
    );
    assert.equal((await rules())[0].words, null, "one that cannot be read is told all the same");
  },
);

database_test("who only reads refuses to change rules", async (database) => {
  const alerts = {
    standing: () => ({ rules: [], deliveries: [], troubles: new Map() }),
    receivers: [],
    changed: () => {},
    database: null,
  };
  const { get, post } = await make_http_side(database, { alerts });
  assert.equal((await post("/api/v1/alerts/rules", { rule: RULE, by: "Ada" })).status, 403);
  assert.equal((await (await get("/api/v1/alerts")).json()).writable, false);
});
