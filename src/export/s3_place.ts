import { Buffer } from "node:buffer";
import { AwsClient } from "aws4fetch";
import { type ExportPlace, type PlacedFile, PlaceUnusable, require_few_names } from "./place.ts";

/** A place for exports in S3. */

/** How a text says a place. */
const PLACE_WORDS = "a folder, or s3://bucket/prefix";

/** How S3 is reached; what is absent is as the AWS tools have it. */
interface S3Access {
  readonly access_key_id: string | null;
  readonly secret_access_key: string | null;
  readonly session_token: string | null;
  readonly region: string;
  /** Another server than Amazon's; then the bucket stands in the path. */
  readonly endpoint: string | null;
}

/** A request that takes longer has failed. */
const TIMEOUT_MS = 30_000;
/** So much of an answer is read: documents are small, and so is what refusals say. */
const MOST_BYTES = 1 << 20;
/** Of a long object, what is sent at once: of all parts but the last S3 wants 5 MiB, and it takes 10,000. */
const PART_BYTES = 16 << 20;
const TYPE = "application/octet-stream";

/** A prefix of an S3 bucket. An object is replaced whole. */
export class S3Place implements ExportPlace {
  readonly shown: string;
  readonly #client: AwsClient;
  /** The bucket, and what stands before the names in it. */
  readonly #root: string;
  readonly #below: string;

