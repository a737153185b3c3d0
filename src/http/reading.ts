import { type Database, type Queryable, snapshot } from "../database/mod.ts";
import { aliases_in_json, type DomainBoard, model_tables } from "../domains/mod.ts";
import { type Head, read_head, read_person_ids } from "../event_log/mod.ts";
import { TooManyArrived } from "../feed/mod.ts";
import { bad_request, headers_of, matches_etag, respond } from "./answers.ts";

/** A gate: dear work, only so much of it at a time. */

/** What a gate is bounded by. */
interface GateLimits {
  /** Pieces of work at a time. */
  readonly most: number;
  /** How many wait, and how long each, milliseconds. */
  readonly waiting: number;
  readonly wait_ms: number;
}

/** Lets some work in at a time; who comes then waits for a while, in order of coming, and is turned away after that. */
export class Gate {
  #inside = 0;
  /** Calls who waits; removed by who gives up. */
  readonly #waiting = new Set<() => void>();

  constructor(readonly limits: GateLimits) {}

  /** Runs the work when it is its turn; gives null when that does not come in time. */
  async run<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.#inside < this.limits.most) this.#inside++;
    else if (!await this.#turn()) return null;
    try {
      return await work();
    } finally {
      // Who waits longest takes the place over: whoever comes at this moment finds none free.
      const [call] = this.#waiting;
      if (call === undefined) this.#inside--;
      else call();
    }
  }

  #turn(): Promise<boolean> {
    if (this.#waiting.size >= this.limits.waiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (called: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(call);
        resolve(called);
      };
      const call = () => settle(true);
      const timer = setTimeout(() => settle(false), this.limits.wait_ms);
      this.#waiting.add(call);
    });
  }
}

/** It was not a reader's turn in time. */
export class Busy extends Error {
  override readonly name = "Busy";
}

/**
 * A database whose every piece of work waits for its turn at a gate. Throws Busy when that does not come in time. A transaction is one piece:
 * nothing within it may ask the database itself.
 */
export function gated(database: Database, gate: Gate): Database {
  const through = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = await gate.run(async () => ({ result: await work() }));
    if (done === null) throw new Busy("read the database: too many ask at a time");
    return done.result;
  };
  return {
    kind: database.kind,
    query: (statement, values) => through(() => database.query(statement, values)),
    execute: (statement, values) => through(() => database.execute(statement, values)),
    script: (text) => through(() => database.script(text)),
    transaction: (work) => through(() => database.transaction(work)),
    close: () => database.close(),
  };
}

/** How the API reads: one snapshot of the database, bounded in time, named by its place in the log. */

/** Longest time a statement of the API may take. */
export const STATEMENT_TIMEOUT_MS = 5_000;

/** Runs reads that see one moment of the database. @param board whose figures are read; absent: no figures are */
export function read_only<T>(
  database: Database,
  work: (reading: Queryable) => Promise<T>,
  board?: Pick<DomainBoard, "names" | "tables">,
): Promise<T> {
  return snapshot(database, work, board === undefined ? [] : model_tables(board), STATEMENT_TIMEOUT_MS);
}

/** The entity tag of everything that is read at one position by one build. */
export function etag_of(head: Pick<Head, "figures_id" | "position">, build: string): string {
  return `W/"${head.figures_id}-${head.position}-${build}"`;
}

/**
 * Answers with what `work` reads: JSON text. A client that has this position's answer gets 304 and nothing is computed.
 * `work` may give a Response instead (a problem).
 */
export function answer_from_log(
  request: Request,
  source: {
    readonly database: Database;
    readonly build: string;
    readonly board?: Pick<DomainBoard, "names" | "tables">;
  },
  work: (reading: Queryable, head: Head) => Promise<Json | Response>,
): Promise<Response> {
  return unless_too_many(() =>
    read_only(source.database, async (reading) => {
      const head = await read_head(reading);
      return await answer_tagged(request, etag_of(head, source.build), () => work(reading, head));
    }, source.board)
  );
}

/** What `work` answers; where more arrived in a range than is looked at, the problem that says so. */
export async function unless_too_many(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TooManyArrived)) throw error;
    return bad_request("too many events arrived", [{ path: "to", detail: error.message }]);
  }
}

const ALIASES = aliases_in_json();

/** JSON that tells persons by their ids, where it has aliases that are not forgotten. */
export async function with_person_ids(
  reading: Queryable,
  { persons = [] }: Pick<DomainBoard, "persons">,
  json: string,
): Promise<string> {
  const aliases = persons.length === 0 ? [] : [...new Set(json.matchAll(ALIASES).map(([, alias]) => alias!))];
  if (aliases.length === 0) return json;
  const ids = await read_person_ids(reading, aliases);
  return json.replaceAll(ALIASES, (alias, name) => ids.has(name) ? JSON.stringify(ids.get(name)) : alias);
}

