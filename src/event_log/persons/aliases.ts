import { type Queryable, text_array } from "../../database/mod.ts";

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
