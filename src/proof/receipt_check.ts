import { createHash, type Hash } from "node:crypto";
import { z } from "zod";
import { type Domain, shown } from "../domains/mod.ts";
import { FIRST_LINK, fold_recorded, link_of, read_event_line, type RecordedEvent } from "../event_log/mod.ts";
import type { Days } from "../kpi/mod.ts";
import { believe, type Checkpoint, json_by, type PublicKeys, read_statement } from "./checkpoint.ts";
import { DayFigure, FigureUnknown } from "./day_figure.ts";

/** Most events that a receipt is of, and most events and headers that it has. */
export const RECEIPT_LIMITS = { own: 200_000, events: 1_000_000, headers: 1_000_000 } as const;

/** The first line of a receipt: what it is of. */
const about_schema = z.strictObject({
  tacho_receipt: z.literal(1),
  domain: z.string(),
  log_id: z.string(),
  /** What the log's figures are made by. */
  deployment: z.strictObject({
    currency: z.string().regex(/^[A-Z]{3}$/),
    h3_resolution: z.int().min(0).max(15).nullable(),
    time_zone: z.string(),
  }),
  /** The position that it is as of: that of the last checkpoint in it. */
  position: z.int().min(1),
  /** Whether it has all events of the log up to there. */
  complete: z.boolean(),
  /** Absent: it is of a stream. */
  figure: z.strictObject({
    name: z.string(),
    day: z.string(),
    filter: z.record(z.string(), z.string()),
    currency: z.string().regex(/^[A-Z]{3}$/).nullable(),
    value: z.string().nullable(),
  }).optional(),
});
/** What a receipt says of itself, in its first line. */
export type ReceiptAbout = z.output<typeof about_schema>;

