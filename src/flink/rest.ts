/** What the REST of Flink says: of its SQL gateway and of its JobManager. Every request is bounded in time, every answer in size. */

/** Flink, or whoever answers in its place, does not do what it was asked: one line. */
export class FlinkFailure extends Error {
  override readonly name = "FlinkFailure";
}

const TIMEOUT_MS = 30_000;
const MOST_BYTES = 8 << 20;
/** Of what Flink says of a failure. */
const MOST_WORDS = 500;

/** The last cause that a Java stack names; without one, the first line that says anything. */
export function cause_of(told: string): string {
  const causes = [...told.matchAll(/^\s*Caused by: (.*)$/gm)].map(([, cause]) => cause!);
  const lines = told.split("\n").map((line) => line.replace(/^[\s<]+|[\s>]+$/g, "")).filter((line) =>
    line !== "" && !/^at |^(?:Internal server error\.?,?|Exception on server side:)$|^\.\.\. \d+ more$/.test(line)
  );
  const cause = (causes.at(-1) ?? lines[0] ?? "it says nothing").replace(/^(?:[\w$]+\.)+([\w$]+: )/, "$1");
  return cause.length > MOST_WORDS ? `${cause.slice(0, MOST_WORDS)}…` : cause;
}

/** What Flink says of errors: a list of texts, some of which are stacks. */
const errors_of = (answer: Answer): string | null =>
  Array.isArray(answer.errors) && answer.errors.length > 0 ? cause_of(answer.errors.map(String).join("\n")) : null;

/** What it answers: JSON, of which only what is looked at is known. */
type Answer = Readonly<Record<string, unknown>>;

/** How it is asked. */
export interface FlinkRest {
  /** `http://host:port` */
  readonly url: string;
  /** What it is called in errors. */
  readonly name: "SQL gateway" | "JobManager";
  readonly signal: AbortSignal;
  /** How long an answer may take; 30 s unless given. */
  readonly timeout_ms?: number;
}

interface Asked {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly body?: unknown;
}

/** Asks; gives null where it answers 404. Throws FlinkFailure where it is not reached, refuses, or does not answer in time; the signal's reason. */
export async function ask(rest: FlinkRest, path: string, { method = "GET", body }: Asked = {}): Promise<Answer | null> {
  const { url, name, timeout_ms = TIMEOUT_MS } = rest, limit = AbortSignal.timeout(timeout_ms);
  const failed = (why: string, cause?: unknown) => new FlinkFailure(`the ${name} at ${url}: ${why}`, { cause });
  let status: number, text: string;
  try {
    const answer = await fetch(url.replace(/\/$/, "") + path, {
      method,
      ...body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } },
      redirect: "error",
      signal: AbortSignal.any([rest.signal, limit]),
    });
    status = answer.status;
    text = await bounded_text(answer);
  } catch (error) {
    rest.signal.throwIfAborted();
    if (limit.aborted) throw failed(`expected an answer within ${timeout_ms / 1_000} s, got none`);
    throw failed(`cannot be asked: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (status === 404) return null;
  let json: unknown;
  try {
    json = text === "" ? {} : JSON.parse(text);
  } catch {
    throw failed(`expected JSON, got ${status} ${JSON.stringify(text.slice(0, 200))}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw failed(`expected an object, got ${text.slice(0, 200)}`);
  }
  if (status >= 400) throw failed(errors_of(json as Answer) ?? `answered ${status}`);
  return json as Answer;
}

