import { createHash, createPublicKey, verify } from "node:crypto";

/** Another program, written from docs/proof.md: it checks checkpoints and receipts. */
const sha256 = (...parts: (string | Uint8Array)[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");
function need(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`not proven: ${what}`);
}

export function check_checkpoint(statement: string, signature: string, pem: string) {
  const key = createPublicKey(pem), said = JSON.parse(statement);
  need(said.key === sha256(key.export({ format: "der", type: "spki" }).subarray(-32)).slice(0, 16), "unknown key");
  need(/^[0-9a-f]{128}$/.test(signature), "signature");
  need(verify(null, new TextEncoder().encode(statement), key, Uint8Array.fromHex(signature)), "signature");
  return said as { log_id: string; domain: string; batch: number; position: number; link: string };
}

export function check_receipt(bytes: Uint8Array, pem: string) {
  const lines = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).split(/(?<=\n)/);
  const parsed = lines.map((line) => JSON.parse(line));
  need(lines.every((line, i) => `${JSON.stringify(parsed[i])}\n` === line), "form");
  need(parsed.pop().sha256 === sha256(...lines.slice(0, -1)), "hash of the file");
  const [about, ...rest] = parsed, own = new Map<string, string[][]>(), wanted = new Map<string, number>();
  let link = "",
    last = { batch: 0, position: 0 },
    open: { header: string; left: number; lines: string[] } | null = null;
  for (const line of rest) {
    need([line.link, line.content].every((hex = "0".repeat(64)) => /^[0-9a-f]{64}$/.test(hex)), "form");
    if (line.stream !== undefined) wanted.set(line.stream, line.revisions);
    else if (line.link !== undefined) link = line.link;
    else if (line.batch !== undefined) {
      const [, , first, until] = JSON.parse(line.batch);
      need(open === null, "events of a batch");
      if (line.content === undefined) open = { header: line.batch, left: until - first + 1, lines: [] };
      else link = sha256(Uint8Array.fromHex(link), Uint8Array.fromHex(line.content), line.batch);
    } else if (line.event !== undefined) {
      need(open !== null, "an event outside a batch");
      open.lines.push(`${line.event}\n`);
      const fields = line.event.split("\t").map((field: string) =>
        field.replace(/\\(.)/g, (_, c) => ({ t: "\t", n: "\n", r: "\r" })[c as "t"] ?? c)
      );
      if (wanted.has(fields[0]) || (about.complete && about.figure)) {
        own.set(fields[0], [...own.get(fields[0]) ?? [], fields]);
      }
      if (--open.left > 0) continue;
      link = sha256(Uint8Array.fromHex(link), Uint8Array.fromHex(sha256(...open.lines)), open.header);
      open = null;
    } else {
      const said = check_checkpoint(line.checkpoint, line.signature, pem);
      need(said.log_id === about.log_id && said.domain === about.domain && said.batch > last.batch, "another log");
      need(open === null && (link === "" || said.link === link), "the chain does not come to what was signed");
      [link, last] = ["", said];
    }
  }
  need(link === "" && last.position === about.position, "no checkpoint at the end");
  for (const [id, revisions] of wanted) need(own.get(id)?.length === revisions, `events of ${id}`);
  for (const [id, events] of own) need(events.every((fields, i) => Number(fields[1]) === i + 1), `revisions of ${id}`);
  return { about, events: own };
}
