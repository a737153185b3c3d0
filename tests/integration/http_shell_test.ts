import assert from "node:assert/strict";
import { is_session, open_session, SESSION_S } from "../../src/http/auth.ts";
import { make_http_side } from "../support/http_side.ts";
import { database_test } from "../support/read_side.ts";

const TOKEN = "a token of sixteen characters";
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

database_test(
  "every answer carries the security headers; unknown paths are problems, never streams",
  async (database) => {
    const { get, handler, hub } = await make_http_side(database);
    for (
      const path of [
        "/",
        "/favicon.ico",
        "/api/v1/nothing",
        "/api/v1/trips",
        "/api/v1/feed",
        "/livez",
        "/static/app.js",
        "/metrics",
        "/metrics/driver",
        "/metrics/driver/D1",
        "/openapi.json",
      ]
    ) {
      const response = await get(path);
      assert.equal(response.headers.get("content-security-policy"), POLICY, path);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
      assert.equal(response.headers.get("referrer-policy"), "no-referrer", path);
      await response.body?.cancel();
    }
    const etag = (await get("/metrics/driver")).headers.get("etag") ?? "";
    for (
      const [method, path, headers, status] of [
        ["GET", "/metrics/driver", { "if-none-match": etag }, 304],
        ["HEAD", "/metrics/driver", {}, 200],
        ["OPTIONS", "/metrics/driver", {}, 204],
        ["DELETE", "/metrics/driver", {}, 405],
        ["POST", "/api/v1/session", {}, 400],
        ["GET", "/%zz", {}, 400],
      ] as const
    ) {
      const answer = await handler(new Request(`http://localhost${path}`, { method, headers }), { address: "::1" });
      assert.equal(answer.status, status, `${method} ${path}`);
      assert.equal(answer.headers.get("content-security-policy"), POLICY, `${method} ${path}`);
    }
    for (
      const path of [
        "/favicon.ico",
        "/api/v1/nothing",
        "/static/none.js",
        "/static/../main.ts",
        "/static/",
        "/static/__proto__",
      ]
    ) {
      const response = await get(path);
      assert.deepEqual(
        [response.status, response.headers.get("content-type")],
        [404, "application/problem+json"],
        path,
      );
      assert.equal((await response.json()).status, 404);
    }
    assert.equal(hub.counts().subscribers, 0);
  },
);

database_test("assets come with type, entity tag and gzip", async (database) => {
  const { get } = await make_http_side(database);
  const page = await get("/");
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(await page.text(), "<!doctype html><title>t</title>");
  const plain = await get("/static/app.js", { "accept-encoding": "identity" });
  const zipped = await get("/static/app.js", { "accept-encoding": "br, gzip;q=0.8" });
  assert.deepEqual([plain.headers.get("content-encoding"), zipped.headers.get("content-encoding")], [null, "gzip"]);
  const body = zipped.body?.pipeThrough(new DecompressionStream("gzip"));
  assert.equal(await new Response(body ?? null).text(), await plain.text());
  assert.equal((await get("/static/app.js", { "accept-encoding": "gzip;q=0" })).headers.get("content-encoding"), null);
  const etag = plain.headers.get("etag") ?? "";
  assert.equal((await get("/static/app.js", { "if-none-match": etag })).status, 304);
  assert.notEqual(etag, page.headers.get("etag"));
});