/** The lines that follow: streams that it is of; of each stretch the link before it, batches with what makes their contents, and a checkpoint; the end. */
const line_schema = z.union([
  z.strictObject({ event: z.string() }),
  z.strictObject({ stream: z.string(), revisions: z.int().min(1) }),
  z.strictObject({ link: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.strictObject({ batch: z.string(), content: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.strictObject({ batch: z.string() }),
  z.strictObject({ checkpoint: z.string(), signature: z.string() }),
  z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
]);
/** A line of a receipt after its first. */
export type ReceiptLine = z.output<typeof line_schema>;

/** A line of a receipt, with its line break. */
export const receipt_text = (line: ReceiptAbout | ReceiptLine): string => `${JSON.stringify(line)}\n`;

const header_schema = z.tuple([
  z.int().min(1),
  z.string(),
  z.int().min(1),
  z.int().min(0),
  z.int().min(0),
  z.int().min(0),
]).rest(z.unknown());

/** What a receipt was found to say. */
export interface CheckedReceipt {
  readonly about: ReceiptAbout;
  readonly checkpoint: Checkpoint;
  /** Events that it is of, and those that came with them. */
  readonly own: number;
  readonly events: number;
  readonly streams: number;
  /** The state of the stream, where it is of one. */
  readonly state: unknown;
  /** Figures of days: the value; null over nothing. */
  readonly value: string | null;
}

/** A receipt that does not prove what it says: which line, and why. */
export class ReceiptWrong extends Error {
  override readonly name = "ReceiptWrong";
}

/** Makes the domain that a receipt names, as its log's figures are made; throws FigureUnknown for one that it does not know. */
export type DomainOf = (about: ReceiptAbout) => { readonly domain: Domain; readonly days: Days };

/** A batch that is being read. */
interface Reading {
  readonly header: string;
  readonly batch: number;
  readonly last: number;
  next: number;
  readonly hash: Hash;
}

/**
 * Checks a receipt line by line, without the database: links are recomputed from the events and headers that it has, checkpoints are held
 * against the keys, and what it is of is folded from its events. Memory: the events that it is of.
 */
export class ReceiptCheck {
  readonly #digest = createHash("sha256");
  #line = 0;
  #about: ReceiptAbout | null = null;
  readonly #revisions = new Map<string, number>();
  readonly #own = new Map<string, RecordedEvent[]>();
  #own_events = 0;
  #events = 0;
  #headers = 0;
  #link: Uint8Array | null = null;
  /** The last batch and position that a stretch has come to. */
  #at: { batch: number; position: number } | null = null;
  #reading: Reading | null = null;
  #last: Checkpoint | null = null;
  #stretches = 0;
  /** Whether a checkpoint stood by itself: what all is as of, the last one. */
  #anchored = false;
  /** Whether all events of the log up to here were there. */
  #whole = true;
  #ended = false;

  /** @param keys null: signatures are not looked at, as the one who writes does */
  constructor(readonly keys: PublicKeys | null, readonly domain_of: DomainOf) {}

  /** Takes the next line, with its line break. Throws ReceiptWrong. */
  async take(text: string): Promise<void> {
    this.#line++;
    if (this.#ended) throw this.#wrong("expected the end of the file, got more");
    if (!text.endsWith("\n")) throw this.#wrong("expected a whole line, the file ends in it");
    const own = text.slice(0, -1);
    if (this.#about === null) {
      const about = json_by(about_schema, own);
      if (about === null || receipt_text(about) !== text) throw this.#wrong(`expected a receipt, got ${shown(own)}`);
      this.#about = about;
    } else {
      const line = json_by(line_schema, own);
      if (line === null || receipt_text(line) !== text) {
        throw this.#wrong(`expected a line of a receipt, got ${shown(own)}`);
      }
      await this.#follow(line);
    }
    if (!this.#ended) this.#digest.update(text);
  }

  /** What was checked, when all lines were taken. Throws ReceiptWrong. */
  end(): CheckedReceipt {
    const about = this.#about, last = this.#last;
    if (!this.#ended || about === null || last === null) {
      throw this.#wrong("expected the line with its hash, the file ends before");
    }
    if (last.position !== about.position) {
      throw this.#wrong(
        `it is said to be as of position ${about.position}, its last checkpoint is of ${last.position}`,
      );
    }
    if (about.complete && !(this.#whole && this.#stretches === 1 && !this.#anchored)) {
      throw this.#wrong("it is said to be complete and lacks events of the log");
    }
    for (const [stream, revisions] of this.#revisions) {
      const events = this.#own.get(stream) ?? [];
      if (events.length !== revisions) {
        throw this.#wrong(`expected ${revisions} events of ${JSON.stringify(stream)}, got ${events.length}`);
      }
    }
    let found: Pick<CheckedReceipt, "state" | "value">;
    try {
      found = this.#folded(about);
    } catch (error) {
      throw error instanceof FigureUnknown ? this.#wrong(error.message) : error;
    }
    const { value: said } = about.figure ?? { value: null };
    if (about.figure !== undefined && found.value !== said) {
      throw this.#wrong(
        `it says ${about.figure.name} is ${said ?? "unknown"}, its events make it ${found.value ?? "unknown"}`,
      );
    }
    const counts = { own: this.#own_events, events: this.#events, streams: this.#own.size };
    return { about, checkpoint: last, ...counts, ...found };
  }

  #folded(about: ReceiptAbout): Pick<CheckedReceipt, "state" | "value"> {
    const { domain, days } = this.domain_of(about), { figure } = about;
    if (figure === undefined && this.#revisions.size !== 1) {
      throw this.#wrong(`expected one stream, got ${this.#revisions.size}`);
    }
    const wanted = figure === undefined ? null : {
      figure: figure.name,
      day: figure.day,
      filter: figure.filter,
      ...figure.currency === null ? {} : { currency: figure.currency },
    };
    const sum = wanted === null ? null : new DayFigure(domain, days, wanted);
    let state: unknown = null;
    for (const [stream, events] of this.#own) {
      // Appended in this order.
      const gap = events.findIndex(({ revision }, i) => revision !== i + 1);
      if (gap >= 0) throw this.#wrong(`revision ${gap + 1} of ${JSON.stringify(stream)} is missing`);
      const folded = fold_recorded(domain, events);
      if (!folded.ok) throw this.#wrong(folded.fault);
      state = folded.state;
      sum?.add(domain.contribution(state));
    }
    return { state: sum === null ? state : null, value: sum === null ? null : sum.value() };
  }

  #wrong(fault: string): ReceiptWrong {
    return new ReceiptWrong(`line ${this.#line}: ${fault}`);
  }

  async #follow(line: ReceiptLine): Promise<void> {
    if ("event" in line) return this.#event(line.event);
    if (this.#reading !== null) {
      throw this.#wrong(`expected event ${this.#reading.next} of batch ${this.#reading.batch}`);
    }
    if ("stream" in line) this.#stream(line.stream, line.revisions);
    else if ("link" in line) this.#begin(line.link);
    else if ("batch" in line) this.#batch(line.batch, "content" in line ? line.content : null);
    else if ("checkpoint" in line) await this.#checkpoint(line);
    else {
      if (this.#link !== null) throw this.#wrong("expected a checkpoint, got the end");
      if (this.#digest.digest("hex") !== line.sha256) {
        throw this.#wrong("the file is not what was written: its hash differs");
      }
      this.#ended = true;
    }
  }

  #stream(stream: string, revisions: number): void {
    const { complete, figure } = this.#about!;
    const place = this.#stretches > 0 || (complete && figure !== undefined);
    if (place || this.#revisions.has(stream)) throw this.#wrong("expected no such stream here");
    if (this.#revisions.size === RECEIPT_LIMITS.own) {
      throw this.#wrong(`expected at most ${RECEIPT_LIMITS.own} streams`);
    }
    this.#revisions.set(stream, revisions);
  }

  #begin(link: string): void {
    if (this.#link !== null || this.#anchored) throw this.#wrong("expected no other stretch here");
    this.#stretches++;
    this.#link = Uint8Array.fromHex(link);
    this.#whole &&= this.#stretches === 1 && link === FIRST_LINK.toHex();
    this.#at = null;
  }

  #batch(header: string, content: string | null): void {
    if (this.#link === null) throw this.#wrong("expected the link before a batch");
    if (++this.#headers > RECEIPT_LIMITS.headers) {
      throw this.#wrong(`expected at most ${RECEIPT_LIMITS.headers} batches`);
    }
    const said = json_by(header_schema, header);
    if (said === null) throw this.#wrong(`expected the header of a batch, got ${shown(header)}`);
    const [batch, , first, last, , admitted] = said;
    const before = this.#at ?? { batch: batch - 1, position: first - 1 };
    if (batch !== before.batch + 1 || first !== before.position + 1 || last !== first + admitted - 1) {
      throw this.#wrong(
        `expected batch ${before.batch + 1} from position ${before.position + 1}, got ${shown(header)}`,
      );
    }
    if (this.#at === null && batch <= (this.#last?.batch ?? 0)) throw this.#wrong(`batch ${batch} comes twice`);
    this.#whole &&= (content === null || admitted === 0) && (this.#at !== null || batch === 1);
    this.#at = { batch, position: last };
    if (content !== null) return void (this.#link = link_of(this.#link, Uint8Array.fromHex(content), header));
    this.#reading = { header, batch, last, next: first, hash: createHash("sha256") };
    this.#close_batch();
  }

  #event(line: string): void {
    const reading = this.#reading;
    if (reading === null) throw this.#wrong("expected no event here");
    if (++this.#events > RECEIPT_LIMITS.events) throw this.#wrong(`expected at most ${RECEIPT_LIMITS.events} events`);
    const event = read_event_line(line, reading.next);
    if (event === null) throw this.#wrong(`expected the line of an event, got ${shown(line)}`);
    reading.hash.update(`${line}\n`);
    reading.next++;
    const { complete, figure } = this.#about!, { stream_id } = event;
    if (this.#revisions.has(stream_id) || (complete && figure !== undefined)) {
      if (++this.#own_events > RECEIPT_LIMITS.own) {
        throw this.#wrong(`expected at most ${RECEIPT_LIMITS.own} events that it is of`);
      }
      const own = this.#own.get(stream_id);
      if (own === undefined) this.#own.set(stream_id, [event]);
      else own.push(event);
    }
    this.#close_batch();
  }

  /** When all events of a batch were there, its link follows. */
  #close_batch(): void {
    const reading = this.#reading!;
    if (reading.next <= reading.last) return;
    this.#link = link_of(this.#link!, reading.hash.digest(), reading.header);
    this.#reading = null;
  }

  async #checkpoint(line: { readonly checkpoint: string; readonly signature: string }): Promise<void> {
    const link = this.#link, at = this.#at;
    if (this.#anchored || (link !== null && at === null)) throw this.#wrong("expected batches before a checkpoint");
    let checkpoint = read_statement(line.checkpoint);
    if (this.keys !== null) {
      const believed = await believe(this.keys, { statement: line.checkpoint, signature: line.signature });
      if (!believed.ok) throw this.#wrong(believed.fault);
      checkpoint = believed.value.checkpoint;
    }
    if (checkpoint === null) throw this.#wrong(`expected a checkpoint, got ${shown(line.checkpoint)}`);
    const { log_id, domain } = this.#about!, told = `the checkpoint of batch ${checkpoint.batch}`;
    if (checkpoint.log_id !== log_id || checkpoint.domain !== domain) {
      throw this.#wrong(
        `${told} is of log ${checkpoint.log_id} (${checkpoint.domain}), this is of ${log_id} (${domain})`,
      );
    }
    if (link === null || at === null) {
      if (checkpoint.batch <= (this.#last?.batch ?? 0)) throw this.#wrong(`${told} comes too late`);
      this.#anchored = true;
    } else if (
      checkpoint.batch !== at.batch || checkpoint.position !== at.position || checkpoint.link !== link.toHex()
    ) {
      throw this.#wrong(
        `${told} does not agree with the batches before it: they, or an event of theirs, are not what was signed`,
      );
    }
    this.#last = checkpoint;
    this.#link = null;
  }
}
