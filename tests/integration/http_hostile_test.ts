import assert from "node:assert/strict";
import fc from "fast-check";
import { serve_http } from "../../src/http/mod.ts";
import { put_trip } from "../support/board_rows.ts";
import { type HttpSide, make_http_side } from "../support/http_side.ts";
import { database_test } from "../support/read_side.ts";

/** Requests that no browser sends: each is answered with a problem that says what is wrong, none is a failure of the server. */

const TOKEN = "a token of sixteen characters";

/** Serves on a free port, and sends requests byte by byte as they stand: gives the status, the Allow header and the body of the answer. */
async function on_the_wire(
  side: HttpSide,
  work: (send: (request: string) => Promise<{ status: number; allow: string; body: string }>) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const server = serve_http(side.handler, { host: "127.0.0.1", port: 0, signal: stop.signal });
  const send = async (request: string) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const ending = request.replace(/\r\n\r\n$/, "\r\nConnection: close\r\n\r\n");
    const bytes = Uint8Array.from(ending, (unit) => unit.charCodeAt(0));
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    const text = await new Response(connection.readable).text();
    return {
      status: Number(/^HTTP\/1\.\d (\d{3})/.exec(text)?.[1]),
      allow: /^allow: (.*)$/im.exec(text)?.[1]?.trim() ?? "",
      body: text.split("\r\n\r\n").slice(1).join("\r\n\r\n"),
    };
  };
  try {
    await work(send);
    side.hub.close();
    await server.shutdown();
  } finally {
    stop.abort();
  }
}

const get = (target: string, host = "localhost") => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const LONG = `/api/v1/trips?city=${"x".repeat(20_000)}`;

