import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database } from "../../src/database/mod.ts";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { type Place, refused_connection, start_ingest, WatchedDatabase } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { expected, partitioned } from "../support/trip_events.ts";
import { migrated } from "../support/trip_pipeline.ts";

/** A life of the program: how many transactions it gets through, and where in the next one it dies. */
interface Life {
  readonly transactions: number;
  readonly place: Exclude<Place, "query">;
}

const life = (most_transactions: number): fc.Arbitrary<Life> =>
  fc.record({
    transactions: fc.nat(most_transactions),
    place: fc.constantFrom("begin" as const, "commit" as const, "committed" as const),
  });
const lived = (most_transactions: number) => fc.tuple(life(most_transactions), fc.integer({ min: 3, max: 30 }));

/** Lives one after the other. The first dies in its first transaction, of which there is one; for the others there may be too little to do. */
const lives = fc.tuple(lived(0), fc.array(lived(3), { maxLength: 5 })).map(([first, others]) => [first, ...others]);

/** Ingests until everything is committed or death comes; whoever comes after has the database and the source's messages, nothing else. */
async function live(
  database: Database,
  partitions: SourceMessage[][],
  batch_messages: number,
  death: Life | null,
): Promise<boolean> {
  const abort = new AbortController();
  let through = 0, died = false;
  const watched = new WatchedDatabase(database, (place) => {
    if (died) throw refused_connection();
    if (place === death?.place && through === death.transactions) {
      died = true;
      abort.abort();
      throw refused_connection();
    }
    if (place === "committed") through++;
  });
  const running = start_ingest(watched, new MemorySource("trips", partitions), { batch_messages, abort });
  try {
    await Promise.race([running.ended, running.caught_up()]);
  } finally {
    await running.stop();
  }
  return died;
}

tacho_test({
  name: "any schedule of append, crash and resume skips nothing and repeats nothing",
  needs: ["postgres"],
  async fn() {
    const server = await shared_postgres();
    const property = fc.asyncProperty(
      partitioned(3, { maxLength: 80 }),
      lives,
      async (partitions, lives) => {
        const { url } = await server.create_database(migrated);
        const database = await open_database({ url, data_dir: null, connections: 3 });
        try {
          let deaths = 0;
          for (const [death, batch_messages] of lives) {
            if (await live(database, partitions, batch_messages, death)) deaths++;
          }
          assert.ok(deaths > 0, "the schedule held no crash");
          assert.equal(await live(database, partitions, 10, null), false);
          assert.deepEqual(await compare_with_database((sql) => database.query(sql), expected(partitions)), []);
        } finally {
          await database.close();
        }
      },
    );
    await fc.assert(property, { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 25) });
  },
});
