import { createHash } from "node:crypto";
import { z } from "zod";
import { canonical_json, shown } from "../domains/mod.ts";
import type { Database, Queryable } from "../database/mod.ts";

/** That a log had this link after this batch, at this time, said by the holder of a key. */
export interface Checkpoint {
  readonly log_id: string;
  readonly domain: string;
  readonly batch: number;
  /** Of the last event up to and with the batch. */
  readonly position: number;
  /** 64 hexadecimal digits. */
  readonly link: string;
  /** RFC 3339, UTC. */
  readonly signed_at: string;
  /** By what the key is known: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes. */
  readonly key: string;
}

/** A checkpoint as it is kept and sent: what is signed, to the byte, and the signature, 128 hexadecimal digits. */
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly statement: string;
  readonly signature: string;
}

/** A key file that cannot be used: wrong configuration, or wrong usage. */
export class KeyUnusable extends Error {
  override readonly name = "KeyUnusable";
}

/** What signs. */
export interface SigningKey {
  readonly id: string;
  readonly sign: (text: string) => Promise<string>;
  readonly public_bytes: Uint8Array<ArrayBuffer>;
}

/** Keys that are believed, by their ids. */
export type PublicKeys = ReadonlyMap<string, CryptoKey>;

const ED25519 = "Ed25519";
const PKCS8 = "expected an Ed25519 key as PEM (PRIVATE KEY), as `openssl genpkey -algorithm ed25519` makes it";
const SPKI = "expected an Ed25519 key as PEM (PUBLIC KEY), as `openssl pkey -in KEY -pubout` writes it";
/** What an Ed25519 public key has before its 32 bytes, as SPKI. */
const SPKI_HEAD = Uint8Array.fromHex("302a300506032b6570032100");

const key_id = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