database_test(
  "with a token, the API and the metrics answer to its holders only; the shell and the probes to all",
  async (database) => {
    const { get, handler, time } = await make_http_side(database, { token: TOKEN });
    const guarded = [
      "/api/v1/trips",
      "/api/v1/feed",
      "/api/v1/health",
      "/api/v1/alerts",
      "/api/v1/unusual",
      "/api/v1/unusual/items",
      "/api/v1/views",
      "/api/v1/notes?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z",
      "/api/v1/kpis/daily?date=2026-03-01",
      "/metrics",
      "/metrics/driver",
      "/api/nothing",
    ];
    for (const path of guarded) {
      const refused = await get(path);
      assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Bearer"], path);
      assert.equal((await get(path, { authorization: `Bearer ${TOKEN}x` })).status, 401, path);
      assert.equal((await get(path, { cookie: `tacho_session=${TOKEN}` })).status, 401, path);
    }
    for (const path of ["/", "/static/app.js", "/livez", "/readyz", "/health", "/openapi.json"]) {
      assert.equal((await get(path)).status, 200, path);
    }
    assert.equal((await get("/api/v1/trips", { authorization: `Bearer ${TOKEN}` })).status, 200);
    assert.equal((await get("/metrics", { authorization: `bearer ${TOKEN}` })).status, 200);

    const post = (body: string, type: string) =>
      handler(
        new Request("http://localhost/api/v1/session", { method: "POST", body, headers: { "content-type": type } }),
        { address: "::1" },
      );
    assert.equal((await post(JSON.stringify({ token: "wrong" }), "application/json")).status, 401);
    assert.equal((await post("nonsense", "application/json")).status, 400);
    assert.equal((await post("{}", "application/json")).status, 400);
    const opened = await post(JSON.stringify({ token: TOKEN }), "application/json");
    assert.equal(opened.status, 204);
    const cookie = opened.headers.get("set-cookie") ?? "";
    assert.match(cookie, /^tacho_session=\d+\.[\w-]{43}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/);
    assert(!cookie.includes(TOKEN));
    for (
      const [url, forwarded, secure] of [
        ["https://tacho.example", null, true],
        ["http://tacho.example", "https", true],
        ["http://tacho.example", "http", false],
        ["http://tacho.example", "", false],
      ] as const
    ) {
      const headers = {
        "content-type": "application/json",
        ...(forwarded === null ? {} : { "x-forwarded-proto": forwarded }),
      };
      const body = JSON.stringify({ token: TOKEN });
      const answer = await handler(new Request(`${url}/api/v1/session`, { method: "POST", body, headers }), {
        address: "::1",
      });
      const attributes = answer.headers.get("set-cookie")?.split("; ") ?? [];
      assert.equal(attributes.includes("Secure"), secure, `${url} ${forwarded}`);
      assert.deepEqual(attributes.filter((each) => each !== "Secure").slice(1), [
        "Path=/",
        "Max-Age=2592000",
        "HttpOnly",
        "SameSite=Strict",
      ]);
    }
    const by_form = await post(new URLSearchParams({ token: TOKEN }).toString(), "application/x-www-form-urlencoded");
    assert.equal(by_form.status, 204);
    const session = cookie.split(";")[0] ?? "";
    assert.equal((await get("/api/v1/trips", { cookie: `other=1; ${session}` })).status, 200);
    assert.match(await (await get("/")).text(), /<title>token/, "who has no session is asked for the token");
    assert.match(await (await get("/", { cookie: session })).text(), /<title>t</);
    assert.match(await (await get("/trips/a%2F1")).text(), /<title>token/, "whatever page was asked for");
    assert.match(await (await get("/trips/a%2F1", { cookie: session })).text(), /<title>trip</);
    time.now += SESSION_S * 1000;
    assert.equal((await get("/api/v1/trips", { cookie: session })).status, 401, "a session ends");
  },
);

Deno.test("a session holds for its token and its time only", () => {
  const session = open_session(TOKEN, 0);
  assert.equal(is_session(session, TOKEN, SESSION_S * 1000 - 1), true);
  assert.equal(is_session(session, TOKEN, SESSION_S * 1000), false);
  assert.equal(is_session(session, `${TOKEN}2`, 0), false);
  const [until_s, signature] = session.split(".");
  assert.equal(is_session(`${Number(until_s) + 1}.${signature}`, TOKEN, 0), false, "its end is signed");
});

