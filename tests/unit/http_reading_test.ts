import assert from "node:assert/strict";
import { Busy } from "../../src/http/gate.ts";
import { SharedReading } from "../../src/http/reading.ts";

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
