/**
 * What a connection to a server must be like, pure. A server, a database or a role may have settings of its own; some of them would
 * lose commits, hide rows or refuse good messages. What anybody may set, every connection sets for itself; the rest is looked at, and a
 * database that is not like that is refused in one sentence.
 *
 * Set by statements and not at login: poolers refuse logins that set anything.
 */

/** By name. One that a server does not have, being older, is left out. */
const SETTINGS: Readonly<Record<string, string>> = {
  // A frozen process must not hold the head's lock for ever, and nobody waits for one without end.
  idle_in_transaction_session_timeout: "20s",
  lock_timeout: "20s",
  statement_timeout: "300s",
  idle_session_timeout: "0",
  transaction_timeout: "0",
  // How values are written and read.
  timezone: "UTC",
  datestyle: "ISO, MDY",
  intervalstyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  client_encoding: "UTF8",
  array_nulls: "on",
  standard_conforming_strings: "on",
  backslash_quote: "safe_encoding",
  transform_null_equals: "off",
  // What statements see and do.
  default_transaction_isolation: "read committed",
  default_transaction_deferrable: "off",
  exit_on_error: "off",
  gin_fuzzy_search_limit: "0",
  // Rows that a policy hides would be missing in silence; so the statement fails and says why.
  row_security: "off",
};

/**
 * Gives the connection its settings. A commit that is acknowledged must be on disk: `synchronous_commit` is changed only where it is off, the
 * other values wait for more or for fewer replicas. What the database allows a statement may be too little for all this.
 */
export const SET_SESSION = `set statement_timeout = 0; select set_config(s.name, wanted.value, false)
  from (values ${
  Object.entries(SETTINGS).map(([name, value]) => `('${name}', '${value}')`).join(", ")
}, ('synchronous_commit', 'on')) wanted (name, value)
  join pg_settings s on lower(s.name) = wanted.name
  where s.name <> 'synchronous_commit' or s.setting = 'off'`;

/** What the server said of itself and the session. */
export interface SessionFacts {
  readonly backend: number;
  readonly version: number;
  readonly encoding: string;
  readonly schema: string | null;
  readonly search_path: string;
  readonly triggers: string;
}

/**
 * Asks for SessionFacts; changes nothing for later statements, for it is not yet known whose connection this is. What the
 * database allows a statement may be too little for these.
 */
export const LOOK_AT_SESSION = `set local statement_timeout = 0;
select pg_backend_pid() as backend, current_setting('server_version_num')::integer as version,
  current_setting('server_encoding') as encoding, current_schema()::text as schema, current_setting('search_path') as search_path,
  current_setting('session_replication_role') as triggers`;

const OLDEST_VERSION = 140_000;

/** What makes a database unfit, and what to do about it, in one sentence; null when nothing does. */
export function unfitness({ version, encoding, schema, search_path, triggers }: SessionFacts): string | null {
  if (version < OLDEST_VERSION) {
    return `expected PostgreSQL 14 or newer, got ${Math.floor(version / 10_000)}; use a newer server`;
  }
  if (encoding !== "UTF8") {
    return `expected a database with the encoding UTF8, got ${encoding}, which cannot hold every name; ` +
      "create one with `create database … encoding 'UTF8' template template0`";
  }
  if (schema === null) {
    return `none of the schemas in its search_path (${search_path}) exists and may be used; create one, grant usage on it, or set ` +
      "another search_path for the role";
  }
  if (triggers === "replica") {
    return 'session_replication_role is "replica", which turns off the triggers that keep the log append-only; ' +
      "take it out of the settings of the server, the database and the role";
  }
  return null;
}

/** Asks whether the role of the session may use a schema of its own; no row where there is none yet. */
export const LOOK_AT_SCHEMA =
  "select current_user::text as role, has_schema_privilege(oid, 'usage') as usable from pg_namespace where nspname = $1";

/** What is in the way of a session that is to work in a schema, and what to do about it, in one sentence; null when nothing is. */
export function unfit_schema(
  schema: string,
  found: { readonly role: string; readonly usable: boolean } | undefined,
): string | null {
  if (found?.usable !== false) return null;
  return `expected a role with the right to use the schema "${schema}", got "${found.role}", which has none; as the owner of its tables: ` +
    `grant usage on schema ${schema} to ${found.role}`;
}

/** What stands in the way of a log that is to lie in a schema of its own. */
export const no_schema = (schema: string): string =>
  `expected the schema "${schema}", or a role that may create it, got neither; run \`tacho migrate --domain ${schema}\` as a role that may ` +
  "create schemas, and there: select grant_to_program('ROLE')";

/** Refuses poolers that give every transaction another server connection. */
export const NO_SESSION =
  "a pooler stands between that gives each transaction another connection (such as PgBouncer with pool_mode = transaction); tacho needs its " +
  "settings and prepared statements to stay: name the address of PostgreSQL itself in DATABASE_URL, or set pool_mode = session";