database_test(
  "only where a body is taken is it read, up to its limit of bytes, packing, number and time",
  async (database) => {
    const { handler } = await make_http_side(database, { token: TOKEN, most_body_ms: 1_000 });
    /** A body of that many bytes of which no more ever comes, unless it ends; tells whether anything of it was asked for. */
    const body = (bytes: number, ends: boolean) => {
      const told = { read: false };
      const stream = new ReadableStream<Uint8Array>({
        pull(controller) {
          told.read = true;
          if (bytes > 0) controller.enqueue(new Uint8Array(bytes));
          bytes = 0;
          return ends ? controller.close() : new Promise(() => {});
        },
      }, { highWaterMark: 0 });
      return { stream, told };
    };
    const post = (path: string, stream: ReadableStream<Uint8Array>, headers: Record<string, string> = {}) =>
      handler(new Request(`http://localhost${path}`, { method: "POST", body: stream, headers }), { address: "::1" });
    const bearer = { authorization: `Bearer ${TOKEN}` };
    const session = "/api/v1/session", events = "/api/v1/events";
    const cases: readonly (readonly [number, string, Record<string, string>, number, boolean, boolean])[] = [
      // status, path, headers, bytes, whether the body ends, whether it is read
      [404, "/nowhere", {}, 20_000, false, false],
      [405, "/", {}, 20_000, false, false],
      [401, events, {}, 20_000, false, false],
      [401, events, { authorization: `Bearer ${TOKEN}x` }, 20_000, false, false],
      [401, "/api/v1/trips", {}, 20_000, false, false],
      [413, events, { ...bearer, "content-length": "1048577" }, 100, false, false],
      [415, events, { ...bearer, "content-encoding": "gzip" }, 100, false, false],
      [415, session, { "content-encoding": "br" }, 100, false, false],
      [413, events, { ...bearer, "content-type": "application/json" }, 1_048_577, true, true],
      [413, session, {}, 16_385, true, true],
      [400, session, {}, 16_384, true, true],
      [408, session, {}, 100, false, true],
      [408, events, bearer, 100, false, true],
    ];
    for (const [status, path, headers, bytes, ends, read] of cases) {
      const { stream, told } = body(bytes, ends);
      const answer = await post(path, stream, headers);
      const about = `${path} ${JSON.stringify(headers)} ${bytes}: ${await answer.text()}`;
      assert.deepEqual(
        [answer.status, answer.headers.get("content-type")],
        [status, "application/problem+json"],
        about,
      );
      assert.equal(told.read, read, about);
    }
    // Strangers have room of their own, and once they are gone others have it.
    const strangers = Array.from({ length: 40 }, () => post(session, body(10, false).stream));
    const held = await handler(
      new Request(`http://localhost${events}`, {
        method: "POST",
        body: "[]",
        headers: { ...bearer, "content-type": "application/json" },
      }),
      { address: "::1" },
    );
    assert.equal(held.status, 200);
    const statuses = (await Promise.all(strangers)).map(({ status }) => status);
    assert.deepEqual(statuses.toSorted(), [...Array(32).fill(408), ...Array(8).fill(503)]);
    assert.equal((await post(session, body(10, true).stream)).status, 400);
  },
);

database_test("readiness gives the reasons; metrics are Prometheus text", async (database) => {
  const { get } = await make_http_side(database, {
    readiness:
      () => [{ name: "database", ok: true, reason: null }, { name: "ingest", ok: false, reason: "no partitions yet" }],
  });
  for (const path of ["/readyz", "/health"]) {
    const answer = await get(path);
    assert.equal(answer.status, 503);
    assert.deepEqual((await answer.json()).errors, [{ path: "ingest", detail: "no partitions yet" }]);
  }
  assert.deepEqual(await (await get("/livez")).json(), { status: "ok" });
  const ready = await make_http_side(database);
  assert.deepEqual(await (await ready.get("/health")).json(), { status: "ok" });
  const narrowed = await make_http_side(database, {
    readiness: () => [{ name: "database", ok: true, reason: null }, { name: "ingest", ok: true, reason: "held up" }],
  });
  const answer = await narrowed.get("/readyz");
  assert.deepEqual([answer.status, await answer.json()], [200, { status: "ok", remarks: ["held up"] }]);
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await (await ready.get("/metrics")).text();
    assert.match(text, /^tacho_log_position 3$/m);
    assert.match(text, /^tacho_messages_read_total 10$/m, "a second scrape counts nothing twice");
    assert.match(text, /^tacho_source_lag Nan$/mi);
    assert.match(text, /^tacho_source_held_partitions 2$/m);
    assert.match(text, /^tacho_source_gaps 1$/m);
    assert.match(text, /^tacho_watermark_seconds 1772366400$/m);
    assert.match(text, /^tacho_partition_watermark_seconds\{topic="trips",partition="3"\} 1772365999.5$/m);
    assert.match(text, /^tacho_source_foreign_partitions 0$/m);
    assert.match(text, /^# TYPE tacho_batch_seconds histogram$/m);
  }
});

