import type { Database, Transaction } from "../../src/database/mod.ts";

/**
 * Does something in a transaction of its own and keeps what that locks, until what it gives is called: that ends the transaction, and hears how.
 * However long it is: by itself a session ends a transaction that is idle for 20 s, which slow machines take between two steps of a test.
 * @param work a statement, or more
 */
export async function hold(
  database: Database,
  work: string | ((tx: Transaction) => Promise<void>),
): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>(), over = Promise.withResolvers<void>();
  const holding = database.transaction(async (tx) => {
    await tx.execute("set local idle_in_transaction_session_timeout = 0");
    if (typeof work === "string") await tx.execute(work);
    else await work(tx);
    held.resolve();
    await over.promise;
  });
  // Whoever ends it hears of its failure.
  holding.catch(held.reject);
  await held.promise;
  return () => {
    over.resolve();
    return holding;
  };
}