  /** @param place `s3://bucket/prefix`. Throws PlaceUnusable for another text, and without keys. */
  constructor(place: string, access: S3Access) {
    const [, bucket, prefix = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(place) ?? [];
    if (bucket === undefined) {
      throw new PlaceUnusable(`export: expected ${PLACE_WORDS}, got ${JSON.stringify(place)}`);
    }
    const { access_key_id, secret_access_key, session_token, region, endpoint } = access;
    if (access_key_id === null || secret_access_key === null) {
      throw new PlaceUnusable(
        `export to ${place}: expected the keys of S3 in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, got none`,
      );
    }
    this.#client = new AwsClient({
      accessKeyId: access_key_id,
      secretAccessKey: secret_access_key,
      ...session_token === null ? {} : { sessionToken: session_token },
      region,
      service: "s3",
      // Who waits with patience is the caller.
      retries: 0,
    });
    const root = endpoint === null
      ? `https://${bucket}.s3.${region}.amazonaws.com`
      : `${endpoint.replace(/\/+$/, "")}/${bucket}`;
    const below = prefix.replace(/\/+$/, "");
    this.#root = root;
    this.#below = below === "" ? "" : `${below}/`;
    this.shown = place;
  }

  async read(name: string): Promise<string | null> {
    const answer = await this.#ask("read", name, { method: "GET" });
    const text = await bounded_text(answer);
    if (answer.status === 404 && /NoSuchKey|^$/.test(text)) return null;
    this.#require(answer, "read", name, text);
    return text;
  }

  async size(name: string): Promise<number | null> {
    return (await this.#told(name))?.size ?? null;
  }

  /** What S3 tells of an object without its bytes; null: there is none. */
  async #told(name: string): Promise<{ readonly size: number; readonly tag: string | null } | null> {
    const answer = await this.#ask("read", name, { method: "HEAD" });
    await answer.body?.cancel();
    if (answer.status === 404) return null;
    this.#require(answer, "read", name, "");
    return { size: Number(answer.headers.get("content-length")), tag: answer.headers.get("etag") };
  }

  async list(folder: string): Promise<string[]> {
    const names: string[] = [], prefix = `${this.#below}${folder}/`;
    for (let token: string | undefined = "";;) {
      const query = new URLSearchParams({ "list-type": "2", "encoding-type": "url", delimiter: "/", prefix });
      if (token !== "") query.set("continuation-token", token);
      const answer = await this.#ask("list", folder, { method: "GET" }, `?${query}`, this.#root);
      const text = await bounded_text(answer);
      this.#require(answer, "list", folder, text);
      for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        names.push(decodeURIComponent(unescaped(key!).replaceAll("+", " ")).slice(this.#below.length));
      }
      require_few_names(names.length, `${this.shown}/${folder}`);
      const [, next] = /<NextContinuationToken>([^<]+)<\/NextContinuationToken>/.exec(text) ?? [];
      if (next === undefined) return names.sort();
      token = unescaped(next);
    }
  }

  async write(name: string, text: string): Promise<void> {
    await this.#put(name, new TextEncoder().encode(text), "application/json");
  }

  async #put(name: string, body: Uint8Array<ArrayBuffer>, type: string, query = ""): Promise<string | null> {
    const headers = { "content-type": type, "content-length": String(body.length) };
    const answer = await this.#ask("write", name, { method: "PUT", body, headers }, query);
    this.#require(answer, "write", name, await bounded_text(answer));
    return answer.headers.get("etag");
  }

  /** What is longer than a part goes as one upload of several: S3 shows it when it is completed. A writer that is killed leaves one that nobody sees. */
  begin(name: string): Promise<PlacedFile> {
    let waiting: Uint8Array<ArrayBuffer>[] = [], bytes = 0, upload: string | null = null;
    const tags: string[] = [];
    const post = async (query: string, body: string) => {
      const headers = { "content-length": String(new TextEncoder().encode(body).length) };
      const answer = await this.#ask("write", name, { method: "POST", body, headers }, query);
      const text = await bounded_text(answer);
      this.#require(answer, "write", name, text);
      return text;
    };
    const part = async () => {
      if (upload === null) {
        const [, id] = /<UploadId>([^<]+)<\/UploadId>/.exec(await post("?uploads=", "")) ?? [];
        if (id === undefined) throw new Error(`write ${this.shown}/${name}: expected the id of an upload, got none`);
        upload = encodeURIComponent(id);
      }
      const tag = await this.#put(
        name,
        new Uint8Array(Buffer.concat(waiting)),
        TYPE,
        `?partNumber=${tags.length + 1}&uploadId=${upload}`,
      );
      if (tag === null) throw new Error(`write ${this.shown}/${name}: expected the tag of a part, got none`);
      tags.push(tag);
      [waiting, bytes] = [[], 0];
    };
    return Promise.resolve({
      write: async (more) => {
        waiting.push(more);
        bytes += more.length;
        if (bytes >= PART_BYTES) await part();
      },
      finish: async () => {
        if (upload === null) return void await this.#put(name, new Uint8Array(Buffer.concat(waiting)), TYPE);
        if (bytes > 0) await part();
        const parts = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
        const xml = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
        const said = await post(`?uploadId=${upload}`, xml);
        // Refused after it had begun to answer 200.
        if (/<Error>/.test(said)) throw new Error(`write ${this.shown}/${name}: ${/<Code>([^<]*)/.exec(said)?.[1]}`);
      },
      abandon: async () => {
        if (upload === null) return;
        const answer = await this.#ask("give up", name, { method: "DELETE" }, `?uploadId=${upload}`);
        await answer.body?.cancel();
      },
    });
  }

  /** Part by part, each of which has to be of the same object: one that is replaced meanwhile is refused by S3. */
  async copy(name: string, path: string, signal: AbortSignal): Promise<boolean> {
    const told = await this.#told(name);
    if (told === null) return false;
    const { size, tag } = told;
    using file = await Deno.open(path, { write: true, create: true, truncate: true });
    for (let from = 0; from < size; from += PART_BYTES) {
      signal.throwIfAborted();
      const length = Math.min(PART_BYTES, size - from);
      const headers = { range: `bytes=${from}-${from + length - 1}`, "if-match": tag ?? "*" };
      const answer = await this.#ask("read", name, { method: "GET", headers });
      if (answer.status !== 206) {
        const text = await bounded_text(answer);
        this.#require(answer, "read", name, text);
        throw new Error(`read ${this.shown}/${name}: expected a part of it (206), got ${answer.status}`);
      }
      await write_exactly(file, answer, length).catch((cause) => {
        const said = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`read ${this.shown}/${name} from byte ${from} on: ${said}`, { cause });
      });
    }
    return true;
  }

  /** @param url what is asked: the object of that name unless given */
  async #ask(
    action: string,
    name: string,
    request: RequestInit,
    query = "",
    url = `${this.#root}/${escaped(this.#below + name)}`,
  ): Promise<Response> {
    try {
      return await this.#client.fetch(`${url}${query}`, {
        ...request,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      throw new Error(`${action} ${this.shown}/${name}: ${said}`, { cause: error });
    }
  }

  #require({ ok, status }: Response, action: string, name: string, text: string): void {
    if (ok) return;
    const said = /<Code>([^<]*)<\/Code>/.exec(text)?.[1] ?? "no reason given";
    const fault = `${action} ${this.shown}/${name}: expected 200, got ${status} (${said})`;
    // Wrong keys and a bucket that is not there stay so, however often we ask; too many requests and the server's troubles pass.
    throw status < 500 && status !== 408 && status !== 429 ? new PlaceUnusable(fault) : new Error(fault);
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
const unescaped = (xml: string): string => xml.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => ENTITIES[name]!);

const escaped = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** The text of an answer, at most `MOST_BYTES` of it. */
async function bounded_text({ body }: Response): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "", bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > MOST_BYTES) throw new Error(`read an answer of S3: expected at most ${MOST_BYTES} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** Writes the body of an answer to a file. Throws where it is not so long. */
async function write_exactly(file: Deno.FsFile, { body }: Response, length: number): Promise<void> {
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > length) break;
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  }
  if (bytes !== length) throw new Error(`expected ${length} bytes, got ${bytes > length ? "more" : bytes}`);
}
