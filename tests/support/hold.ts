import type { Database } from "../../src/database/mod.ts";

/**
 * Runs a statement in a transaction of its own and keeps what it locks, until what it gives is called: that ends the transaction and waits for its end.
 * However long it is: by itself a session ends a transaction that is idle for 20 s, which slow machines take between two steps of a test.
 */
export async function hold(database: Database, statement: string): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>(), over = Promise.withResolvers<void>();
  const holding = database.transaction(async (tx) => {
    await tx.execute("set local idle_in_transaction_session_timeout = 0");
    await tx.execute(statement);
    held.resolve();
    await over.promise;
  });
  await Promise.race([held.promise, holding]);
  return () => {
    over.resolve();
    return holding;
  };
}
