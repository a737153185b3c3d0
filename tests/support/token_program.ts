import assert from "node:assert/strict";
import { BoardPage } from "./board_page.ts";
import { shared_postgres } from "./postgres.ts";
import { is_ready, type ServingProgram, TachoProgram } from "./tacho_program.ts";
import { until } from "./until.ts";

/** What the program wants typed, or sent. */
export const TOKEN = "a token of sixteen characters";

/** A program that wants a token, and what is done with that token. It ends with `await using`. */
export interface TokenProgram extends AsyncDisposable {
  readonly program: ServingProgram;
  /** Posts events, to a domain below its base (`payments/`): they are taken. */
  tell(events: readonly object[], base?: string): Promise<void>;
  /** Opens a page below the program's address, and types the token there. Who goes on waits for what comes then. */
  open(path?: string, options?: Parameters<typeof BoardPage.open>[1]): Promise<BoardPage>;
}

/** Serves domains from a database of their own; resolves when all of them are open. */
export async function serve_with_token(
  domains = "trips",
  others: Readonly<Record<string, string>> = {},
): Promise<TokenProgram> {
  const { url: DATABASE_URL } = await (await shared_postgres()).create_database();
  const env = { DATABASE_URL, TACHO_DOMAINS: domains, TACHO_TOKEN: TOKEN, ...others };
  const program = await TachoProgram.serve("start", { env });
  const headers = { "content-type": "application/x-ndjson", authorization: `Bearer ${TOKEN}` };
  const dispose = () => program[Symbol.asyncDispose]();
  try {
    await until("all domains are open", () => is_ready(program.url), 60_000);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    program,
    async tell(events, base = "") {
      const body = events.map((event) => JSON.stringify(event)).join("\n");
      const answer = await fetch(`${program.url}${base}api/v1/events`, { method: "POST", headers, body });
      assert.equal(answer.status, 200, await answer.text());
    },
    async open(path = "", options) {
      const board = await BoardPage.open(program.url + path, options);
      await board.page.fill("input", TOKEN);
      await board.page.keyboard.press("Enter");
      return board;
    },
    [Symbol.asyncDispose]: dispose,
  };
}
