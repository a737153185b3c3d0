import { type Database, plain_array, type Queryable, text_array, type Transaction } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import type { Person } from "./append.ts";
import { record_decision } from "./decisions.ts";
import { message_of_row, row_digest, written_rows, type WrittenRow } from "./quarantine.ts";
import type { SourceMessage } from "./source_message.ts";

/**
 * Persons that can be forgotten: the log holds an alias of each, and one table whose it is (docs/forgetting.md). Who plans by the aliases of before
 * a person was forgotten is `Overtaken`.
 */

/** The aliases of the persons of a dimension that have these ids, by id; those that have none are left out. */
export async function read_aliases(
  database: Queryable,
  dimension: string,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const rows = await database.query<{ person_id: string; alias: string }>({
    name: "read_aliases",
    text: "select person_id, alias from persons where dimension = $1 and person_id = any($2::text[])",
  }, [dimension, text_array(ids)]);
  return new Map(rows.map(({ person_id, alias }) => [person_id, alias]));
}

/** The ids of the persons that have these aliases, by alias; those that nobody has any more are left out. */
export async function read_person_ids(
  database: Queryable,
  aliases: readonly string[],
): Promise<Map<string, string>> {
  const rows = await database.query<{ person_id: string; alias: string }>({
    name: "read_person_ids",
    text: "select person_id, alias from persons where alias = any($1::text[])",
  }, [text_array(aliases)]);
  return new Map(rows.map(({ person_id, alias }) => [alias, person_id]));
}

/** Aliases that were forgotten by a batch and that somebody has all the same, in words: a faulty restore, or a hand in the table. */
export async function remembered_persons(reading: Queryable): Promise<string[]> {
  const rows = await reading.query<{ batch: string; alias: string }>(
    `select b.batch, p.alias from batches b join persons p on p.alias = b.note->>'alias' where b.kind = 'forgotten' order by 1 limit 20`,
  );
  return rows.map(({ batch, alias }) => `batch ${batch} forgot whose ${alias} is, and persons says it`);
}

/** The person that is to be forgotten, who wants it and why. */
export interface Forgetting extends Omit<Person, "alias"> {
  readonly by: string;
  readonly reason: string;
  /** Whether a message that was set aside names the person. */
  readonly names: (message: SourceMessage) => boolean;
}

/** Messages that are looked at together, and erased by one batch: its note names each. */
const PAGE = { messages: 1_000, bytes: 16 << 20 };

/** The messages of the quarantine that name a person and are not erased, with the newest that was looked at. */
interface Naming {
  readonly ids: readonly number[];
  readonly newest_id: number;
}

/**
 * Looks through the quarantine, whatever became of its messages, page by page.
 * @param after only behind this message
 * @param progress hears how many were looked at
 */
export async function messages_naming(
  database: Queryable,
  { names }: Pick<Forgetting, "names">,
  after = 0,
  progress: (messages: number) => void = () => {},
): Promise<Naming> {
  const ids: number[] = [];
  let newest_id = after;
  for (;;) {
    const rows = await database.query(
      `with page as (
        select quarantine_id, coalesce(octet_length(message_key), 0) + coalesce(octet_length(message_value), 0)
          + octet_length(headers::text) as bytes
        from quarantine where quarantine_id > $1 and erased_bytes is null order by quarantine_id limit $2
      ), sized as (
        select quarantine_id, sum(bytes) over (order by quarantine_id) as up_to, bytes from page
      )
      select quarantine_id, topic, partition, message_offset, message_key, headers, message_value
      from sized join quarantine using (quarantine_id) where up_to <= $3 or up_to = bytes order by quarantine_id`,
      [newest_id, PAGE.messages, PAGE.bytes],
    );
    if (rows.length === 0) return { ids, newest_id };
    for (const row of rows) {
      newest_id = Number(row.quarantine_id);
      if (names(message_of_row(row))) ids.push(newest_id);
    }
    progress(rows.length);
  }
}

/** What erased messages say of what was wrong with them: a sentence may quote what it was of. */
const ERASED = "erased: it named a person who was forgotten";

/** Erases messages: what they held goes, their hash, place and size stay; what was held is discarded. */
async function erase(tx: Transaction, ids: readonly number[], recorded_at_us: number): Promise<WrittenRow[]> {
  if (ids.length === 0) return [];
  const array = plain_array(ids);
  await tx.query("select erase_messages($1::bigint[], $2, $3)", [array, ERASED, format_time(recorded_at_us)]);
  return written_rows(
    await tx.query(
      `select q.quarantine_id, ${
        row_digest("q.message_hash")
      } as digest from quarantine q where quarantine_id = any($1::bigint[])`,
      [array],
    ),
  );
}

/** What was forgotten. */
interface Forgotten {
  /** The alias that stays in the log; null: the person had none. */
  readonly alias: string | null;
  readonly erased: number;
  /** The batches that record it; the last one names the alias. */
  readonly batches: readonly number[];
}

/**
 * Forgets a person: erases the messages of the quarantine that name it, then deletes whose the alias is, in the transaction that looks once more
 * at what was set aside meanwhile. Who did it, when, why, the alias and the messages are recorded in the hash chain, the id is not. Killed in
 * between, it is done by the same command again. Appenders plan anew by it.
 * @param found as `messages_naming` gave it
 */
export async function forget_person(
  database: Database,
  forgetting: Forgetting,
  found: Naming,
  recorded_at_us: number,
): Promise<Forgotten> {
  const { dimension, person_id, by, reason } = forgetting;
  const batches: number[] = [];
  let erased = 0;
  const record = async (tx: Transaction, alias: string | null, quarantine: readonly WrittenRow[]) => {
    const note = {
      by,
      dimension,
      reason,
      ...alias === null ? {} : { alias },
      ...quarantine.length === 0 ? {} : { quarantine },
    };
    const batch = await record_decision(tx, { kind: "forgotten", cursors: [], note }, recorded_at_us);
    return { alias, batch, messages: quarantine.length };
  };
  const committed = (done: { readonly batch: number; readonly messages: number }) => {
    batches.push(done.batch);
    erased += done.messages;
  };
  for (let at = 0; at < found.ids.length; at += PAGE.messages) {
    committed(
      await database.transaction(async (tx) => {
        // The head first, as all who append do.
        await tx.query("select 1 from log_head for update");
        return await record(tx, null, await erase(tx, found.ids.slice(at, at + PAGE.messages), recorded_at_us));
      }),
    );
  }
  const last = await database.transaction(async (tx) => {
    await tx.query("select 1 from log_head for update");
    const { ids } = await messages_naming(tx, forgetting, found.newest_id);
    const quarantine = await erase(tx, ids, recorded_at_us);
    const [person] = await tx.query<{ alias: string }>(
      "delete from persons where dimension = $1 and person_id = $2 returning alias",
      [dimension, person_id],
    );
    const alias = person?.alias ?? null;
    return alias === null && quarantine.length === 0 ? null : await record(tx, alias, quarantine);
  });
  if (last !== null) committed(last);
  return { alias: last?.alias ?? null, erased, batches };
}
