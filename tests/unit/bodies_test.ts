import assert from "node:assert/strict";
import { Bodies, type BodyLimits } from "../../src/http/bodies.ts";

const LIMITS: BodyLimits = { most_bytes: 10, most_ms: 60_000, bodies: 3, bodies_of_address: 2, bytes: 25 };

const request = (body: BodyInit | null, headers: Record<string, string> = {}) =>
  new Request("http://localhost/", { method: "POST", body, headers });

const answered = (body: Uint8Array) => Response.json([...body]);

/** Takes a body and holds it until it is told to answer. */
function held(bodies: Bodies, address: string, bytes = 1) {
  const began = Promise.withResolvers<void>(), ended = Promise.withResolvers<void>();
  const answer = bodies.take(request(new Uint8Array(bytes)), address, async () => {
    began.resolve();
    await ended.promise;
    return new Response(null, { status: 204 });
  });
  return { answer, began: Promise.race([began.promise, answer]), end: ended.resolve };
}

Deno.test("a body of as many bytes as it may have is taken as it stands, in however many pieces; one more is refused", async () => {
  const bodies = new Bodies(LIMITS);
  const pieces = (...sizes: number[]) => ReadableStream.from(sizes.map((size, i) => new Uint8Array(size).fill(i + 1)));
  assert.deepEqual(await (await bodies.take(request(null), "a", answered)).json(), []);
  assert.deepEqual(await (await bodies.take(request(pieces(3, 0, 2)), "a", answered)).json(), [1, 1, 1, 3, 3]);
  for (
    const [body, status] of [[pieces(9, 1), 200], [pieces(10), 200], [pieces(9, 2), 413], [pieces(11), 413]] as const
  ) {
    assert.equal((await bodies.take(request(body), "a", answered)).status, status);
  }
  for (const [length, status] of [["10", 200], ["11", 413], ["99999999999999999999", 413]] as const) {
    const given = request(pieces(10), { "content-length": length });
    assert.equal((await bodies.take(given, "a", answered)).status, status, length);
  }
});

Deno.test("so many bodies are under way, in all and of one address, until they are answered, whatever the answer", async () => {
  const bodies = new Bodies(LIMITS);
  for (let round = 0; round < 3; round++) {
    const two = [held(bodies, "a"), held(bodies, "a")];
    await Promise.all(two.map(({ began }) => began));
    const third = await bodies.take(request("x"), "a", answered);
    assert.deepEqual([third.status, third.headers.get("retry-after")], [503, "1"]);
    const other = held(bodies, "b");
    await other.began;
    assert.equal((await bodies.take(request("x"), "c", answered)).status, 503);
    for (const each of [...two, other]) each.end();
    await Promise.all([...two, other].map(({ answer }) => answer));
    await assert.rejects(bodies.take(request("x"), "a", () => Promise.reject(new Error("it failed"))), /it failed/);
    assert.equal((await bodies.take(request(new Uint8Array(11)), "a", answered)).status, 413);
  }
});

Deno.test("the bytes of all bodies under way are bounded together", async () => {
  const bodies = new Bodies(LIMITS);
  for (let round = 0; round < 3; round++) {
    const two = [held(bodies, "a", 10), held(bodies, "b", 10)];
    await Promise.all(two.map(({ began }) => began));
    assert.equal((await bodies.take(request(new Uint8Array(6)), "c", answered)).status, 503);
    assert.equal((await bodies.take(request(new Uint8Array(5)), "c", answered)).status, 200);
    for (const each of two) each.end();
    assert.deepEqual((await Promise.all(two.map(({ answer }) => answer))).map(({ status }) => status), [204, 204]);
  }
});

Deno.test("a body whose sender goes away is no failure, and one that takes too long ends in time", async () => {
  const gone = new ReadableStream({ pull: () => Promise.reject(new Error("connection reset")) });
  assert.equal((await new Bodies(LIMITS).take(request(gone), "a", answered)).status, 400);
  const silent = new ReadableStream({
    pull: () => new Promise(() => {}),
    cancel: () => Promise.reject(new Error("gone")),
  });
  const slow = await new Bodies({ ...LIMITS, most_ms: 5 }).take(request(silent), "a", answered);
  assert.deepEqual([slow.status, slow.headers.get("connection")], [408, "close"]);
  const packed = await new Bodies(LIMITS).take(request("x", { "content-encoding": "GZIP" }), "a", answered);
  assert.equal(packed.status, 415);
  assert.equal(
    (await new Bodies(LIMITS).take(request("x", { "content-encoding": "Identity" }), "a", answered)).status,
    200,
  );
});
