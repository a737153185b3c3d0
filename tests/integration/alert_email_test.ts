import assert from "node:assert/strict";
import { createServer } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { type AlertMessage, email, read_smtp_url } from "../../src/alerts/mod.ts";

const PASSWORD = "hush-hush-hush";

interface Mail {
  readonly to: string[];
  readonly from: string;
  readonly text: string;
}

/** Lends a mail server of this machine, with what came in. */
async function with_smtp(
  options: SMTPServerOptions,
  work: (port: number, mails: readonly Mail[]) => Promise<void>,
): Promise<void> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    name: "localhost",
    disabledCommands: ["STARTTLS"],
    authOptional: true,
    allowInsecureAuth: true,
    onData(stream, { envelope: { rcptTo, mailFrom } }, done) {
      let text = "";
      stream.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
      stream.on("end", () => {
        mails.push({
          to: rcptTo.map(({ address }) => address),
          from: mailFrom === false ? "" : mailFrom.address,
          text,
        });
        done();
      });
    },
    ...options,
  });
  // What clients break off is theirs.
  server.on("error", () => {});
  const port = await new Promise<number>((resolve) => {
    const listening = server.listen(0, "127.0.0.1", () => resolve((listening.address() as { port: number }).port));
  });
  try {
    await work(port, mails);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const MESSAGE: AlertMessage = {
  id: "9f8c.17",
  domain: "trips",
  rule: "few",
  state: "firing",
  before: "pending",
  why: "window",
  text: "trips few fires: completed (city Zürich\r\nBcc: evil@example.test) below 20, is 3",
  figure: "completed",
  unit: "count",
  value: 3,
  since: "2026-03-01T10:30:00.000000Z",
  window: { from: "2026-03-01T10:35:00.000000Z", to: "2026-03-01T10:40:00.000000Z" },
  noticed: "2026-03-01T10:41:02.118000Z",
  note: "Ask the dispatcher\n.\nfirst",
  definition: {},
};
const NEVER = new AbortController().signal;
const PEOPLE = { to: ["ada@example.test", "bob@example.test"], from: "tacho@example.test" };
const receiver = (port: number, login = "", step_ms = 5_000) =>
  email("ops", PEOPLE, read_smtp_url(`smtp://${login}127.0.0.1:${port}`)!, step_ms);

Deno.test("a mail arrives at all addresses, and again under the same Message-ID", async () => {
  await with_smtp({}, async (port, mails) => {
    await receiver(port).send(MESSAGE, NEVER);
    await receiver(port).send(MESSAGE, NEVER);
    assert.equal(mails.length, 2);
    const [{ to, from, text }] = mails as [Mail];
    assert.deepEqual([to, from], [PEOPLE.to, PEOPLE.from]);
    const head = text.slice(0, text.indexOf("\r\n\r\n"));
    assert.match(head, /^Message-ID: <9f8c\.17@tacho\.invalid>$/mi);
    assert.match(head, /^X-Tacho-Id: 9f8c\.17$/mi);
    assert.match(head, /^Auto-Submitted: auto-generated$/mi);
    assert.doesNotMatch(head, /^Bcc:/mi, "what a key says is no header");
    assert.match(text, /Ask the dispatcher\r\n\.?\.\r\nfirst/);
    assert.match(text, /window: 2026-03-01T10:35:00\.000000Z to 2026-03-01T10:40:00\.000000Z/);
    assert.match(mails[1]!.text, /^Message-ID: <9f8c\.17@tacho\.invalid>$/mi);
  });
});

Deno.test("a server that refuses, or wants another password, is told without login and address", async () => {
  const refuse = (_: unknown, __: unknown, done: (error: Error) => void) =>
    done(Object.assign(new Error("try again later"), { responseCode: 451 }));
  await with_smtp({ onMailFrom: refuse }, async (port, mails) => {
    await assert.rejects(receiver(port).send(MESSAGE, NEVER), /451 try again later/);
    assert.equal(mails.length, 0);
  });
  await with_smtp(
    { authOptional: false, onAuth: (_, __, done) => done(new Error(`not ${PASSWORD}`)) },
    async (port) => {
      const error = await receiver(port, `me:${PASSWORD}@`).send(MESSAGE, NEVER).then(() => null, (error) => error);
      assert.ok(error instanceof Error);
      for (let each: unknown = error; each instanceof Error; each = each.cause) {
        assert.doesNotMatch(each.message, new RegExp(`${PASSWORD}|127\\.0\\.0\\.1`));
      }
    },
  );
  await assert.rejects(
    receiver(1).send(MESSAGE, NEVER),
    (error) => error instanceof Error && !error.message.includes("127.0.0.1"),
  );
});

Deno.test("the right password is taken", async () => {
  await with_smtp({
    authOptional: false,
    onAuth: ({ username, password }, _, done) =>
      username === "me" && password === PASSWORD ? done(null, { user: 1 }) : done(new Error("no")),
  }, async (port, mails) => {
    await receiver(port, `me:${PASSWORD}@`).send(MESSAGE, NEVER);
    assert.equal(mails.length, 1);
  });
});

Deno.test("a server that says nothing is given up, and at once when the program ends", async () => {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  );
  try {
    await assert.rejects(receiver(port, "", 200).send(MESSAGE, NEVER), /Greeting never received|timeout/i);
    const end = new AbortController(), ended = new Error("the program ends");
    const sending = receiver(port).send(MESSAGE, end.signal);
    end.abort(ended);
    await assert.rejects(sending, (error) => error === ended);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});
