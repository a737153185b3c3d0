import assert from "node:assert/strict";
import { type SessionFacts, unfit_schema, unfitness } from "../../src/database/session.ts";

const FIT: SessionFacts = {
  backend: 1,
  version: 140_000,
  encoding: "UTF8",
  schema: "public",
  search_path: "public",
  triggers: "origin",
};

Deno.test("a server is fit from PostgreSQL 14 on, with UTF8, a schema and its triggers; else one sentence says what to do", () => {
  assert.equal(unfitness(FIT), null);
  assert.equal(unfitness({ ...FIT, version: 190_002, schema: "tacho", triggers: "local" }), null);
  const unfit: [Partial<SessionFacts>, RegExp][] = [
    [{ version: 130_014 }, /^expected PostgreSQL 14 or newer, got 13; use a newer server$/],
    [{ encoding: "SQL_ASCII" }, /UTF8, got SQL_ASCII/],
    [{ schema: null, search_path: '"$user"' }, /\("\$user"\) exists and may be used/],
    [{ triggers: "replica" }, /"replica"/],
  ];
  for (const [change, told] of unfit) assert.match(unfitness({ ...FIT, ...change }) ?? "", told);
});

Deno.test("a schema of the program's own may be missing; one without the right to use it is refused with what to grant", () => {
  assert.equal(unfit_schema("trades", undefined), null);
  assert.equal(unfit_schema("trades", { role: "app", usable: true }), null);
  assert.equal(
    unfit_schema("trades", { role: "app", usable: false }),
    'expected a role with the right to use the schema "trades", got "app", which has none; as the owner of its tables: ' +
      "grant usage on schema trades to app",
  );
});
