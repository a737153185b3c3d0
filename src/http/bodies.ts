import { problem } from "./answers.ts";

/**
 * Bodies of requests: read for who may send them, so many at a time, so many bytes, for so long.
 *
 * Whoever is refused is answered at once and nothing of his body is read: Deno 2.9.6 reads on and throws away what is sent after an
 * answer, so that the answer arrives (1,000 posts of 10 bytes to 5 MB: all 1,000 did). A connection whose sender then falls silent stays
 * open without a byte of ours until he or a proxy ends it; the server has no way to.
 */

/** What bodies are bounded by. */
export interface BodyLimits {
  /** Bytes of one body. */
  readonly most_bytes: number;
  /** Milliseconds from the request's head to the end of its body. */
  readonly most_ms: number;
  /** Bodies under way, from the first byte to the answer: in all, of one address, and their bytes together. */
  readonly bodies: number;
  readonly bodies_of_address: number;
  readonly bytes: number;
}

/** The bodies under way of one kind of request. */
export class Bodies {
  #bodies = 0;
  #bytes = 0;
  readonly #of_address = new Map<string, number>();

  constructor(private readonly limits: BodyLimits) {}

  /**
   * Reads a request's body and gives it to `work`, whose answer it returns; a body that is too large, too slow, packed or one too many is
   * answered with a problem instead.
   */
  async take(
    request: Request,
    address: string,
    work: (body: Uint8Array) => Response | Promise<Response>,
  ): Promise<Response> {
    const { most_bytes, bodies, bodies_of_address } = this.limits;
    const encoding = request.headers.get("content-encoding") ?? "identity";
    if (encoding.toLowerCase() !== "identity") {
      const detail = `expected a body without content-encoding, got ${JSON.stringify(encoding.slice(0, 100))}`;
      return problem({ status: 415, title: "Unsupported media type", detail });
    }
    if (Number(request.headers.get("content-length") ?? 0) > most_bytes) return too_large(most_bytes);
    const of_address = this.#of_address.get(address) ?? 0;
    if (this.#bodies >= bodies || of_address >= bodies_of_address) return too_many();
    this.#bodies++;
    this.#of_address.set(address, of_address + 1);
    const counted = { bytes: 0 };
    try {
      const body = await this.#read(request, counted);
      return body instanceof Response ? body : await work(body);
    } finally {
      this.#bytes -= counted.bytes;
      this.#bodies--;
      const left = this.#of_address.get(address)! - 1;
      if (left === 0) this.#of_address.delete(address);
      else this.#of_address.set(address, left);
    }
  }

  /** @param counted what of this body is counted among the bytes under way */
  async #read(request: Request, counted: { bytes: number }): Promise<Uint8Array | Response> {
    if (request.body === null) return new Uint8Array(0);
    const { most_bytes, most_ms, bytes } = this.limits;
    const reader = request.body.getReader();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      // Ends the read under way; that a sender who is gone cannot be told so is nobody's concern.
      reader.cancel().catch(() => {});
    }, most_ms);
    const chunks: Uint8Array[] = [];
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (late) return too_slow(most_ms);
        if (done) break;
        counted.bytes += value.byteLength;
        this.#bytes += value.byteLength;
        if (counted.bytes > most_bytes) return too_large(most_bytes);
        if (this.#bytes > bytes) return too_many();
        chunks.push(value);
      }
    } catch {
      // The connection broke: nobody hears the answer, and a stranger who hangs up is worth no line in the log.
      return problem({ status: 400, title: "Bad request", detail: "the body did not arrive whole" });
    } finally {
      clearTimeout(timer);
    }
    const body = new Uint8Array(counted.bytes);
    let at = 0;
    for (const chunk of chunks) {
      body.set(chunk, at);
      at += chunk.byteLength;
    }
    return body;
  }
}

function too_large(most_bytes: number): Response {
  const detail = `expected a body of at most ${most_bytes} bytes; nothing of it was taken`;
  return problem({ status: 413, title: "Content too large", detail });
}

function too_many(): Response {
  const detail = "as many bodies are under way as this server allows; nothing of this one was taken";
  return problem({ status: 503, title: "Busy", detail, headers: { "retry-after": "1" } });
}

function too_slow(most_ms: number): Response {
  const detail = `expected the whole body within ${most_ms / 1000} s; nothing of it was taken`;
  return problem({ status: 408, title: "Request timeout", detail, headers: { connection: "close" } });
}
