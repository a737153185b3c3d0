import { AwsClient } from "aws4fetch";
import { type ExportPlace, PLACE_WORDS, PlaceUnusable } from "./place.ts";

/** How S3 is reached; what is absent is as the AWS tools have it. */
export interface S3Access {
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

/** A prefix of an S3 bucket. An object is replaced whole. */
export class S3Place implements ExportPlace {
  readonly shown: string;
  readonly #client: AwsClient;
  readonly #url: string;

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
    this.#url = below === "" ? root : `${root}/${escaped(below)}`;
    this.shown = place;
  }

  async read(name: string): Promise<string | null> {
    const answer = await this.#ask("read", name, { method: "GET" });
    const text = await bounded_text(answer);
    if (answer.status === 404 && /NoSuchKey|^$/.test(text)) return null;
    this.#require(answer, "read", name, text);
    return text;
  }

  async write(name: string, text: string): Promise<void> {
    const body = new TextEncoder().encode(text);
    const headers = { "content-type": "application/json", "content-length": String(body.length) };
    const answer = await this.#ask("write", name, { method: "PUT", body, headers });
    this.#require(answer, "write", name, await bounded_text(answer));
  }

  async #ask(action: string, name: string, request: RequestInit): Promise<Response> {
    try {
      return await this.#client.fetch(`${this.#url}/${escaped(name)}`, {
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
