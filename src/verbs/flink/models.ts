import { while_alone } from "../../event_log/mod.ts";
import { FlinkFailure, has_ended, writes_through } from "../../flink/mod.ts";
import {
  compare_flink_models,
  drop_flink_model,
  find_read_model,
  type PartDifference,
  read_both,
  type ReadModel,
  switch_flink_model,
} from "../../projection/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { type JobProgress, read_progress } from "../parts/mod.ts";
import { ProgressLine, type Shell, UsageError, when_free } from "../shell.ts";
import { find_model, type FlinkDatabase, no_tables, with_flink } from "./database.ts";
import { SUBMITTING } from "./submit.ts";

/** Which tables beside the live ones a verb is about. */
interface Beside {
  readonly as: string;
}

async function expected({ database }: FlinkDatabase, { as }: Beside): Promise<ReadModel> {
  const found = await find_read_model(database, as);
  if (found === null) throw no_tables(as);
  return found;
}

/** `tacho flink compare`: says how tables that a job writes beside the live ones differ from them, row by row, at one moment. */
export function flink_compare_verb(shell: Shell, { as }: Beside): Promise<void> {
  return with_flink(shell, async (of) => {
    await expected(of, { as });
    const parts = await compare_flink_models(of, as), read = await read_both(of, as);
    console.log(`${as} has read ${read.made} messages, what is live ${read.live}`);
    for (const part of parts) console.log(told(as, part));
    const different = parts.reduce((sum, { different }) => sum + different, 0);
    console.log(different === 0 ? "all rows are equal" : `${different} rows are not equal`);
  });
}

/** A part in words. */
function told(
  as: string,
  { part, compared, different, in_live_alone, in_made_alone, examples }: PartDifference,
): string {
  if (different === 0) return `${part}: all ${compared} rows are equal`;
  const alone = [
    ...in_live_alone === 0 ? [] : [`${in_live_alone} of them in what is live alone`],
    ...in_made_alone === 0 ? [] : [`${in_made_alone} of them in ${as} alone`],
  ];
  return [[`${part}: ${different} of ${compared} rows are not equal`, ...alone].join(", "), ...examples].join("\n  ");
}

const LOOK_MS = 500;

/**
 * `tacho flink switch`: exchanges tables that a job writes beside the live ones with them, in one transaction, as soon as that job has read what the
 * live one had read by then; each job goes on writing its own. `rollback` exchanges them back, in the same way.
 */
export function flink_switch_verb(
  shell: Shell,
  { as, rollback }: Beside & { readonly rollback: boolean },
): Promise<void> {
  return with_flink(shell, (of) =>
    while_alone(of.database, async () => {
      const { state } = await expected(of, { as });
      if (rollback !== (state === "replaced")) {
        throw new UsageError(
          rollback
            ? `flink switch: nothing to roll back: ${as} was never live`
            : `flink switch: ${as} holds what was live before; --rollback switches it back in, \`tacho flink drop --as ${as}\` removes it`,
        );
      }
      const direct = (await find_model(of, {})).jobs.find((job) =>
        !has_ended(job) && writes_through(job, of.prefix) === null
      );
      if (direct !== undefined) {
        throw new UsageError(
          `flink switch: job ${direct.id} writes the live tables by their names: it would write those that are switched in. Stop it (tacho flink stop); ` +
            "submitted again without --sql it goes on through a door of its own",
        );
      }
      // Which topics those tables are of that were live before, they say themselves: the configuration may be that of what took their place.
      await caught_up(of, as, rollback ? [] : shell.config.topics);
      const told = ["others hold the tables; switching is tried again", { read_model: as }] as const;
      await when_free(shell, told, () => switch_flink_model(of, as));
      console.log(
        rollback
          ? `switched back: what was live before is live again; ${as} holds what it replaced, and its job goes on writing that`
          : `switched ${as} in; ${as} holds what was live before, whose job goes on writing it: switch --rollback switches it back in, stop --as ${as} and drop --as ${as} end it`,
      );
    }, SUBMITTING));
}

/**
 * How many messages a job has yet to read of those that the live one has: of all topics that it has read from, and of those named. Of others it
 * reads none. Pure.
 * @param live the offset after the newest message read, by partition as `topic/0`
 */
export function messages_behind(
  live: JobProgress["read"],
  made: JobProgress["read"],
  named: readonly string[],
): number {
  const topic_of = (partition: string) => partition.slice(0, partition.lastIndexOf("/"));
  const topics = new Set([...named, ...[...made.keys()].map(topic_of)]);
  return [...live].reduce(
    (sum, [partition, offset]) =>
      topics.has(topic_of(partition)) ? sum + Math.max(offset - (made.get(partition) ?? 0), 0) : sum,
    0,
  );
}

/**
 * Waits until the job of tables beside the live ones has read what the live one had read when it was called. Throws FlinkFailure where it has not, and
 * does not run.
 * @param topics that it reads for sure, also where it has read nothing of them yet
 */
async function caught_up(of: FlinkDatabase, as: string, topics: readonly string[]): Promise<void> {
  const { read: live } = await read_progress(of.database);
  const behind = async () => messages_behind(live, (await read_progress(of.database, as)).read, topics);
  let left = await behind();
  if (left === 0) return;
  const line = new ProgressLine(`read what is live, into ${as}`, left, system_clock.now_ms);
  line.note(`${as} is ${left} messages behind what is live; it is waited for`);
  try {
    while (left > 0) {
      const [job] = (await find_model(of, { as })).jobs;
      if (job === undefined || has_ended(job)) {
        const why = job === undefined ? "the JobManager knows no job of it" : `its job ${job.id} is ${job.state}`;
        throw new FlinkFailure(
          `${as} is ${left} messages behind what is live, and ${why}; \`tacho flink submit --as ${as}\` lets it read on`,
        );
      }
      await of.pause(LOOK_MS);
      const next = await behind();
      line.add(Math.max(left - next, 0));
      left = next;
    }
  } finally {
    line.end();
  }
}

/** `tacho flink drop`: removes tables beside the live ones. Throws UsageError while a job writes them. */
export function flink_drop_verb(shell: Shell, { as }: Beside): Promise<void> {
  return with_flink(shell, (of) =>
    while_alone(of.database, async () => {
      await expected(of, { as });
      const running = (await find_model(of, { as })).jobs.find((job) => !has_ended(job));
      if (running !== undefined) {
        throw new UsageError(
          `flink drop: job ${running.id} is ${running.state} and writes ${as}; \`tacho flink stop --as ${as}\` stops it`,
        );
      }
      await drop_flink_model(of, as);
      console.log(`dropped ${as}`);
    }, SUBMITTING));
}