/** JSON, as text or as bytes of it. */
type Json = string | Uint8Array<ArrayBuffer>;

/** Headers of what was answered last: until the log moves on all answers have the same. */
let newest: { readonly etag: string; readonly caching: string; readonly headers: Headers } | null = null;

/** Answers with JSON under an entity tag, or with 304 a client that has it. @param caching who may keep it for how long: its tag is asked for again each time, unless given */
export function answer_json(request: Request, etag: string, body: Json, caching = "no-cache"): Response {
  if (has(request, etag)) return respond(null, tag_headers(etag, caching), 304);
  if (newest?.etag !== etag || newest.caching !== caching) {
    const headers = headers_of({ ...tag_headers(etag, caching), "content-type": "application/json" });
    newest = { etag, caching, headers };
  }
  return respond(body, newest.headers);
}

/** As `answer_json`, with what `work` gives, which may be a Response instead (a problem): of a client that has the tag nothing is computed. */
export async function answer_tagged(
  request: Request,
  etag: string,
  work: () => Promise<Json | Response>,
  caching?: string,
): Promise<Response> {
  const body = has(request, etag) ? "" : await work();
  return body instanceof Response ? body : answer_json(request, etag, body, caching);
}

/** JSON that is nobody's to keep: it lacks something for want of time, and the next try may have it. */
export const answer_untagged = (body: string): Response =>
  respond(body, { "content-type": "application/json", "cache-control": "no-store", vary: VARY });

const has = (request: Request, etag: string): boolean => matches_etag(request.headers.get("if-none-match"), etag);
const VARY = "authorization, cookie";
const tag_headers = (etag: string, caching: string) => ({ etag, "cache-control": caching, vary: VARY });

/** An answer out of memory tells of a log that was asked for its position so short a time ago at most; others may have appended since. */
const FRESH_MS = 50;
/** While answers out of memory are given, the log is asked for its position again after this. */
const RENEWED_MS = 25;
/** What is kept of one position, all together; each with the weight of what surrounds it. */
const MOST_KEPT_BYTES = 16 << 20;
const KEPT_BYTES = 200;

/** When a question was asked: what is read then is of that moment or of a later one. */
interface Asked {
  readonly at_ms: number;
  readonly appended: number;
}

/**
 * Answers as of the log's newest position, kept until it moves on. One is given where the log was asked for its position no more than 50 ms
 * ago, and before that this process had appended all posted events that it has until now. So an answer never lacks what was posted to this
 * process, and what else is appended for 50 ms at most.
 */
export class KeptAnswers {
  #answers = new Map<string, Json>();
  /** Those of the position before, which may be given until they are too old: nobody waits while newer ones are read. */
  #before: { readonly answers: ReadonlyMap<string, Json>; readonly etag: string; readonly asked: Asked } | null = null;
  #bytes = 0;
  #etag = "";
  #head: Pick<Head, "figures_id" | "position"> = { figures_id: "", position: -1 };
  #asked: Asked = { at_ms: Number.NEGATIVE_INFINITY, appended: -1 };
  readonly #renewing: SharedReading<null, Head>;

  /** @param appended batches of posted events; grows before anybody hears of one */
  constructor(
    private readonly source: { readonly database: Database; readonly build: string },
    private readonly appended: () => number,
    private readonly now_ms: () => number = () => performance.now(),
  ) {
    this.#renewing = new SharedReading(async () => [await this.read_head()]);
  }

