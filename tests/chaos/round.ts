import { disturb, stop } from "./disturb.ts";
import { Sender } from "./sender.ts";
import type { Round } from "./schedule.ts";
import type { Cause, Tally } from "./tally.ts";
import type { Side, World } from "./world.ts";

/** A disturbance as it went. */
export interface Caused {
  readonly cause: Cause;
  readonly moment: number;
  readonly how: string;
  /** From the end of the disturbance until every partition with unread messages was read on. */
  readonly recovery_s: number;
}

/**
 * Plays a round, in all domains at once: messages, as many members as it says, its disturbances; until the program has read everything.
 * @param told hears of every disturbance once it is recovered from
 */
export async function play_round(
  world: World,
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
  const senders = world.sides.map((side) => {
    return new Sender(world, side, side.stream.take(round.number, round.load), steps.length);
  });
  if (world.programs.length === 0) {
    for (let i = 0; i < round.instances; i++) world.start_program();
    await world.members_read(world.programs.length);
  }
  for (const { cause, moment, act } of steps) {
    const before = await Promise.all(senders.map(async (sender) => {
      const { read: from } = await progress(world, sender.side);
      const before = sender.send_before();
      const wanted = from + Math.floor(moment * before.count);
      await world.brings(
        `${wanted} messages of ${sender.side.topic} are read`,
        async () => (await world.progress(sender.side)).read >= wanted,
      );
      return before;
    }));
    const during = senders.map((sender) => sender.send_during());
    tally.caused(cause);
    const how = await act();
    // Something to read on with is sent now: the recovery of the one that sends counts as well.
    const recoveries = await Promise.all(senders.map((sender) => recovery(world, sender)));
    await Promise.all([...before, ...during].map(({ sent }) => sent));
    // The domain that took longest.
    const recovery_s = Math.max(...recoveries);
    tally.recovered(cause, recovery_s);
    told({ cause, moment, how, recovery_s });
  }
  for (const side of world.sides) {
    const ends = await world.ends(side);
    await world.brings(`everything of ${side.topic} is read`, async () => {
      const { cursors } = await world.progress(side);
      return [...ends].every(([partition, end]) => end === 0 || cursors.get(partition) === end);
    });
  }
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
    await world.members_read(world.programs.length);
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

const progress = (world: World, side: Side) =>
  world.brings("the database tells the progress", () => world.progress(side));

/**
 * Seconds from now until a batch of a domain is committed and every partition that has something unread now was read on.
 * @param sender sends something to read on with
 */
async function recovery(world: World, sender: Sender): Promise<number> {
  const { side } = sender;
  const from = performance.now();
  const ends = world.ends(side);
  ends.catch(() => {});
  const first = await progress(world, side);
  const { sent } = sender.send_after();
  const recovered_at = await world.brings("reading goes on", async () => {
    const now = await world.progress(side);
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
