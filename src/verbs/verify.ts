import { verify_chain } from "../event_log/mod.ts";
import { verify_read_models } from "../projection/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { open_log } from "./open.ts";
import { ProgressLine } from "./progress_line.ts";
import type { Shell } from "./shell.ts";

/** The log or its read models are not what they must be. */
class InconsistentLog extends Error {}

/** `tacho verify`: recomputes chain, positions, streams and cells from the log; says in one line that all is well, or where it is not. */
export async function verify_verb(shell: Shell): Promise<void> {
  const { database, domain, days } = await open_log(shell);
  try {
    const of_events = new ProgressLine("verify chain, events", null, system_clock.now_ms);
    const chain = await verify_chain(database, shell.signal, (events) => of_events.add(events)).finally(() =>
      of_events.end()
    );
    const of_streams = new ProgressLine("verify trips", null, system_clock.now_ms);
    const models = await verify_read_models(database, domain, days, shell.signal, (streams) => of_streams.add(streams))
      .finally(() => of_streams.end());
    const faults = [...chain.faults, ...models.faults];
    if (faults.length > 0) {
      throw new InconsistentLog(`verify: the log is not consistent\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
    }
    console.log(
      `consistent: ${chain.events} events in ${chain.batches} batches, chain unbroken; ${models.streams} trips and ${models.cells} cells are what the events make them`,
    );
  } finally {
    await database.close();
  }
}