  /**
   * What is kept under a key, with its entity tag, when it may be given now; null otherwise.
   * @param renew reads and keeps it anew; called when the log has moved on from what is given
   */
  find(key: string, renew: () => Promise<unknown>): { readonly etag: string; readonly body: Json } | null {
    const body = this.#is_fresh(this.#asked) ? this.#answers.get(key) : undefined;
    if (body !== undefined) {
      // Should it fail, who asks for what is too old will hear of it; the same below.
      if (this.now_ms() - this.#asked.at_ms > RENEWED_MS) this.#renewing.ask("", null).catch(() => {});
      return { etag: this.#etag, body };
    }
    const before = this.#before;
    const last = before !== null && this.#is_fresh(before.asked) ? before.answers.get(key) : undefined;
    if (before === null || last === undefined) return null;
    renew().catch(() => {});
    return { etag: before.etag, body: last };
  }

  #is_fresh({ at_ms, appended }: Asked): boolean {
    return this.now_ms() - at_ms <= FRESH_MS && this.appended() === appended;
  }

  /** What is kept under a key as of an entity tag, however long ago the log was asked; null when nothing is. */
  of(etag: string, key: string): Json | null {
    return etag === this.#etag ? this.#answers.get(key) ?? null : null;
  }

  /** To be called before the database is asked. */
  ask(): Asked {
    return { at_ms: this.now_ms(), appended: this.appended() };
  }

  /** Asks the database how far the log is. */
  async read_head(): Promise<Head> {
    const asked = this.ask();
    const head = await read_head(this.source.database);
    this.note(head, asked);
    return head;
  }

  /** Notes how far the log was, by what was asked then. An answer that was overtaken by another one says nothing. */
  note({ figures_id, position }: Pick<Head, "figures_id" | "position">, asked: Asked): void {
    const known = this.#head;
    if (figures_id === known.figures_id ? position < known.position : asked.at_ms <= this.#asked.at_ms) return;
    if (figures_id !== known.figures_id || position > known.position) {
      this.#before = figures_id === known.figures_id
        ? { answers: this.#answers, etag: this.#etag, asked: this.#asked }
        : null;
      this.#clear();
      this.#head = { figures_id, position };
      this.#etag = etag_of(this.#head, this.source.build);
      this.#asked = asked;
    } else if (asked.at_ms >= this.#asked.at_ms) this.#asked = asked;
  }

  /** Keeps an answer as of an entity tag, unless the log is known to have moved on from it. */
  keep(etag: string, key: string, body: Json): void {
    if (etag !== this.#etag || this.#answers.has(key)) return;
    const bytes = body.length + key.length + KEPT_BYTES;
    if (this.#bytes + bytes > MOST_KEPT_BYTES) this.#clear();
    this.#answers.set(key, body);
    this.#bytes += bytes;
  }

  #clear(): void {
    this.#answers = new Map();
    this.#bytes = 0;
  }
}

/** Distinct questions that may wait for a shared reading: far more than askers that mean well have at a time. */
const MOST_WAITING = 1_000;

/** Questions that are read together, and what is awaited of each. */
interface Round<Question, Answer> {
  readonly asked: Map<string, PromiseWithResolvers<Answer> & { readonly question: Question }>;
  /** Ends the wait for an answer that does not come. */
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Reads together what is asked at the same time: who asks while a reading is under way waits for the next one, which begins when that one has
 * ended. So every answer is of a moment after its question, equal questions share one answer, and the database is asked one thing at a time,
 * however many ask.
 */
export class SharedReading<Question, Answer> {
  #next: Round<Question, Answer> | null = null;
  #under_way = false;

  /**
   * @param read answers distinct questions, in their order, as of a moment after it is called
   * @param most_ms how long an answer is waited for
   */
  constructor(
    private readonly read: (questions: readonly Question[]) => Promise<readonly Answer[]>,
    private readonly most_ms = STATEMENT_TIMEOUT_MS,
  ) {}

  /**
   * The answer to a question. Rejects with what reading it rejects with; with Busy when it does not come in time, or too many wait.
   * @param key the same for equal questions
   */
  ask(key: string, question: Question): Promise<Answer> {
    const round = this.#next ??= this.#begin_round();
    const same = round.asked.get(key);
    if (same !== undefined) return same.promise;
    if (round.asked.size >= MOST_WAITING) return Promise.reject(new Busy("read together: too much is asked at a time"));
    const awaited = { ...Promise.withResolvers<Answer>(), question };
    round.asked.set(key, awaited);
    if (!this.#under_way) void this.#work();
    return awaited.promise;
  }

  #begin_round(): Round<Question, Answer> {
    const asked: Round<Question, Answer>["asked"] = new Map();
    // A reading that hangs lets go of who waits for it. The next one begins when it has ended: what hangs is asked once.
    const timer = setTimeout(() => {
      if (this.#next?.asked === asked) this.#next = null;
      for (const { reject } of asked.values()) reject(new Busy("read together: no answer in time"));
    }, this.most_ms);
    return { asked, timer };
  }

  async #work(): Promise<void> {
    this.#under_way = true;
    for (let round = this.#next; round !== null; round = this.#next) {
      this.#next = null;
      const { asked, timer } = round;
      try {
        const answers = await this.read(Array.from(asked.values(), ({ question }) => question));
        let at = 0;
        for (const { resolve } of asked.values()) resolve(answers[at++]!);
      } catch (error) {
        for (const { reject } of asked.values()) reject(error);
      } finally {
        clearTimeout(timer);
      }
    }
    this.#under_way = false;
  }
}
