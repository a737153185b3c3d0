import assert from "node:assert/strict";
import { ask, cause_of, FlinkFailure, job_prefix, statements_of } from "../../src/flink/mod.ts";
import { hash_of } from "../../src/verbs/flink/mod.ts";

Deno.test("statements are cut at semicolons, not in quotes and comments, and a statement set stays whole", () => {
  const script = `
    -- a comment; with a semicolon, and 'a quote
    SET 'a;b' = 'it''s; so';
    CREATE TABLE \`t;1\` (x INT) /* ; ' */ WITH ('k' = '--no comment');
    EXECUTE STATEMENT SET
    BEGIN
      INSERT INTO a SELECT /*+ OPTIONS('x'='y') */ 1 - 1;
      INSERT INTO b SELECT 4 / 2;
    END;
    ;
    SELECT 1`;
  assert.deepEqual(statements_of(script).map((each) => each.replace(/\s+/g, " ")), [
    "SET 'a;b' = 'it''s; so'",
    "CREATE TABLE `t;1` (x INT) WITH ('k' = '--no comment')",
    "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT /*+ OPTIONS('x'='y') */ 1 - 1; INSERT INTO b SELECT 4 / 2; END",
    "SELECT 1",
  ]);
  assert.deepEqual(statements_of(""), []);
});

Deno.test("a script that ends within a quote, a comment or a set is refused, and says so", () => {
  for (
    const script of [
      "SELECT 'a",
      "SELECT `a",
      'SELECT "a',
      "SELECT /* a",
      "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1;",
    ]
  ) {
    assert.throws(
      () => statements_of(script),
      (error) => error instanceof FlinkFailure && /has no (?:end|END)/.test(error.message),
      script,
    );
  }
});

Deno.test("of a Java stack the last cause is told, without its package; else what says anything first", () => {
  const stack = `Internal server error.
<Exception on server side:
org.apache.flink.table.gateway.api.utils.SqlGatewayException: failed
\tat org.apache.flink.Some.method(Some.java:1)
Caused by: java.lang.RuntimeException: outer
\t... 3 more
Caused by: org.apache.flink.table.api.ValidationException: Object 'x' not found
\t... 4 more
End of exception on server side>`;
  assert.equal(cause_of(stack), "ValidationException: Object 'x' not found");
  assert.equal(
    cause_of("Internal server error.\n<Exception on server side:\njava.io.IOException: no\n"),
    "IOException: no",
  );
  assert.equal(cause_of(""), "it says nothing");
  assert.equal(cause_of("y".repeat(1e6)).length, 501);
});

Deno.test("statements have one hash however others are reached, and another one for whatever else", () => {
  const of = (password: string, column = "x") =>
    hash_of([`CREATE TABLE t (${column} INT) WITH ('password' = '${password}')`]);
  assert.equal(of("a"), of("b''c"));
  const reached = (where: string, topic = "t") =>
    hash_of([
      `SET 'parallelism.default' = '${where.length}'`,
      `CREATE TABLE t (x INT) WITH ('topic' = '${topic}', 'properties.bootstrap.servers' = '${where}', 'url' = 'jdbc:${where}')`,
    ]);
  assert.equal(reached("a:1"), reached("other:1"));
  assert.notEqual(reached("a:1"), reached("a:1", "u"));
  assert.notEqual(of("a"), of("a", "y"));
  // As those of an earlier version, which did not have the setting.
  const table = "CREATE TABLE t (x INT)";
  assert.equal(hash_of(["SET 'pipeline.object-reuse' = 'true'", table]), hash_of([table]));
  assert.notEqual(hash_of(["SET 'table.local-time-zone' = 'UTC'", table]), hash_of([table]));
  assert.equal(job_prefix("trips", "66fbb12b-d383-4085-acfe-d258d70e7d62"), "tacho trips 66fbb12b ");
});

/** What is said of a server that answers so. */
async function said_of(answer: () => Response): Promise<string> {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, answer);
  const url = `http://127.0.0.1:${server.addr.port}`, { signal } = new AbortController();
  const failure = await ask({ url, name: "JobManager", signal }, "/jobs").then(() => null, (error) => error);
  assert.ok(failure instanceof FlinkFailure, String(failure));
  return failure.message.replace(url, "URL");
}

Deno.test("whatever answers in Flink's place is told in one line, and read up to a bound", async () => {
  const told = {
    "not JSON": () => new Response("<html>hello"),
    "no object": () => Response.json([1]),
    "errors": () => Response.json({ errors: ["Internal server error.", "x\nCaused by: a.b.C: why"] }, { status: 500 }),
    "nothing said": () => Response.json({}, { status: 503 }),
    "elsewhere": () => Response.redirect("http://127.0.0.1:1/"),
    "endless": () => new Response(new Uint8Array(9 << 20)),
  };
  const said: Record<string, string> = {};
  for (const [name, answer] of Object.entries(told)) said[name] = await said_of(answer);
  assert.match(said["not JSON"]!, /^the JobManager at URL: expected JSON, got 200 "<html>hello"$/);
  assert.match(said["no object"]!, /expected an object, got \[1\]$/);
  assert.match(said["errors"]!, /: C: why$/);
  assert.match(said["nothing said"]!, /answered 503$/);
  assert.match(said["elsewhere"]!, /cannot be asked/);
  assert.match(said["endless"]!, /longer than 8388608 bytes/);
  const hanging = Promise.withResolvers<Response>();
  {
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => hanging.promise);
    const url = `http://127.0.0.1:${server.addr.port}`, name = "JobManager" as const;
    const asked = (signal: AbortSignal, timeout_ms: number) => ask({ url, name, signal, timeout_ms }, "/jobs");
    await assert.rejects(asked(new AbortController().signal, 50), /expected an answer within 0.05 s, got none/);
    // The wish to end is not a failure of Flink's.
    const ending = new AbortController(), waiting = asked(ending.signal, 30_000);
    ending.abort(new Error("stopped by a signal"));
    await assert.rejects(waiting, /^Error: stopped by a signal$/);
    hanging.resolve(Response.json({}));
  }
  const nobody = { url: "http://127.0.0.1:1", name: "SQL gateway" as const, signal: new AbortController().signal };
  await assert.rejects(
    ask(nobody, "/v1/info"),
    /^FlinkFailure: the SQL gateway at http:\/\/127.0.0.1:1: cannot be asked/,
  );
});
