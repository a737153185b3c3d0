/** SQLSTATE classes that blame the data of a statement: cardinality, data exception, constraint violation, program limit. */
const DATA_STATES = /^(?:21|22|23|54)/;

/**
 * The database could not be reached, or the connection to it broke. Only the adapters make it, where a connection is opened or is known
 * to have broken; what the driver said is the cause. Whatever else an error quotes, it is no outage.
 */
export class DatabaseUnreachable extends Error {
  override readonly name = "DatabaseUnreachable";

  /** @param action what was to be done, e.g. "connect to the database" */
  constructor(action: string, cause: unknown) {
    super(`${action}: ${words_of(cause)}`, { cause });
  }
}

/**
 * The database answers, and what it is or what stands before it would lose or spoil what we write. At the start that ends the program;
 * later it is waited out like an outage, for it is no message's fault.
 */
export class DatabaseUnsuitable extends Error {
  override readonly name = "DatabaseUnsuitable";

  /** @param why and what to do about it, in one sentence */
  constructor(why: string, cause?: unknown) {
    super(`use the database: ${why}`, cause === undefined ? {} : { cause });
  }
}

/** A driver's error in words; one that gathers several (a name with several addresses) may have a code alone. */
const words_of = (error: unknown): string =>
  error instanceof Error ? error.message || field_of(error, "code") || error.name : String(error);

const field_of = (error: object, field: "code" | "severity" | "constraint"): string | null => {
  const value: unknown = Reflect.get(error, field);
  return typeof value === "string" ? value : null;
};

/** The SQLSTATE of what the server said; null for any other error. Only what a server says has a severity: a system's error has a code too. */
export function sqlstate(error: unknown): string | null {
  return error instanceof Error && field_of(error, "severity") !== null ? field_of(error, "code") : null;
}

/** Whether others held what was to be locked, and did not let go of it within the wait: trying again helps. */
export const is_held_by_others = (error: unknown): boolean => sqlstate(error) === "55P03";

/** The name of the constraint that a database error names; null when it names none. */
export function violated_constraint(error: unknown): string | null {
  return error instanceof Error ? field_of(error, "constraint") : null;
}

/**
 * Whether the database failed for a reason that no record is to blame for. What the server says blames none unless its SQLSTATE is one of
 * data: a missing table or right is nobody's message's fault.
 */
export function blames_no_data(error: unknown): boolean {
  if (error instanceof DatabaseUnreachable || error instanceof DatabaseUnsuitable) return true;
  const state = sqlstate(error);
  return state !== null && !DATA_STATES.test(state);
}

/** Whether the database refused to take a batch because this program writes for another schema: that stays so, another program is needed. */
export function is_other_schema(error: unknown): boolean {
  return sqlstate(error) === "TA002";
}

/** Whether an error means that the database cannot be worked with now (retry for ever), not that a record is bad or the program too old. */
export function is_outage(error: unknown): boolean {
  return blames_no_data(error) && !is_other_schema(error);
}

/**
 * SQLSTATEs of trouble that passes: the connection, rollbacks to be tried again, a server that is read-only for now, resources, locks, an
 * operator's stop or start, input and output. A statement that was ended (57014) is none of them: it would be ended again.
 */
const PASSING_STATES = /^(?:08|40|53|58|57P|25006|55006|55P03)/;

/** Whether what failed may work when it is tried again, however it was asked: narrower than an outage, under which a missing right falls too. */
export function may_pass(error: unknown): boolean {
  return error instanceof DatabaseUnreachable || PASSING_STATES.test(sqlstate(error) ?? "");
}

/** Whether a statement was ended because it took longer than it may. */
export function took_too_long(error: unknown): boolean {
  return sqlstate(error) === "57014";
}
