import assert from "node:assert/strict";
import { make_watch } from "../../static/stream/watch.js";

/** How the trip page asks for its trip. */

/** A watch whose clock, timers and answers are in the test's hands; `answers` are given one after the other. */
function stage(...answers: (Response | Error)[]) {
  const asked: Record<string, string>[] = [], states: unknown[] = [], trips: string[] = [], pauses: number[] = [];
  const looked = { hidden: false };
  const watch = make_watch({
    url: "/api/v1/trips/t",
    fetch_url(_: string, { headers }: { headers: Record<string, string> }) {
      asked.push(headers);
      const answer = answers.shift() ?? assert.fail("nothing was to be asked");
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    hidden: () => looked.hidden,
    on_stream: (text: string) => trips.push(text),
    on_state: (state: unknown) => states.push(state),
    now: () => 1_000 * asked.length,
    set_timer: (_: () => void, ms: number) => pauses.push(ms),
    clear_timer: () => {},
  });
  return { watch, asked, states, trips, pauses, looked };
}

const trip = (etag: string) => new Response(`{"position":${etag}}`, { headers: { etag } });

Deno.test("a trip is asked for every 3 s, with the entity tag of what is known", async () => {
  const { watch, asked, states, trips, pauses } = stage(trip("1"), new Response(null, { status: 304 }), trip("2"));
  for (let i = 0; i < 3; i++) await watch.check();
  assert.deepEqual(asked, [{}, { "if-none-match": "1" }, { "if-none-match": "1" }]);
  assert.deepEqual(trips, ['{"position":1}', '{"position":2}']);
  assert.deepEqual(states, [1, 2, 3].map((s) => ({ kind: "ready", checked_ms: 1_000 * s })));
  assert.deepEqual(pauses, [3_000, 3_000, 3_000]);
});

Deno.test("a server that is away is asked ever less often, and said to be away since the first time", async () => {
  const failures = [
    new TypeError("Failed to fetch"),
    new Response("", { status: 502 }),
    new DOMException("late", "TimeoutError"),
    new TypeError(),
    new TypeError(),
  ];
  const { watch, states, pauses } = stage(...failures, trip("1"));
  for (let i = 0; i < 6; i++) await watch.check();
  assert.deepEqual(states.slice(0, 3), [
    { kind: "failed", reason: "the server does not answer", since_ms: 1_000 },
    { kind: "failed", reason: "the server answered 502", since_ms: 1_000 },
    { kind: "failed", reason: "no answer within 10 s", since_ms: 1_000 },
  ]);
  assert.deepEqual(states.at(-1), { kind: "ready", checked_ms: 6_000 });
  assert.deepEqual(pauses, [6_000, 12_000, 24_000, 30_000, 30_000, 3_000]);
});

Deno.test("nobody is asked while nobody looks, nor twice at a time", async () => {
  const { watch, asked, pauses, looked } = stage(trip("1"), trip("2"));
  await Promise.all([watch.check(), watch.check()]);
  assert.equal(asked.length, 1);
  looked.hidden = true;
  await watch.check();
  assert.equal(pauses.length, 1);
});

Deno.test("a trip that is not there may come; what the server refuses is told with its reason", async () => {
  const refused = Response.json(
    { detail: "wrong", errors: [{ path: "as_of_position", detail: "expected at most 4" }] },
    {
      status: 400,
    },
  );
  const { watch, states, pauses } = stage(new Response("", { status: 404 }), refused);
  await watch.check();
  await watch.check();
  assert.deepEqual(states, [
    { kind: "not_found", checked_ms: 1_000 },
    { kind: "refused", status: 400, reason: "expected at most 4", checked_ms: 2_000 },
  ]);
  assert.equal(pauses.length, 2);
});
