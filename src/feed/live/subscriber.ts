import type { View } from "../figures/mod.ts";
import type { Coverage, LogPosition } from "./frame.ts";

/**
 * Bytes that may wait in a subscriber's stream before it counts as stalled. The kernel takes about 4 MB before any wait here.
 */
export const WAITING_BYTES = 65_536;

/** What a subscriber's connection is bound to. */
interface Connection {
  /** Whom it counts for. */
  readonly address: string;
  /** When it is ended so that none lives for ever. */
  readonly rotate_at_ms: number;
  readonly waiting_bytes: number;
}

/** What a subscriber still has to be told before it follows: everything, or what it missed since a position. */
export type Greeting =
  | { readonly kind: "hello"; readonly reset: string | null }
  | { readonly kind: "resume"; readonly from: LogPosition };

/**
 * One open stream and what its reader has. Nothing is queued for a reader that does not drain: whoever sends asks `drained`
 * first and leaves it out otherwise, so that its next frame is the latest state since its own coverage.
 */
export class Subscriber {
  readonly stream: ReadableStream<Uint8Array>;
  /** Null once it was greeted. */
  greeting: Greeting | null;
  /** What it has, once it was greeted. */
  coverage: Coverage | null = null;
  /** The log its coverage belongs to. */
  log_id = "";
  lines_position = 0;
  /** Since when it does not drain; null while it does. */
  stalled_since_ms: number | null = null;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /**
   * @param left called once when the reader is gone or the stream was ended
   */
  constructor(
    readonly view: View,
    readonly key: string,
    greeting: Greeting,
    readonly connection: Connection,
    readonly left: (subscriber: Subscriber) => void,
  ) {
    this.greeting = greeting;
    // A default stream: a byte stream would detach the buffer, and these bytes are shared by all subscribers of a view.
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => this.#forget(),
    }, new ByteLengthQueuingStrategy({ highWaterMark: connection.waiting_bytes }));
  }

  /** Whether its reader takes what it is given. */
  get drained(): boolean {
    return this.#controller !== null && (this.#controller.desiredSize ?? 0) > 0;
  }

  /** Sends bytes; gives false when the stream has ended. Enqueueing after an end throws, so it is never tried. */
  send(bytes: Uint8Array): boolean {
    if (this.#controller === null || this.#controller.desiredSize === null) {
      this.#forget();
      return false;
    }
    this.#controller.enqueue(bytes);
    return true;
  }

  /** Ends the stream after last bytes. A reader that does not drain is cut instead: its end would never arrive. */
  end(bytes: Uint8Array): void {
    if (!this.drained) return this.cut("the reader does not drain");
    this.send(bytes);
    this.#controller?.close();
    this.#forget();
  }

  /** Breaks the connection and drops what waits in it. */
  cut(reason: string): void {
    const error = new Error(`send the feed to ${this.connection.address}: ${reason}`);
    // Deno's server writes a broken stream's error to stderr: one line, not a stack of where it was noticed.
    error.stack = error.message;
    this.#controller?.error(error);
    this.#forget();
  }

  #forget(): void {
    if (this.#controller === null) return;
    this.#controller = null;
    this.left(this);
  }
}