async function bounded_text(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", bytes = 0;
  for await (const piece of answer.body ?? []) {
    bytes += piece.length;
    if (bytes > MOST_BYTES) throw new Error(`its answer is longer than ${MOST_BYTES} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

const text_of = (value: unknown): string | null => typeof value === "string" ? value : null;

/**
 * Cuts a script into statements, without their semicolons; what stands in quotes and comments cuts nothing, and a statement set, up to its END, is one.
 * Throws FlinkFailure where a quote, a comment or a set does not end.
 */
export function statements_of(script: string): string[] {
  const found: string[] = [];
  let own = "", in_set = false;
  const token =
    /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|--[^\n]*|\/\*(?!\+)[\s\S]*?\*\/|['"`]|\/\*(?!\+)|;|[^'"`;\-/]+|[-/]/g;
  for (const [part] of script.matchAll(token)) {
    if (/^(?:['"`]|\/\*)$/.test(part)) throw new FlinkFailure(`read statements: ${part} has no end`);
    if (part.startsWith("--") || part.startsWith("/*")) {
      own += " ";
      continue;
    }
    if (part !== ";") {
      own += part;
      in_set ||= /^\s*EXECUTE\s+STATEMENT\s+SET\s+BEGIN\b/i.test(own);
      continue;
    }
    if (in_set && !/;\s*END\s*$/i.test(own)) {
      own += part;
      continue;
    }
    if (own.trim() !== "") found.push(own.trim());
    own = "";
    in_set = false;
  }
  if (in_set && !/;\s*END\s*$/i.test(own)) throw new FlinkFailure("read statements: a statement set has no END");
  if (own.trim() !== "") found.push(own.trim());
  return found;
}

/** Options that hold what nobody is told. */
const SECRET = /('[\w.-]*(?:password|jaas\.config)[\w.-]*'\s*=\s*)'(?:[^']|'')*'/gi;

/** Between two looks whether a statement is through. */
const LOOK_MS = 100;
/** Planning and deploying a job takes seconds. */
const STATEMENT_MS = 300_000;

/**
 * Runs statements by a SQL gateway, in a session of their own, one after the other, and gives the ids of the jobs that they began.
 * Throws FlinkFailure with the cause that the gateway names last, and which statement it was.
 * @param pause waits so many milliseconds; rejects when the signal is aborted
 */
export async function run_statements(
  gateway: FlinkRest,
  statements: readonly string[],
  pause: (ms: number) => Promise<void>,
): Promise<string[]> {
  const asked = async (path: string, options?: Asked): Promise<Answer> => {
    const answer = await ask(gateway, path, options);
    if (answer === null) throw new FlinkFailure(`the SQL gateway at ${gateway.url}: ${path} is not there`);
    return answer;
  };
  const session = text_of((await asked("/v1/sessions", { method: "POST", body: {} })).sessionHandle);
  if (session === null) throw new FlinkFailure(`the SQL gateway at ${gateway.url}: expected a session, got none`);
  const jobs: string[] = [];
  try {
    for (const statement of statements) {
      const job = await run_statement(statement);
      if (job !== null) jobs.push(job);
    }
  } finally {
    // Jobs go on without their session.
    await ask({ ...gateway, signal: AbortSignal.timeout(5_000) }, `/v1/sessions/${session}`, { method: "DELETE" })
      .catch(() => null);
  }
  return jobs;

  async function run_statement(statement: string): Promise<string | null> {
    const shown = statement.replace(/\s+/g, " ").replace(SECRET, "$1'…'").slice(
      0,
      80,
    );
    try {
      const body = { statement };
      const begun = await asked(`/v1/sessions/${session}/statements`, { method: "POST", body });
      const operation = text_of(begun.operationHandle);
      if (operation === null) throw new FlinkFailure(errors_of(begun) ?? "expected an operation, got none");
      for (let waited = 0;; waited += LOOK_MS) {
        const result = await asked(`/v1/sessions/${session}/operations/${operation}/result/0?rowFormat=JSON`);
        const errors = errors_of(result);
        if (errors !== null) throw new FlinkFailure(errors);
        if (result.resultType !== "NOT_READY") return text_of(result.jobID);
        if (waited > STATEMENT_MS) throw new FlinkFailure(`is not through after ${STATEMENT_MS / 1_000} s`);
        await pause(LOOK_MS);
      }
    } catch (error) {
      if (!(error instanceof FlinkFailure)) throw error;
      throw new FlinkFailure(`run ${JSON.stringify(shown)}: ${error.message}`, { cause: error });
    }
  }
}

/** Jobs, as their JobManager knows them. It forgets them when it is started anew without high availability. */

/** A job. */
export interface FlinkJob {
  readonly id: string;
  readonly name: string;
  /** As Flink says it: RUNNING, RESTARTING, FAILED, … */
  readonly state: string;
  /** When it was submitted, milliseconds. */
  readonly start_ms: number;
}

/** States that a job does not leave. */
const ENDED = ["FINISHED", "FAILED", "CANCELED", "SUSPENDED"];
export const has_ended = ({ state }: Pick<FlinkJob, "state">): boolean => ENDED.includes(state);

const number_of = (value: unknown): number | null => typeof value === "number" ? value : null;
const part_of = (value: unknown): Answer | null => typeof value === "object" && value !== null ? value as Answer : null;

/** The jobs whose names begin so, those that run first, then the one that was submitted last. */
export async function find_jobs(rest: FlinkRest, prefix: string): Promise<FlinkJob[]> {
  const { jobs } = await ask(rest, "/jobs/overview") ?? {};
  if (!Array.isArray(jobs)) throw new FlinkFailure(`the JobManager at ${rest.url}: expected a list of jobs, got none`);
  return jobs.map((job: Answer) => ({
    id: String(job.jid),
    name: String(job.name),
    state: String(job.state),
    start_ms: number_of(job["start-time"]) ?? 0,
  })).filter(({ name }) => name.startsWith(prefix)).sort((a, b) =>
    Number(has_ended(a)) - Number(has_ended(b)) || b.start_ms - a.start_ms
  );
}

/** What is known of a job's checkpoints. Times in milliseconds. */
interface Checkpoints {
  readonly completed: number;
  readonly failed: number;
  readonly last: {
    readonly path: string | null;
    readonly bytes: number;
    readonly took_ms: number;
    readonly at_ms: number;
  } | null;
  readonly restored: number;
}

export async function read_checkpoints(rest: FlinkRest, { id }: Pick<FlinkJob, "id">): Promise<Checkpoints> {
  const told = await ask(rest, `/jobs/${id}/checkpoints`) ?? {};
  const counts = part_of(told.counts) ?? {}, last = part_of(part_of(told.latest)?.completed);
  return {
    completed: number_of(counts.completed) ?? 0,
    failed: number_of(counts.failed) ?? 0,
    restored: number_of(counts.restored) ?? 0,
    last: last && {
      path: text_of(last.external_path),
      bytes: number_of(last.state_size) ?? 0,
      took_ms: number_of(last.end_to_end_duration) ?? 0,
      at_ms: number_of(last.latest_ack_timestamp) ?? 0,
    },
  };
}

/** The last failure of a job, in one line; null where it had none. */
export async function read_failure(
  rest: FlinkRest,
  { id }: Pick<FlinkJob, "id">,
): Promise<{ readonly at_ms: number; readonly reason: string } | null> {
  const told = await ask(rest, `/jobs/${id}/exceptions?maxExceptions=1`) ?? {};
  const history = part_of(told.exceptionHistory)?.entries, [last] = Array.isArray(history) ? history as Answer[] : [];
  const stack = text_of(last?.stacktrace) ?? text_of(told["root-exception"]);
  if (stack === null) return null;
  return { at_ms: number_of(last?.timestamp) ?? number_of(told.timestamp) ?? 0, reason: cause_of(stack) };
}

/** How many of a job's tasks run, of how many. */
export async function read_tasks(rest: FlinkRest, { id }: Pick<FlinkJob, "id">) {
  const { vertices } = await ask(rest, `/jobs/${id}`) ?? {};
  const all = Array.isArray(vertices) ? vertices as Answer[] : [];
  return {
    running: all.reduce((sum, { tasks }) => sum + (number_of(part_of(tasks)?.RUNNING) ?? 0), 0),
    all: all.reduce((sum, { parallelism }) => sum + (number_of(parallelism) ?? 0), 0),
  };
}

const SAVEPOINT_LOOK_MS = 200;

/**
 * Makes a savepoint of a job, and stops it with that; gives where the savepoint is. Throws FlinkFailure where it cannot be made: the job goes on.
 * @param folder where to; null: where Flink's configuration says
 */
export async function make_savepoint(
  rest: FlinkRest,
  { id }: Pick<FlinkJob, "id">,
  { stop, folder }: { readonly stop: boolean; readonly folder: string | null },
  pause: (ms: number) => Promise<void>,
): Promise<string> {
  const body = stop
    ? { drain: false, ...folder === null ? {} : { targetDirectory: folder } }
    : { "cancel-job": false, ...folder === null ? {} : { "target-directory": folder } };
  const begun = await ask(rest, `/jobs/${id}/${stop ? "stop" : "savepoints"}`, { method: "POST", body });
  const request = text_of(begun?.["request-id"]);
  if (request === null) throw new FlinkFailure(`the JobManager knows no job ${id}`);
  for (;;) {
    const told = await ask(rest, `/jobs/${id}/savepoints/${request}`);
    if (told === null) throw new FlinkFailure(`the JobManager has forgotten the savepoint of job ${id}`);
    const operation = part_of(told.operation), failure = part_of(operation?.["failure-cause"]);
    if (failure !== null) {
      throw new FlinkFailure(`a savepoint of job ${id}: ${cause_of(String(failure["stack-trace"] ?? failure.class))}`);
    }
    const location = text_of(operation?.location);
    if (location !== null) return location;
    if (part_of(told.status)?.id === "COMPLETED") {
      throw new FlinkFailure(`a savepoint of job ${id}: nowhere is it said to be`);
    }
    await pause(SAVEPOINT_LOOK_MS);
  }
}

/** How the job of a database does; null: it runs. `forever`: by itself it does not go on. */
export interface Halted {
  readonly forever: boolean;
  readonly reason: string;
}

/**
 * What keeps the job whose name begins so, and that writes through one of these doors, from running, null where it runs; a JobManager that cannot
 * be asked counts as what keeps it. Viewers are told: nothing is in it of what Flink says of addresses and statements.
 */
export async function halted_job(
  rest: FlinkRest,
  prefix: string,
  doors: readonly (number | null)[],
): Promise<Halted | null> {
  try {
    const job = (await find_jobs(rest, prefix)).find((each) => doors.includes(writes_through(each, prefix)));
    if (job === undefined) return { forever: true, reason: "the JobManager knows no Flink job of this database" };
    return job.state === "RUNNING" ? null : { forever: has_ended(job), reason: `the Flink job is ${job.state}` };
  } catch (error) {
    if (!(error instanceof FlinkFailure)) throw error;
    return { forever: false, reason: "Flink's JobManager cannot be asked how the job does" };
  }
}

/** What the names of a database's jobs begin with: those of another one are none of its business. */
export const job_prefix = (domain: string, log_id: string): string => `tacho ${domain} ${log_id.slice(0, 8)} `;

/** The name of a job: what those of the database begin with, the first digits of the hash of its statements, and the door that it writes through. */
export const job_name = (prefix: string, hash: string, door: number | null): string =>
  `${prefix}${hash.slice(0, 8)}${door === null ? "" : ` ${door}`}`;

/** The door that a job of the database writes through, by its name; null: it writes the tables by their names. */
export function writes_through({ name }: Pick<FlinkJob, "name">, prefix: string): number | null {
  const [, door] = / (\d+)$/.exec(name.slice(prefix.length)) ?? [];
  return door === undefined ? null : Number(door);
}
