import { type Database, quoted } from "../../src/database/mod.ts";

/** How a text may stand in a row that is printed: as it is, as bytes in hex, and in base64, where it begins at any of three places. */
function forms_of(text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const in_base64 = [0, 1, 2].map((before) => {
    const padded = new Uint8Array([...new Uint8Array(before), ...bytes]);
    // Characters that hold bits of what stands before or after it may be any.
    return padded.toBase64({ omitPadding: true }).slice(
      before === 0 ? 0 : before + 1,
      padded.length % 3 === 0 ? undefined : -1,
    );
  });
  return [text, bytes.toHex(), ...in_base64];
}

/**
 * The tables of a database that hold a text in any of their rows, every one dumped as text: of all schemas, with what the server has sampled of their
 * values. Asked as a superuser.
 */
export async function tables_holding(superuser: Database, text: string): Promise<string[]> {
  const tables = await superuser.query<{ schema: string; name: string }>(
    `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and (n.nspname !~ '^pg_' and n.nspname <> 'information_schema' or c.relname = 'pg_statistic') order by 1, 2`,
  );
  const forms = forms_of(text), holding: string[] = [];
  for (const { schema, name } of tables) {
    const [found] = await superuser.query<{ holds: boolean }>(
      `select exists (select from ${quoted(schema)}.${quoted(name)} t, unnest($1::text[]) form
        where strpos(t::text, form) > 0) as holds`,
      [`{${forms.map((form) => JSON.stringify(form)).join(",")}}`],
    );
    if (found!.holds) holding.push(schema === "public" ? name : `${schema}.${name}`);
  }
  return holding;
}