/** The bytes of a PEM block of that label; null where there is none. */
function pem_bytes(text: string, label: string): Uint8Array<ArrayBuffer> | null {
  const [, body] = new RegExp(`-----BEGIN ${label}-----([^-]+)-----END ${label}-----`).exec(text) ?? [];
  if (body === undefined) return null;
  try {
    return Uint8Array.fromBase64(body.replace(/\s/g, ""));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Reads a private key. @param where how people call the file. Throws KeyUnusable; nothing of the text is quoted */
export async function read_signing_key(text: string, where: string): Promise<SigningKey> {
  const bytes = pem_bytes(text, "PRIVATE KEY");
  try {
    if (bytes === null) throw new KeyUnusable("no such block");
    const key = await crypto.subtle.importKey("pkcs8", bytes, ED25519, true, ["sign"]);
    const { x } = await crypto.subtle.exportKey("jwk", key);
    const public_bytes = Uint8Array.fromBase64(x!, { alphabet: "base64url" });
    return {
      id: key_id(public_bytes),
      public_bytes,
      sign: async (said) =>
        new Uint8Array(await crypto.subtle.sign(ED25519, key, new TextEncoder().encode(said))).toHex(),
    };
  } catch (cause) {
    throw new KeyUnusable(`read the key ${JSON.stringify(where)}: ${PKCS8}`, { cause });
  }
}

/** A public key as PEM. */
export const public_pem = ({ public_bytes }: Pick<SigningKey, "public_bytes">): string =>
  `-----BEGIN PUBLIC KEY-----\n${
    new Uint8Array([...SPKI_HEAD, ...public_bytes]).toBase64()
  }\n-----END PUBLIC KEY-----\n`;

/** Reads the public keys that are believed. Throws KeyUnusable. */
export async function read_public_keys(
  files: readonly { readonly text: string; readonly where: string }[],
): Promise<PublicKeys> {
  const keys = new Map<string, CryptoKey>();
  for (const { text, where } of files) {
    const bytes = pem_bytes(text, "PUBLIC KEY");
    try {
      if (bytes === null) throw new KeyUnusable("no such block");
      const key = await crypto.subtle.importKey("spki", bytes, ED25519, true, ["verify"]);
      keys.set(key_id(new Uint8Array(await crypto.subtle.exportKey("raw", key))), key);
    } catch (cause) {
      throw new KeyUnusable(`read the key ${JSON.stringify(where)}: ${SPKI}`, { cause });
    }
  }
  return keys;
}

const statement_schema = z.strictObject({
  batch: z.int().min(1),
  domain: z.string(),
  key: z.string().regex(/^[0-9a-f]{16}$/),
  link: z.string().regex(/^[0-9a-f]{64}$/),
  log_id: z.string(),
  position: z.int().min(0),
  signed_at: z.iso.datetime({ precision: 3 }),
  tacho_checkpoint: z.literal(1),
});
const file_schema = z.strictObject({ checkpoint: z.string(), signature: z.string() });

/** Signs a checkpoint. */
export async function sign_checkpoint(
  key: Pick<SigningKey, "id" | "sign">,
  about: Omit<Checkpoint, "key">,
): Promise<SignedCheckpoint> {
  const checkpoint = { ...about, key: key.id };
  const statement = canonical_json({ ...checkpoint, tacho_checkpoint: 1 });
  return { checkpoint, statement, signature: await key.sign(statement) };
}

/** A signed checkpoint as a file, an object or the body of a request. */
export const checkpoint_text = ({ statement, signature }: Pick<SignedCheckpoint, "statement" | "signature">): string =>
  `${JSON.stringify({ checkpoint: statement, signature })}\n`;

/** What became of reading something that others could have written. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string };

const refused = (fault: string) => ({ ok: false, fault }) as const;

/** The value of a JSON text by a schema; null where it is none. */
export function json_by<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Reads what is signed, whoever signed it; null for what is none, or is written in another way than checkpoints are. */
export function read_statement(statement: string): Checkpoint | null {
  const said = json_by(statement_schema, statement);
  if (said === null || canonical_json(said) !== statement) return null;
  const { tacho_checkpoint: _, ...checkpoint } = said;
  return checkpoint;
}

/** Reads a checkpoint and holds its signature against the keys that are believed. The fault begins with what it is about. */
export async function believe(
  keys: PublicKeys,
  { statement, signature }: { readonly statement: string; readonly signature: string },
): Promise<Read<SignedCheckpoint>> {
  const checkpoint = read_statement(statement);
  if (checkpoint === null) return refused(`expected a checkpoint, got ${shown(statement)}`);
  const { batch, key: id, signed_at } = checkpoint, name = `the checkpoint of batch ${batch}, ${signed_at},`;
  const key = keys.get(id);
  if (key === undefined) {
    return refused(
      `${name} is signed by the key ${id}, which is not among those given (${[...keys.keys()].join(", ")})`,
    );
  }
  const right = /^[0-9a-f]{128}$/.test(signature) &&
    await crypto.subtle.verify(ED25519, key, Uint8Array.fromHex(signature), new TextEncoder().encode(statement));
  return right ? { ok: true, value: { checkpoint, statement, signature } } : refused(`${name} has a bad signature`);
}

/** As `believe`, of the text of a file. */
export async function believe_text(keys: PublicKeys, text: string): Promise<Read<SignedCheckpoint>> {
  const file = json_by(file_schema, text);
  if (file === null) return refused(`expected a checkpoint, got ${shown(text)}`);
  const believed = await believe(keys, { statement: file.checkpoint, signature: file.signature });
  if (!believed.ok || text === checkpoint_text(believed.value)) return believed;
  return refused(`expected a checkpoint as it is written, got another form of it: ${shown(text)}`);
}

/** How often the last link is signed: when so many batches, or so many milliseconds, have come since the last checkpoint. */
interface SigningPace {
  readonly batches: number;
  readonly ms: number;
}

/** The log is not the one whose checkpoint was signed last: it was written anew. Nothing more is signed in it. */
export class LogRewritten extends Error {
  override readonly name = "LogRewritten";
}

/** What is known where a checkpoint may be due. */
interface Standing {
  readonly log_id: string;
  readonly batch: number;
  readonly position: number;
  readonly link: string;
  readonly last: Checkpoint | null;
  /** The link of the last checkpoint's batch, as the log has it now; null where it has no such batch. */
  readonly link_there: string | null;
}

async function read_standing(reading: Queryable): Promise<Standing> {
  const [row] = await reading.query({
    name: "checkpoint_standing",
    text: `select h.log_id, h.batch, h.position, h.link, last.batch as last_batch, last.statement, b.link as link_there
           from log_head h
           left join lateral (select batch, statement from log_checkpoints order by batch desc limit 1) last on true
           left join batches b on b.batch = last.batch`,
  });
  if (row === undefined) throw new Error("sign a checkpoint: log_head has no row; run `tacho migrate`");
  const last = row.statement === null ? null : read_statement(row.statement as string);
  if (row.statement !== null && last === null) {
    throw new LogRewritten(`sign a checkpoint: what log_checkpoints has of batch ${row.last_batch} is no checkpoint`);
  }
  return {
    log_id: row.log_id as string,
    batch: Number(row.batch),
    position: Number(row.position),
    link: (row.link as Uint8Array).toHex(),
    last,
    link_there: row.link_there === null ? null : (row.link_there as Uint8Array).toHex(),
  };
}

function is_due({ batch, last }: Standing, pace: SigningPace | null, now_ms: number): boolean {
  if (last === null) return batch > 0;
  if (batch === last.batch) return false;
  return pace === null || batch - last.batch >= pace.batches || now_ms - Date.parse(last.signed_at) >= pace.ms;
}

/**
 * Signs the last link when that is due. Of several instances one signs: the others find that it was done. No append waits for it, and it waits
 * for none.
 * @param pace null: at once, where there are batches since the last checkpoint
 * @returns null: it was not due. Throws LogRewritten where the log does not have the last checkpoint's link any more
 */
export async function sign_when_due(
  database: Database,
  domain: string,
  key: Pick<SigningKey, "id" | "sign">,
  pace: SigningPace | null,
  now_ms: number,
): Promise<SignedCheckpoint | null> {
  // Most often nothing is due: that costs no transaction.
  const before = await read_standing(database);
  require_same_log(before);
  if (!is_due(before, pace, now_ms)) return null;
  return await database.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock(hashtextextended('checkpoints of ' || current_schema(), 0))");
    const standing = await read_standing(tx);
    require_same_log(standing);
    if (!is_due(standing, pace, now_ms)) return null;
    const { log_id, batch, position, link } = standing;
    const signed_at = new Date(now_ms).toISOString();
    const signed = await sign_checkpoint(key, { log_id, domain, batch, position, link, signed_at });
    await tx.execute(
      "insert into log_checkpoints (batch, statement, signature) values ($1, $2, $3)",
      [batch, signed.statement, Uint8Array.fromHex(signed.signature)],
    );
    return signed;
  });
}

function require_same_log({ log_id, batch, last, link_there }: Standing): void {
  if (last === null || (last.log_id === log_id && last.link === link_there)) return;
  const { batch: signed, signed_at } = last;
  const what = last.log_id !== log_id
    ? `the last checkpoint is of log ${last.log_id}, this is ${log_id}`
    : batch < signed
    ? `the checkpoint of batch ${signed}, ${signed_at}, is past the log's end, batch ${batch}`
    : `the checkpoint of batch ${signed}, ${signed_at}, does not agree with the log: it was rewritten`;
  throw new LogRewritten(`sign a checkpoint: ${what}; nothing is signed, see \`tacho verify --checkpoints\``);
}
