import assert from "node:assert/strict";
import { Busy, KeptAnswers, SharedReading } from "../../src/http/reading.ts";

/** Readings that end when they are told to. */
function told_readings() {
  const begun: { readonly questions: readonly string[]; readonly end: (error?: Error) => void }[] = [];
  const read = (questions: readonly string[]): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const end = (error?: Error) =>
        error === undefined
          ? resolve(questions.map((question) => `${question} of reading ${begun.length}`))
          : reject(error);
      begun.push({ questions, end });
    });
  return { begun, read };
}

Deno.test("who asks while a reading is under way is answered by the next one, and equal questions share an answer", async () => {
  const { begun, read } = told_readings();
  const reading = new SharedReading(read);
  const ask = (question: string) => reading.ask(question, question);
  const first = ask("a");
  const later = [ask("a"), ask("b"), ask("a")];
  assert.deepEqual(begun.map(({ questions }) => questions), [["a"]]);
  begun[0]!.end();
  assert.equal(await first, "a of reading 1");
  assert.deepEqual(begun.map(({ questions }) => questions), [["a"], ["a", "b"]]);
  const last = ask("a");
  begun[1]!.end();
  assert.deepEqual(await Promise.all(later), ["a of reading 2", "b of reading 2", "a of reading 2"]);
  begun[2]!.end();
  assert.equal(await last, "a of reading 3");
});

Deno.test("what a reading fails with is heard by who waits for it alone", async () => {
  const { begun, read } = told_readings();
  const reading = new SharedReading(read);
  const [first, second] = [reading.ask("a", "a"), reading.ask("b", "b")];
  begun[0]!.end(new Error("the database is away"));
  await assert.rejects(first, /the database is away/);
  begun[1]!.end();
  assert.equal(await second, "b of reading 2");
});

Deno.test("nobody waits for a reading that hangs, and it is not asked again meanwhile", async () => {
  const { begun, read } = told_readings();
  const reading = new SharedReading(read, 5);
  await assert.rejects(Promise.all([reading.ask("a", "a"), reading.ask("b", "b")]), Busy);
  await assert.rejects(reading.ask("b", "b"), Busy);
  assert.equal(begun.length, 1);
  const waits = reading.ask("c", "c");
  begun[0]!.end();
  await Promise.resolve();
  while (begun.length < 2) await Promise.resolve();
  assert.deepEqual(begun[1]!.questions, ["c"]);
  begun[1]!.end();
  assert.equal(await waits, "c of reading 2");
});

Deno.test("distinct questions that wait are bounded", async () => {
  const { begun, read } = told_readings();
  const reading = new SharedReading(read);
  const answers = Array.from({ length: 1_001 }, (_, i) => reading.ask(`q${i}`, `q${i}`));
  await assert.rejects(reading.ask("one too many", "one too many"), Busy);
  begun[0]!.end();
  await answers[0];
  begun[1]!.end();
  assert.equal((await Promise.all(answers)).length, 1_001);
});

Deno.test("an answer out of memory is 50 ms old at most, also while a newer one is read, and lacks nothing that was posted", () => {
  const never = () => new Promise<never>(() => {});
  const database = {
    kind: "server",
    query: never,
    execute: never,
    script: never,
    transaction: never,
    close: never,
  } as const;
  let [now_ms, appended, renewals] = [1_000, 0, 0];
  const kept = new KeptAnswers({ database, build: "b" }, () => appended, () => now_ms);
  const find = () =>
    kept.find("key", () => {
      renewals++;
      return Promise.resolve();
    });
  const keep = (position: number) => {
    kept.note({ figures_id: "log", position }, kept.ask());
    kept.keep(`W/"log-${position}-b"`, "key", `body ${position}`);
  };
  assert.equal(find(), null);
  keep(1);
  now_ms += 50;
  assert.deepEqual([find()?.body, renewals], ["body 1", 0]);
  kept.note({ figures_id: "log", position: 1 }, kept.ask());
  now_ms += 30;
  kept.note({ figures_id: "log", position: 2 }, kept.ask());
  assert.deepEqual(
    [find(), renewals],
    [{ etag: 'W/"log-1-b"', body: "body 1" }, 1],
    "the log has moved on 30 ms ago at most",
  );
  now_ms += 21;
  assert.deepEqual([find(), renewals], [null, 1], "it may have moved on 51 ms ago");
  keep(2);
  assert.deepEqual([find()?.body, renewals], ["body 2", 1]);
  kept.note({ figures_id: "log", position: 3 }, kept.ask());
  assert.equal(find()?.body, "body 2");
  appended++;
  assert.equal(find(), null, "what is posted counts at once");
  keep(3);
  kept.note({ figures_id: "log", position: 2 }, kept.ask());
  assert.equal(find()?.body, "body 3", "an answer that was overtaken says nothing");
  kept.note({ figures_id: "another", position: 1 }, { ...kept.ask(), at_ms: now_ms + 1 });
  assert.equal(find(), null, "another log's answers are none");
});
