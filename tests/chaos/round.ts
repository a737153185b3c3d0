import { reading_members } from "../support/read_topic.ts";
import { disturb, stop } from "./disturb.ts";
import type { LoadStream } from "./load.ts";
import { Sender, type Sending } from "./sender.ts";
import type { Round } from "./schedule.ts";
import type { Cause, Tally } from "./tally.ts";
import type { World } from "./world.ts";

/** A disturbance as it went. */
export interface Caused {
  readonly cause: Cause;
  readonly moment: number;
  readonly how: string;
  /** From the end of the disturbance until every partition with unread messages was read on. */
  readonly recovery_s: number;
}

/**
 * Plays a round: messages, as many members as it says, its disturbances; until the program has read everything.
 * @param told hears of every disturbance once it is recovered from
 */
export async function play_round(
  world: World,
  stream: LoadStream,
  round: Round,
  tally: Tally,
  told: (caused: Caused) => void,
): Promise<void> {
  const steps = [
    ...steps_of_members(world, round),
    ...round.disturbances.map((disturbance): Step => ({
      cause: disturbance.kind,
      moment: disturbance.moment,
      act: () => disturb(world, disturbance),
    })),
  ];
  const sender = new Sender(world, stream, stream.take(round.number, round.load), steps.length, tally);
  if (world.programs.length === 0) {
    for (let i = 0; i < round.instances; i++) world.start_program();
    await members_read(world);
  }
  for (const { cause, moment, act } of steps) {
    const { read: from } = await world.brings("the database tells the progress", () => world.progress());
    const before = sender.send_before();
    const wanted = from + Math.floor(moment * before.count);
    await world.brings(`${wanted} messages are read`, async () => (await world.progress()).read >= wanted);
    const during = sender.send_during();
    tally.caused(cause);
    const how = await act();
    // Something to read on with is sent now: the recovery of the one that sends counts as well.
    const recovery_s = await recovery(world, () => sender.send_after());
    await Promise.all([before.sent, during.sent]);
    tally.recovered(cause, recovery_s);
    told({ cause, moment, how, recovery_s });
  }
  const ends = await world.ends();
  await world.brings("everything is read", async () => {
    const { cursors } = await world.progress();
    return [...ends].every(([partition, end]) => end === 0 || cursors.get(partition) === end);
  });
  await world.release();
}

/** Something that is done to the world at a moment of the progress. */
interface Step {
  readonly cause: Cause;
  /** Share of the messages sent just before that are read by then. */
  readonly moment: number;
  /** Resolves when it is over, with a word on how it was done. */
  readonly act: () => Promise<string>;
}

/** Lets members come or go until there are as many as the round says. */
function steps_of_members(world: World, { instances, leave, moment }: Round): Step[] {
  if (world.programs.length === 0) return [];
  const joins = async () => {
    world.start_program();
    await members_read(world);
    return "";
  };
  const leaves = async () => {
    const last = world.programs.at(-1)!;
    if (leave === "stopped") {
      await stop(world, last);
    } else {
      await last.kill_nine();
      await world.forget(last);
    }
    return "";
  };
  const coming = Math.max(0, instances - world.programs.length);
  const going = Math.max(0, world.programs.length - instances);
  return [
    ...Array.from({ length: coming }, (): Step => ({ cause: "member_joined", moment, act: joins })),
    ...Array.from({ length: going }, (): Step => ({ cause: `member_${leave}`, moment, act: leaves })),
  ];
}

async function members_read(world: World): Promise<void> {
  const { kafka, env, programs } = world;
  await world.brings(
    `${programs.length} members read`,
    async () => await reading_members(kafka.brokers, env.TACHO_GROUP) === programs.length,
  );
}

/**
 * Seconds from now until a batch is committed and every partition that has something unread now was read on.
 * @param send sends something to read on with
 */
async function recovery(world: World, send: () => Sending): Promise<number> {
  const from = performance.now();
  const ends = world.ends();
  ends.catch(() => {});
  const first = await world.brings("the database tells the progress", () => world.progress());
  const { sent } = send();
  const recovered_at = await world.brings("reading goes on", async () => {
    const now = await world.progress();
    const seen = performance.now();
    if (now.read <= first.read) return null;
    const moved = [...await ends].every(([partition, end]) => {
      const before = first.cursors.get(partition) ?? 0;
      return before >= end || (now.cursors.get(partition) ?? 0) > before;
    });
    return moved && seen;
  });
  await sent;
  return (recovered_at - from) / 1_000;
}
