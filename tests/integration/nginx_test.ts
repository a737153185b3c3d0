import assert from "node:assert/strict";
import { serve_http } from "../../src/http/mod.ts";
import site from "../../docs/nginx.conf" with { type: "text" };
import { tacho_test } from "../support/available.ts";
import { FrameReader } from "../support/feed_client.ts";
import { free_port } from "../support/free_port.ts";
import { type HttpSide, make_http_side } from "../support/http_side.ts";
import { find_nginx } from "../support/program.ts";
import { open_read_side } from "../support/read_side.ts";
import { ServerProcess } from "../support/server_process.ts";
import { slowness } from "../support/slowness.ts";
import { until } from "../support/until.ts";

/** The proxy that the documentation gives an example of: the real nginx, with the committed file but for its ports. */

const TOKEN = "a token of sixteen characters";
const encoder = new TextEncoder();

/** Runs nginx with the site in front of a handler; counts what comes through. */
async function behind_nginx(side: HttpSide, work: (port: number, came: string[]) => Promise<void>): Promise<void> {
  const came: string[] = [];
  const stop = new AbortController();
  const server = serve_http((request, bindings) => {
    came.push(`${request.method} ${new URL(request.url).pathname}`);
    return side.handler(request, bindings);
  }, { host: "127.0.0.1", port: 0, signal: stop.signal });
  const nginx = new ServerProcess("nginx");
  const port = free_port();
  const given = site.replace("listen 80;", `listen 127.0.0.1:${port};`).replace(
    "127.0.0.1:8000",
    `127.0.0.1:${server.port}`,
  );
  assert.ok(
    given.includes(`:${port};`) && given.includes(`:${server.port};`),
    "the site names its ports as the test expects",
  );
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${nginx.folder}/${name};`
  );
  Deno.writeTextFileSync(
    `${nginx.folder}/nginx.conf`,
    `daemon off;\nworker_processes 1;\npid ${nginx.folder}/nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n${
      paths.join("\n")
    }\n${given}\n}\n`,
  );
  try {
    nginx.spawn([find_nginx()!, "-e", "stderr", "-p", nginx.folder, "-c", `${nginx.folder}/nginx.conf`]);
    await until("nginx answers", async () => {
      if (!nginx.running) throw new Error(`nginx ended: ${nginx.read_log()}`);
      const answer = await fetch(`http://127.0.0.1:${port}/livez`).catch(() => null);
      await answer?.body?.cancel();
      return answer?.status === 200;
    });
    came.length = 0;
    await work(port, came);
    side.hub.close();
    await server.shutdown();
  } finally {
    stop.abort();
    await nginx.dispose();
  }
}

/** Sends the beginning of a request; gives what is answered until the connection ends, and after how many milliseconds that is. */
async function sent_and_left(port: number, beginning: string): Promise<{ text: string; ms: number }> {
  const begun_ms = performance.now();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(encoder.encode(beginning));
  let text = "";
  const buffer = new Uint8Array(4_096);
  for (;;) {
    // A reset is an end too.
    const read = await connection.read(buffer).catch(() => null);
    if (read === null) return { text, ms: performance.now() - begun_ms };
    text += new TextDecoder().decode(buffer.subarray(0, read));
  }
}

tacho_test({
  name:
    "behind nginx slow heads and bodies end in time and never reach tacho, one address has so many connections, and the feed flows",
  needs: ["postgres", "nginx"],
  async fn() {
    const database = await open_read_side("server");
    const side = await make_http_side(database, { token: TOKEN });
    await behind_nginx(side, async (port, came) => {
      const origin = `http://127.0.0.1:${port}`, headers = { authorization: `Bearer ${TOKEN}` };
      const post = "POST /api/v1/events HTTP/1.1\r\nHost: tacho.example\r\nContent-Type: application/json\r\n";
      const slow = [
        sent_and_left(port, post),
        sent_and_left(port, `${post}Authorization: Bearer ${TOKEN}\r\nContent-Length: 1000\r\n\r\n[`),
      ];

      // At once, while the slow ones are there. Two are these, whose bodies are under way: of those only one has a whole head.
      const feeds = await Promise.all(Array.from({ length: 49 }, () => fetch(`${origin}/api/v1/feed`, { headers })));
      assert.deepEqual([...new Set(feeds.map(({ status }) => status))], [200]);
      const one_more = await fetch(`${origin}/livez`);
      assert.equal(one_more.status, 503, "as many requests of one address are under way as may be");
      await one_more.body?.cancel();
      for (const feed of feeds) await feed.body?.cancel();
      await until("one address is let in again", async () => {
        const live = await fetch(`${origin}/livez`);
        await live.body?.cancel();
        return live.status === 200;
      });

      // The feed goes through piece by piece, and its end is heard.
      const answer = await fetch(`${origin}/api/v1/feed`, { headers });
      const reader = new FrameReader(answer.body!);
      // A reading may be under way for those who have left meanwhile: then the next beat reads for this one.
      const hello = await side.time.beat_until("it is greeted", reader.next(), 250);
      assert.equal(hello?.event, "hello");
      const beat = await side.time.beat_until("a heartbeat", reader.until("hb"), 1_000);
      assert.equal(beat.event, "hb");
      await reader.cancel();
      await until("the subscribers have left", () => side.hub.counts().subscribers === 0);

      const body = "x".repeat(1_048_577);
      const large = await fetch(`${origin}/api/v1/events`, { method: "POST", headers, body });
      assert.equal(large.status, 413);
      await large.body?.cancel();
      const session = await fetch(`${origin}/api/v1/session`, {
        method: "POST",
        body: JSON.stringify({ token: TOKEN }),
      });
      assert.equal(session.status, 204);

      for (const { text, ms } of await Promise.all(slow)) {
        assert.ok(ms > 8_000 && ms < 15_000 * slowness(), `it ended after ${ms} ms`);
        assert.match(text, /^$|^HTTP\/1\.1 408 /);
      }
      assert.deepEqual(
        came.filter((each) => each.endsWith("/events")),
        [],
        "nothing of the slow and the large reached tacho",
      );
    }).finally(() => database.close());
  },
});
