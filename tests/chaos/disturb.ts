import type { Transaction } from "../../src/database/mod.ts";
import { hold } from "../support/hold.ts";
import { shell } from "../support/shell.ts";
import type { TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import type { Disturbance, Kind } from "./schedule.ts";
import { RECOVERY_LIMIT_MS, SESSION_MS, type Side, type World } from "./world.ts";

/** What was done, in a word or two for the schedule. It resolves when the disturbance ends: recovery counts from there. */
type Act = (world: World, disturbance: Disturbance) => Promise<string>;

const ACTS: Record<Kind, Act> = {
  async program_killed(world, { victim, manner }) {
    const program = pick(world.programs, victim);
    if (manner < 0.5) {
      await program.kill_nine();
    } else {
      await inside_a_transaction(world, manner * 2 - 1, () => program.kill_nine());
    }
    await world.forget(program);
    world.start_program();
    return manner < 0.5 ? "" : "inside a transaction";
  },

  async program_frozen(world, { victim, manner }) {
    const program = pick(world.programs, victim);
    const freeze = () => Promise.resolve(program.signal("SIGSTOP"));
    await (manner < 0.5 ? freeze() : inside_a_transaction(world, manner * 2 - 1, freeze));
    await pause(SESSION_MS + 1_500);
    program.signal("SIGCONT");
    return manner < 0.5 ? "" : "inside a transaction";
  },

  async program_stopped(world, { victim }) {
    await stop(world, pick(world.programs, victim));
    world.start_program();
    return "";
  },

  async broker_killed(world, { manner }) {
    await world.kafka.kill_nine();
    await pause(manner * 2_000);
    await world.kafka.restart();
    return "";
  },

  async backend_killed(world, { manner }) {
    const [pid] = await inside_a_transaction(
      world,
      manner,
      (pids) => shell("kill a backend", 'kill -9 "$1"', String(pids[0])).then(() => pids),
    );
    // The server cuts all connections, recovers and forgets the dead backend.
    await until("PostgreSQL recovers", async () => {
      const rows = await world.database.query("select 1 from pg_stat_activity where pid = $1", [pid!]);
      return rows.length === 0;
    }, RECOVERY_LIMIT_MS);
    return "inside a transaction";
  },

  async database_killed(world, { manner }) {
    await world.postgres.kill_nine();
    await pause(manner * 2_000);
    await world.postgres.restart();
    return "";
  },

  async connection_terminated(world, { manner }) {
    const cut = await inside_a_transaction(world, manner, async (pids) => {
      for (const pid of pids) await world.database.query("select pg_terminate_backend($1)", [pid]);
      return pids.length;
    });
    return cut > 1 ? `${cut} of them` : "";
  },

  async foreign_transaction(world, { victim, manner }) {
    const [side, { name, statement, brief }] = pick(
      world.sides.flatMap((side) => side.domain.foreign.map((each) => [side, each] as const)),
      manner,
    );
    // Locks of several rows may be refused for a deadlock.
    const open = () => foreign_transaction(world, side, async (tx) => void await tx.query(statement));
    const end = await until("a foreign transaction is open", open, RECOVERY_LIMIT_MS);
    const of = world.sides.length === 1 ? "" : ` of ${side.domain.name}`;
    if (!brief) return name + of;
    // One in twelve is held for longer than the program waits for a lock.
    const ms = victim < 1 / 12 ? 22_000 : 500 + victim * 2_000;
    await pause(ms);
    await world.release([end]);
    return `${name}${of}, held for ${(ms / 1_000).toFixed(1)} s`;
  },

  async partition_and_member_added(world) {
    const members = world.programs.length + 1;
    await world.add_partition();
    world.start_program();
    await world.members_read(members);
    return `${world.sides[0]!.partitions} partitions, ${members} members`;
  },
};

/** Causes a disturbance and resolves when it ends, with a word on how it was done. */
export const disturb: Act = (world, disturbance) => ACTS[disturbance.kind](world, disturbance);

/** Asks a program to end, which it must do with exit code 0, and takes it out of the world. */
export async function stop(world: World, program: TachoProgram): Promise<void> {
  const code = await program.term();
  if (code !== 0) throw new Error(`SIGTERM: expected exit code 0, got ${code}\n${program.output.slice(-3_000)}`);
  await world.forget(program);
}

/** Opens a transaction of somebody else that stays open. Gives what ends it, by `world.release`. */
async function foreign_transaction(
  world: World,
  { database }: Side,
  work: (tx: Transaction) => Promise<void>,
): Promise<() => Promise<void>> {
  const end = await hold(database, work);
  world.held.add(end);
  return end;
}

/**
 * Waits until a transaction of the program stands in the middle of its work, before a table that somebody holds, and acts then.
 * @param choice in [0, 1): which table of which domain
 */
async function inside_a_transaction<T>(
  world: World,
  choice: number,
  act: (pids: readonly number[]) => Promise<T>,
): Promise<T> {
  const tables = world.sides.flatMap((side) => side.domain.tables.map((table) => [side, table] as const));
  const [side, table] = pick(tables, choice);
  const end = await foreign_transaction(
    world,
    side,
    async (tx) => void await tx.query(`lock table ${table} in share mode`),
  );
  const pids = await world.brings(`a transaction waits for ${table}`, async () => {
    const rows = await side.database.query<{ pid: number; there: boolean }>(
      `select pid, exists (select from pg_locks l where l.pid = a.pid and not granted and relation = '${table}'::regclass) as there
        from pg_stat_activity a where datname = current_database() and usename = 'tacho'
        and backend_xid is not null and wait_event_type = 'Lock' order by 2 desc`,
    );
    return rows[0]?.there === true && rows.map(({ pid }) => pid);
  });
  const done = await act(pids);
  await world.release([end]);
  return done;
}

const pick = <T>(values: readonly T[], choice: number): T => {
  const value = values[Math.floor(choice * values.length)];
  if (value === undefined) throw new Error(`choose one of ${values.length} with ${choice}: there is none`);
  return value;
};

/** For as long as a disturbance lasts; nothing is proved by the time. */
const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));
