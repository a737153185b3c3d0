/** SQLSTATE classes that blame the data of a statement: cardinality, data exception, constraint violation, program limit. */
const DATA_STATES = /^(?:21|22|23|54)/;
const OUTAGE_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
]);
const OUTAGE_TEXT =
  /connection (?:terminated|ended|closed|error|reset|refused)|timeout (?:exceeded|expired)|timeout exceeded when trying|not queryable|client (?:has|was) (?:encountered|closed)|broken pipe|server closed|PGlite is closed|Cannot use a pool after/i;

const code_of = (error: unknown): string | null => {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : null;
  return typeof code === "string" ? code : null;
};

/** The SQLSTATE of a database error; null when it carries none. */
export function sqlstate(error: unknown): string | null {
  const code = code_of(error);
  return code !== null && /^[0-9A-Z]{5}$/.test(code) && !OUTAGE_CODES.has(code) ? code : null;
}

/** The name of the constraint that a database error names; null when it names none. */
export function violated_constraint(error: unknown): string | null {
  const constraint = typeof error === "object" && error !== null && "constraint" in error ? error.constraint : null;
  return typeof constraint === "string" ? constraint : null;
}

/**
 * Whether an error means that the database cannot be worked with now (retry for ever), not that a record is bad.
 * What the server says is an outage unless its SQLSTATE blames the data: a missing table or right is nobody's message's fault.
 */
export function is_outage(error: unknown): boolean {
  const state = sqlstate(error);
  if (state !== null) return !DATA_STATES.test(state);
  return OUTAGE_CODES.has(code_of(error) ?? "") || (error instanceof Error && OUTAGE_TEXT.test(error.message));
}
