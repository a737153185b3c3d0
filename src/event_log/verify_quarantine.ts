import type { Row, Snapshot } from "../database/mod.ts";
import { ExternalSort, type Folder, type SortBound, type Sorted } from "../sort/mod.ts";
import { retried_in } from "./chain.ts";
import { HASH_ANEW, row_digest } from "./quarantine.ts";
import type { RecordedBatch } from "./read.ts";

/** What is found not to be as the log says it must be: sentences that name the place. Past a bound nothing more is kept. */
export class Faults {
  /** So many are kept, and one more to know that there are more. */
  static readonly MOST = 20;
  readonly #found: string[] = [];

  add(fault: string): void {
    if (!this.enough) this.#found.push(fault);
  }

  /** Whether to stop looking. */
  get enough(): boolean {
    return this.#found.length > Faults.MOST;
  }

  /** The faults, in the order they were found; "and more" stands for those past the bound. */
  told(): string[] {
    return this.enough ? [...this.#found.slice(0, Faults.MOST), "and more"] : [...this.#found];
  }
}

/** What is said of one row of the quarantine: by the table, or by a batch that wrote it. */
interface Said {
  readonly quarantine_id: number;
  /** 0: the table. */
  readonly batch: number;
  readonly digest: string;
  readonly attempts: number;
}

const SAID: Sorted<Said> = {
  compare: (a, b) => a.quarantine_id - b.quarantine_id || a.batch - b.batch,
  encode: ({ quarantine_id, batch, digest, attempts }) => `${quarantine_id} ${batch} ${digest} ${attempts}`,
  decode: (line) => {
    const [quarantine_id, batch, digest, attempts] = line.split(" ");
    return { quarantine_id: Number(quarantine_id), batch: Number(batch), digest: digest!, attempts: Number(attempts) };
  },
  characters: ({ digest }) => 60 + digest.length,
};

const PAGE_ROWS = 2_000;

/** Messages in quarantine, and how many of them earlier versions set aside, which noted no more than how many. */
export interface VerifiedQuarantine {
  readonly quarantined: number;
  readonly only_counted: number;
}

/**
 * Compares the rows of the quarantine with the batches that wrote them: a row is, bytes and all, what the last batch that wrote it noted; none
 * is missing, none was added. Batches of earlier versions noted none: of these the attempts have to add up. In bounded memory, by an external
 * sort of what table and batches say.
 */
export class QuarantineCheck {
  readonly #faults: Faults;
  readonly #signal: AbortSignal;
  readonly #sort: ExternalSort<Said>;
  /** How often batches wrote rows: in all, and without noting which. */
  readonly #written = { all: 0, unnoted: 0 };

  /** @param folder for what exceeds memory */
  constructor(faults: Faults, signal: AbortSignal, folder: Folder, bound?: SortBound) {
    this.#faults = faults;
    this.#signal = signal;
    this.#sort = new ExternalSort(folder, SAID, bound, signal);
  }

  /** Takes in what the table says; the bytes of the messages are hashed anew, by the database. */
  async take_table(reading: Snapshot, progress: (rows: number) => void): Promise<void> {
    const [row] = await reading.query<{ kept: string; held: string }>(
      "select held as kept, (select count(*) from quarantine where status = 'held') as held from log_head",
    );
    if (row?.kept !== row?.held) this.#faults.add(`the head counts ${row?.kept} held messages, there are ${row?.held}`);
    const select = `select q.quarantine_id, q.attempts,
      ${row_digest(HASH_ANEW)} as digest from quarantine q`;
    for await (const page of reading.pages<TableRow>(select, [], PAGE_ROWS)) {
      this.#signal.throwIfAborted();
      await this.#sort.put(page.map(({ quarantine_id, attempts, digest }) => ({
        quarantine_id: Number(quarantine_id),
        batch: 0,
        digest,
        attempts,
      })));
      progress(page.length);
    }
  }

  /** Takes in what the next batch wrote. */
  async follow({ header, written }: RecordedBatch): Promise<void> {
    const rows = header.kind === "retried" ? retried_in(header) : header.kind === "append" ? header.quarantined : 0;
    this.#written.all += rows;
    if (written === null) this.#written.unnoted += rows;
    else {
      if (header.kind !== "discarded" && header.kind !== "forgotten" && written.length !== rows) {
        this.#faults.add(`batch ${header.batch} notes ${written.length} quarantined messages and accounts for ${rows}`);
      }
      const { batch } = header;
      await this.#sort.put(written.map(([quarantine_id, digest]) => ({ quarantine_id, batch, digest, attempts: 0 })));
    }
  }

  /** @param whole whether all batches were followed; if not, rows that none of them wrote are not judged */
  async compare(whole: boolean): Promise<VerifiedQuarantine> {
    let found: Said | null = null, noted: Said | null = null;
    let quarantined = 0, attempts = 0, only_counted = 0;
    const conclude = () => {
      if (found !== null) {
        quarantined++;
        attempts += found.attempts;
      }
      if (noted === null) {
        if (found === null) return;
        if (whole && this.#written.unnoted === 0) {
          this.#faults.add(`quarantined message ${found.quarantine_id}: no batch set it aside`);
        } else only_counted++;
      } else if (found === null) {
        this.#faults.add(`quarantined message ${noted.quarantine_id} is missing, batch ${noted.batch} wrote it`);
      } else if (found.digest !== noted.digest) {
        this.#faults.add(`quarantined message ${found.quarantine_id} is not what batch ${noted.batch} wrote`);
      }
    };
    for await (const page of this.#sort.sorted()) {
      this.#signal.throwIfAborted();
      for (const each of page) {
        if (each.quarantine_id !== (found ?? noted)?.quarantine_id) {
          conclude();
          found = noted = null;
        }
        if (each.batch === 0) found = each;
        else noted = each;
      }
      if (this.#faults.enough) break;
    }
    conclude();
    if (whole && !this.#faults.enough && attempts !== this.#written.all) {
      this.#faults.add(
        `the quarantine has its messages set aside or tried ${attempts} times, the batches account for ${this.#written.all}`,
      );
    }
    return { quarantined, only_counted };
  }
}

interface TableRow extends Row {
  readonly quarantine_id: string;
  readonly attempts: number;
  readonly digest: string;
}
