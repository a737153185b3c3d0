import { read_deployment } from "../../event_log/mod.ts";
import { snapshot } from "../../database/mod.ts";
import { model_tables } from "../../domains/mod.ts";
import {
  type CheckedReceipt,
  type DomainOf,
  FigureUnknown,
  find_for_receipt,
  NoReceipt,
  ReceiptCheck,
  ReceiptWrong,
  sign_when_due,
  type Wanted,
  write_receipt,
} from "../../proof/mod.ts";
import { days_in } from "../../kpi/mod.ts";
import { system_clock, write_stderr } from "../../runtime/mod.ts";
import { DOMAINS } from "../domains.ts";
import { open_log, open_to_read } from "../open.ts";
import { type Condition, ProgressLine, type Shell, UsageError, write_out } from "../shell.ts";
import { believed_keys, configured_key } from "./keep.ts";

/** Options of `tacho receipt`, as the command line gives them. */
interface ReceiptOptions {
  readonly stream?: string;
  readonly figure?: string;
  readonly day?: string;
  readonly filter: readonly Condition[];
  readonly complete: boolean;
}

/** What is wanted by the options. Throws UsageError. */
function wanted_by({ stream, figure, day, filter }: ReceiptOptions, own_currency: string | undefined): Wanted {
  if ((stream === undefined) === (figure === undefined)) {
    throw new UsageError("receipt: expected --stream ID, or --figure NAME --day DATE");
  }
  if (stream !== undefined) {
    if (day !== undefined || filter.length > 0) throw new UsageError("receipt: --day and --filter are of a figure");
    return { stream };
  }
  if (day === undefined) throw new UsageError("receipt: of a figure expected --day, such as 2026-03-01");
  const keys = new Map<string, string>();
  for (const { dimension, key } of filter) {
    if (keys.has(dimension)) {
      throw new UsageError(`receipt: expected --filter with each dimension once, got ${dimension} again`);
    }
    keys.set(dimension, key);
  }
  const currency = own_currency === undefined ? undefined : keys.get("currency") ?? own_currency;
  if (currency !== undefined) keys.delete("currency");
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency)) {
    throw new UsageError(`receipt: expected a currency of three capital letters, got ${JSON.stringify(currency)}`);
  }
  return { figure: figure!, day, filter: Object.fromEntries(keys), ...currency === undefined ? {} : { currency } };
}

const encoder = new TextEncoder();

/**
 * `tacho receipt`: writes what a stream, or a figure of a day, is made of, with the chain from there to signed checkpoints, to stdout. With the
 * key of TACHO_SIGNING_KEY the last link is signed first, so that it is as of now; else it is as of the last checkpoint.
 */
export async function receipt_verb(shell: Shell, options: ReceiptOptions): Promise<void> {
  const { config, signal } = shell;
  const key = await configured_key(config);
  const { database, domain, days, log_id } = await (key === null ? open_to_read : open_log)(shell, { complete: true });
  const wanted = wanted_by(options, domain.by_currency);
  const line = new ProgressLine("receipt", null, system_clock.now_ms);
  try {
    if (key !== null) await sign_when_due(database, domain.name, key, null, system_clock.now_ms());
    const settled = (await read_deployment(database))!;
    const deployment = {
      currency: settled.currency,
      h3_resolution: settled.h3_resolution,
      time_zone: settled.time_zone,
    };
    const found = await snapshot(
      database,
      (reading) => find_for_receipt(reading, { domain, days }, wanted),
      model_tables(domain),
      0,
    );
    // A piece of it at a time: a line each would be a call of the system for each event.
    let waiting = "";
    const write = async (text: string) => {
      waiting += text;
      if (waiting.length < 1 << 16) return;
      const piece = waiting;
      waiting = "";
      await write_out(encoder.encode(piece));
    };
    const { complete } = options, progress = (lines: number) => line.add(lines);
    const source = { database, domain, days, log_id, deployment, complete, signal, write, progress };
    const { events, headers, streams, about: { figure, position } } = await write_receipt(source, found);
    await write_out(encoder.encode(waiting));
    line.end();
    const of = figure === undefined ? "" : `${figure.name} of ${figure.day} is ${figure.value ?? "unknown"}, `;
    write_stderr(
      `${of}as of position ${position}: ${streams} of ${domain.name}, ${events} events in ${headers} batches\n`,
    );
  } catch (error) {
    if (error instanceof FigureUnknown) throw new UsageError(`receipt: ${error.message}`);
    throw error instanceof NoReceipt ? new Error(`receipt: ${error.message}`) : error;
  } finally {
    await database.close();
  }
}