database_test("health says how far event time has come in each partition, and what of it is late", async (database) => {
  const { get } = await make_http_side(database);
  const answer = await get("/api/v1/health");
  assert.deepEqual([answer.status, answer.headers.get("cache-control")], [200, "no-store"]);
  const { ingest, watermark, late_before, partitions } = await answer.json();
  assert.deepEqual([ingest.state, watermark], ["running", "2026-03-01T12:00:00.000000Z"]);
  assert.equal(late_before, "2026-03-01T11:55:00.000000Z", "of the log, whatever the partition");
  const trips = { topic: "trips" };
  assert.deepEqual(partitions, [
    { ...trips, partition: 3, watermark: "2026-03-01T11:53:19.500000Z", behind_s: 400.5, late: true },
    { ...trips, partition: 0, watermark: "2026-03-01T11:59:59.000000Z", behind_s: 1, late: false },
  ]);
});

database_test("the document is OpenAPI 3.1 and names every endpoint", async (database) => {
  const { get } = await make_http_side(database);
  const first = await get("/openapi.json");
  const etag = first.headers.get("etag") ?? "";
  const document = await first.json();
  const stringify = JSON.stringify;
  let made = 0;
  JSON.stringify = (value: unknown, ...rest: unknown[]) => {
    if (value instanceof Object && "openapi" in value) made++;
    return Reflect.apply(stringify, JSON, [value, ...rest]);
  };
  try {
    const again = await get("/openapi.json");
    assert.deepEqual([again.status, again.headers.get("etag"), await again.json()], [200, etag, document]);
    const known = await get("/openapi.json", { "if-none-match": etag });
    assert.deepEqual([known.status, known.headers.get("etag"), await known.text()], [304, etag, ""]);
    assert.equal(made, 0, "it is made once");
  } finally {
    JSON.stringify = stringify;
  }
  for (
    const [path, { get: asked }] of Object.entries<{ get?: { parameters?: { name: string; description?: string }[] } }>(
      document.paths,
    )
  ) {
    for (const { name, description } of asked?.parameters ?? []) {
      assert(description !== undefined && description.length > 8, `${path} does not say what ${name} is`);
    }
  }
  for (
    const [name, { description }] of Object.entries<{ description?: string }>(
      document.components.schemas.Trip.properties,
    )
  ) {
    assert(description !== undefined, `a trip does not say what ${name} is`);
  }
  assert.equal(document.openapi, "3.1.0");
  assert.deepEqual(Object.keys(document.paths).sort(), [
    "/api/v1/alerts",
    "/api/v1/alerts/rules",
    "/api/v1/alerts/rules/{name}/remove",
    "/api/v1/alerts/rules/{name}/silence",
    "/api/v1/board",
    "/api/v1/events",
    "/api/v1/feed",
    "/api/v1/health",
    "/api/v1/kpis/breakdown",
    "/api/v1/kpis/daily",
    "/api/v1/kpis/greatest",
    "/api/v1/kpis/items",
    "/api/v1/kpis/keys",
    "/api/v1/kpis/map",
    "/api/v1/kpis/series",
    "/api/v1/notes",
    "/api/v1/notes/{id}/remove",
    "/api/v1/search",
    "/api/v1/segments",
    "/api/v1/session",
    "/api/v1/trips",
    "/api/v1/trips/{id}",
    "/api/v1/unusual",
    "/api/v1/unusual/items",
    "/api/v1/views",
    "/api/v1/views/{name}/remove",
    "/health",
    "/livez",
    "/metrics",
    "/metrics/{entity}",
    "/metrics/{entity}/{id}",
    "/readyz",
  ]);
});