database_test("what cannot be read of a request is told, by the status and the parameter", async (database) => {
  const side = await make_http_side(database);
  const cases: readonly (readonly [request: string, status: number, told: RegExp])[] = [
    [get("/api/v1/trips/%00"), 400, /"path":"path","detail":"expected no NUL/],
    [get("/trips/a%00b"), 400, /NUL/],
    [get("/metrics/driver/%00"), 400, /NUL/],
    [get("/metrics/driver?after=%00"), 400, /"path":"after"/],
    [get("/api/v1/trips?city=%00"), 400, /"path":"city"/],
    [get("/api/v1/feed?last_event_id=%00"), 400, /"path":"last_event_id"/],
    [get("/api/v1/kpis/series?key=a%00"), 400, /"path":"key"/],
    [get("/api/v1/trips/%zz"), 400, /percent-encoded UTF-8/],
    [get("/api/v1/trips?city=100%"), 400, /"path":"city","detail":"expected percent-encoded UTF-8/],
    [get("/api/v1/trips?city=%ED%A0%80"), 400, /percent-encoded UTF-8/],
    [get("/api/v1/trips?%FF=1"), 400, /percent-encoded UTF-8/],
    [get("/api/v1/trips/a%0D%0Ab"), 404, /no trip/],
    [get(LONG), 414, /at most 16384 characters/],
    [get("/", "a b"), 400, /"path":"Host"/],
    [get("/", "[::1"), 400, /"path":"Host"/],
    [get("/", "localhost:99999"), 400, /"path":"Host"/],
    [get("/", "localhost/x?y"), 400, /"path":"Host"/],
    [get("/", "u@localhost"), 400, /"path":"Host"/],
    [get("/", "\xff"), 400, /"path":"Host"/],
    [get("http://evil.example/", "localhost"), 421, /TACHO_ALLOWED_HOSTS/],
    ["CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, /expected a path/],
    ["OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, /no page/],
    // What the HTTP library itself refuses.
    [get("/a\0b"), 400, /^$/],
    ["GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400, /^$/],
    ["GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", 400, /^$/],
    ["POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, /^$/],
  ];
  await on_the_wire(side, async (send) => {
    for (const [request, status, told] of cases) {
      const answer = await send(request);
      const about = JSON.stringify(request.slice(0, 80));
      assert.equal(answer.status, status, `${about}: ${answer.body}`);
      assert.match(answer.body, told, about);
    }
  });
});

database_test("a path answers other methods with 405 and those it takes, and OPTIONS with them", async (database) => {
  const side = await make_http_side(database);
  const allowed = [
    ["/", "GET, HEAD, OPTIONS"],
    ["/trips/t", "GET, HEAD, OPTIONS"],
    ["/static/app.js", "GET, HEAD, OPTIONS"],
    ["/api/v1/trips/t", "GET, HEAD, OPTIONS"],
    ["/api/v1/feed", "GET, HEAD, OPTIONS"],
    ["/api/v1/events", "GET, POST, HEAD, OPTIONS"],
    ["/api/v1/session", "POST, OPTIONS"],
    ["/openapi.json", "GET, HEAD, OPTIONS"],
    ["/readyz", "GET, HEAD, OPTIONS"],
  ] as const;
  await on_the_wire(side, async (send) => {
    for (const [path, allow] of allowed) {
      for (const method of ["TRACE", "DELETE", "PUT", "get", "TRACK", "PROPFIND"]) {
        const answer = await send(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        assert.deepEqual([answer.status, answer.allow], [405, allow], `${method} ${path}`);
        assert.equal(JSON.parse(answer.body).status, 405);
      }
      const options = await send(`OPTIONS ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      assert.deepEqual([options.status, options.allow, options.body], [204, allow, ""], path);
      const head = await send(`HEAD ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      assert.equal(head.body, "", `HEAD ${path}`);
      assert.equal(head.status, { "/api/v1/trips/t": 404, "/api/v1/session": 405 }[path as string] ?? 200, path);
    }
    for (const method of ["DELETE", "TRACE", "POST"]) {
      assert.equal((await send(`${method} /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n`)).status, 404, method);
    }
    assert.equal(side.hub.counts().subscribers, 0);
  });
});

database_test(
  "without a token only this machine's own names are answered; TACHO_ALLOWED_HOSTS adds some",
  async (database) => {
    const ask = async (side: HttpSide, host: string): Promise<number> => {
      const answer = await side.handler(new Request(`http://${host}/livez`, { headers: { host } }), { address: "::1" });
      return answer.status;
    };
    const open = await make_http_side(database);
    for (const host of ["localhost", "LocalHost:8000", "localhost.", "127.0.0.1:8000", "[::1]", "[::1]:8000"]) {
      assert.equal(await ask(open, host), 200, host);
    }
    for (const host of ["tacho.example", "localhost.evil.example:8000", "127.0.0.1.evil.example", "10.0.0.5"]) {
      assert.equal(await ask(open, host), 421, host);
    }
    const named = { allowed_hosts: ["tacho.example"] };
    for (const token of [null, TOKEN]) {
      const side = await make_http_side(database, { ...named, token });
      assert.deepEqual(
        [await ask(side, "Tacho.Example:443"), await ask(side, "localhost:8000"), await ask(side, "other.example")],
        [200, 200, 421],
      );
    }
    assert.equal(await ask(await make_http_side(database, { token: TOKEN }), "any.example"), 200);
  },
);

/** Where hostile texts are put: `@` in a path or a query. */
const PLACES = [
  "/@",
  "/trips/@",
  "/static/@",
  "/api/v1/trips/@",
  "/api/v1/trips/@?as_of_position=@",
  "/api/v1/trips?limit=@",
  "/api/v1/trips?cursor=@",
  "/api/v1/trips?driver=@&not_city=@&status=@",
  "/api/v1/trips?@",
  "/api/v1/events?after=@&limit=@",
  "/api/v1/board?range=@&from=@&to=@",
  "/api/v1/board?as_of=@",
  "/api/v1/board?as_of_position=@",
  "/api/v1/board?compare=@&city=@",
  "/api/v1/kpis/daily?date=@",
  "/api/v1/search?find=@",
  "/api/v1/kpis/keys?dimension=@&find=@&sort=@&limit=@&offset=@&format=@&range=@&city=@",
  "/api/v1/kpis/keys?dimension=city&find=@&city=@&as_of_position=@",
  "/api/v1/kpis/items?figure=@&sort=@&limit=@&offset=@&format=@&range=@&city=@",
  "/api/v1/kpis/items?figure=revenue&city=@&as_of=@",
  "/api/v1/segments?dimension=@&segment=@&sort=@&limit=@&offset=@&format=@&range=@&city=@",
  "/api/v1/segments?range=30d&driver=@&city=@&as_of_position=@",
  "/api/v1/unusual/items?limit=@&range=@&city=@&order=@",
  "/api/v1/unusual/items?range=30d&driver=@&as_of_position=@",
  "/api/v1/kpis/greatest?measure=@&from=@&to=@&as_of_position=@",
  "/api/v1/kpis/greatest?measure=max_fare&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&city=@",
  "/api/v1/kpis/series?measure=trips&grain=1h&from=@&to=@",
  "/api/v1/kpis/series?measure=@&grain=@&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&dimension=@&key=@",
  "/api/v1/kpis/series?measure=trips&grain=1h&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&dimension=city&key=@",
  "/api/v1/kpis/series?measure=revenue&grain=5m&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&driver=@&not_city=@",
  "/api/v1/kpis/breakdown?dimension=@&limit=@",
  "/api/v1/kpis/breakdown?dimension=city&from=@&to=@",
  "/api/v1/session?@",
  "/metrics/@?after=@&limit=@",
  "/metrics/driver?after=@",
  "/metrics/driver/@",
  "/metrics/@/@",
  "/openapi.json?@",
  "/livez?@",
];

const HOSTILE = [
  ...[
    "%00",
    "%",
    "%zz",
    "%ED%A0%80",
    "%FF%FE",
    "%C0%80",
    "%0D%0ASet-Cookie:x",
    "\ud800",
    "\u202e",
    "..%2f..%2fmain.ts",
  ],
  ...[
    "__proto__",
    "constructor",
    "toString",
    "' or 1=1 --",
    "{}",
    "[]",
    "null",
    "NaN",
    "Infinity",
    "-0",
    "1e308",
    "0x10",
  ],
  ...["9007199254740991", "9007199254740993", "9223372036854775807", "99999999999999999999", "-1", "1.5", " ", "+", ""],
  ...["2026-02-30", "0000-01-01", "9999-12-31", "-000001-01-01", "275760-09-13", "+275760-09-13T00:00:00Z"],
  ...["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-03-01T24:00:00Z", "1969-12-31T23:59:59Z"],
  ...["cDE", "cDk5OTk5OTk5OTk5OTk5OQ", "cDA", "all", "none", "1h", "7d", "custom", "x".repeat(201), "é".repeat(200)],
];

database_test("no text anywhere in an address is a failure: fuzzed over every route", async (database) => {
  const failed: string[] = [];
  const side = await make_http_side(database, {
    logger: { log: (level, message, fields) => void failed.push(`${level} ${message} ${fields?.error}`) },
  });
  await put_trip(database, { trip_id: "t", status: "completed", at: "2026-03-01T10:00:00Z", fare_micros: "1000000" });
  const text = fc.oneof(
    fc.constantFrom(...HOSTILE),
    fc.string({ unit: "binary", maxLength: 30 }).map(encodeURIComponent),
    fc.string({ maxLength: 30 }),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => [...bytes].map((byte) => `%${byte.toString(16)}`).join("")),
  );
  const target = fc.tuple(fc.constantFrom(...PLACES), fc.array(text, { minLength: 4, maxLength: 4 })).map((
    [place, texts],
  ) => texts.reduce((made, each) => made.replace("@", () => each.replaceAll("@", "%40")), place));
  const method = fc.constantFrom("GET", "GET", "GET", "HEAD", "POST", "DELETE");
  const hosts = fc.constantFrom("localhost", "localhost", "localhost", "127.0.0.1:8000", "evil", "a b");
  await fc.assert(
    fc.asyncProperty(target, method, hosts, async (target, method, host) => {
      const request = new Request(`http://localhost${target}`, {
        method,
        headers: { host, "if-none-match": '"x"' },
        ...(method === "POST" ? { body: "{}" } : {}),
      });
      const answer = await side.handler(request, { address: "::1" });
      const type = answer.headers.get("content-type");
      const streams = type === "text/event-stream";
      const body = streams ? await answer.body?.cancel() : await answer.text();
      assert.ok(answer.status < 500, `${method} ${target}: ${answer.status} ${body} ${failed}`);
      assert.ok(answer.status < 400 || type === "application/problem+json", `${method} ${target}: ${answer.status}`);
    }),
    {
      numRuns: 1_500,
      endOnFailure: true,
      examples: HOSTILE.flatMap((each) =>
        PLACES.map((place) =>
          [
            place.replaceAll("@", () => each),
            "GET",
            "localhost",
          ] as [string, string, string]
        )
      ),
    },
  );
  assert.deepEqual(failed, []);
});
