import assert from "node:assert/strict";
import { migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { payments_domain } from "../../src/domains/payments/mod.ts";
import { trades_domain } from "../../src/domains/trades/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { migrated, TEST_DOMAIN } from "../support/trip_pipeline.ts";

/** What every state table has for the engine, whatever its domain. */
const ENGINES = ["revision", "last_occurred_at", "last_event_id", "positions", "event_hashes"];

for (const domain of [TEST_DOMAIN, payments_domain({ currency: "USD" }), trades_domain({ currency: "USD" })]) {
  tacho_test({
    name:
      `the table of ${domain.name} that the migrations make has a column for each declared field, of its type, and no other`,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const schema = domain.name === "trips" ? null : domain.name;
      const database = await open_database({ url, data_dir: null, connections: 1, schema });
      try {
        await migrate(database, migrations_of(domain.name));
        const { columns, stream_column, tables } = domain;
        const rows = await database.query<{ name: string; type: string }>(
          "select attname as name, format_type(atttypid, null) as type from pg_attribute " +
            "where attrelid = $1::regclass and attnum > 0 and not attisdropped",
          [tables.states],
        );
        const has = new Map(rows.map(({ name, type }) => [name, type.replace(" with time zone", "tz")]));
        for (const name of [stream_column, ...ENGINES]) assert.ok(has.delete(name), name);
        assert.deepEqual(Object.fromEntries(has), Object.fromEntries(columns.map(({ name, type }) => [name, type])));
      } finally {
        await database.close();
      }
    },
  });
}