/** The domain of a receipt, as its log's figures are made. */
const domain_of: DomainOf = ({ domain: name, deployment }) => {
  const declared = DOMAINS.find((each) => each.name === name);
  if (declared === undefined) {
    throw new FigureUnknown(
      `expected a domain (${DOMAINS.map(({ name }) => name).join(", ")}), got ${JSON.stringify(name)}`,
    );
  }
  try {
    return { domain: declared.make(deployment), days: days_in(deployment.time_zone) };
  } catch (error) {
    throw error instanceof RangeError
      ? new FigureUnknown(`expected a time zone, got ${JSON.stringify(deployment.time_zone)}`)
      : error;
  }
};

/** No line of a receipt is longer: an event may be as large as a message may be. */
const MOST_CHARACTERS = 256 << 20;

/** The lines of a file, each with its line break; what is no UTF-8 is refused. */
async function* lines_of(path: string): AsyncGenerator<string> {
  const file = await Deno.open(path).catch((cause) => {
    throw new UsageError(`verify: read the receipt ${JSON.stringify(path)}`, { cause });
  });
  let rest: string[] = [], length = 0;
  try {
    for await (
      const piece of file.readable.pipeThrough(new TextDecoderStream("utf-8", { fatal: true, ignoreBOM: true }))
    ) {
      const parts = piece.split("\n");
      for (const [i, part] of parts.entries()) {
        rest.push(part);
        length += part.length;
        if (length > MOST_CHARACTERS) throw new ReceiptWrong(`expected lines of at most ${MOST_CHARACTERS} characters`);
        if (i === parts.length - 1) break;
        yield `${rest.join("")}\n`;
        [rest, length] = [[], 0];
      }
    }
  } catch (error) {
    throw error instanceof TypeError ? new ReceiptWrong("expected UTF-8") : error;
  }
  if (length > 0) yield rest.join("");
}

/** `tacho verify --receipt`: checks a receipt without any database, and says what it proves and what not. */
export async function verify_receipt({ config, signal }: Shell, path: string, key: readonly string[]): Promise<void> {
  const check = new ReceiptCheck(await believed_keys(config, key), domain_of);
  const line = new ProgressLine("verify receipt", null, system_clock.now_ms);
  let checked: CheckedReceipt;
  try {
    for await (const text of lines_of(path)) {
      signal.throwIfAborted();
      await check.take(text);
      line.add(1);
    }
    checked = check.end();
  } catch (error) {
    throw error instanceof ReceiptWrong
      ? new Error(`verify: the receipt ${JSON.stringify(path)} proves nothing: ${error.message}`)
      : error;
  }
  console.log(told(checked));
  if (checked.about.figure === undefined) console.log(state_json(checked));
}

/** What a receipt proves, in one line. */
function told({ about, checkpoint, own, events, streams }: CheckedReceipt): string {
  const { figure, complete, domain, log_id } = about, { signed_at, batch, position, key } = checkpoint;
  const filter = Object.entries(figure?.filter ?? {}).map(([dimension, value]) => ` with ${dimension}=${value}`).join(
    "",
  );
  const unit = figure?.currency === null || figure === undefined ? "" : ` in ${figure.currency}`;
  const what = figure === undefined
    ? `these are ${own} events of a stream`
    : `${figure.name} of ${figure.day} (${about.deployment.time_zone})${filter}${unit} is ${
      figure.value ?? "unknown"
    }, by ${own} events of ${streams} ${domain}`;
  const rest = complete
    ? "; every event of the log up to there is in it: none was left out"
    : figure === undefined
    ? "; not proven: that no later event of it was left out"
    : "; not proven: that no other belongs to it, and that no later event of these was left out";
  return `proven: ${what}, in log ${log_id} (${domain}) as of batch ${batch}, position ${position}, signed ${signed_at} ` +
    `by key ${key}; links recomputed over ${events} events${rest}`;
}

/** The state of the stream that a receipt is of, by the columns of its table. */
function state_json({ about, state }: CheckedReceipt): string {
  const { domain: { columns } } = domain_of(about);
  const plain = (value: unknown) => typeof value === "bigint" ? String(value) : value;
  const told = columns.map(({ name, get }) => [name, get(state)] as const).filter(([, value]) => value !== null);
  return JSON.stringify(Object.fromEntries(told), (_, value) => plain(value));
}
