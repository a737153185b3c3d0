/** Kafka's numbers of the requests that tests meddle with. */
export const API = {
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
} as const;

/** One frame between a client and the broker, in whatever direction. */
export interface Frame {
  readonly api: number;
  /** Which connection it goes over; they count from 1. */
  readonly connection: number;
  /** With its length in front and the correlation id behind that. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What becomes of a frame: other bytes go on in its place, `withheld` never arrives, `cut` ends the connection in its middle. */
export type Fate = Uint8Array<ArrayBuffer> | "withheld" | "cut";

/** Decides about a frame. While it waits, what follows on the connection waits too. */
export type Meddler = (frame: Frame) => Fate | Promise<Fate>;

const pass: Meddler = ({ bytes }) => bytes;

/**
 * Stands between a Kafka client and a broker, knows the frames that pass, and does to them what a bad network or a sick
 * broker does. The broker has to advertise the proxy's port.
 */
export class FaultProxy implements Disposable {
  /** Meddles with requests on their way to the broker. */
  request: Meddler = pass;
  /** Meddles with answers on their way to the client. */
  answer: Meddler = pass;
  /** How many connections were accepted so far. */
  accepted = 0;
  readonly #open = new Set<Deno.TcpConn>();
  #dead_up_to = 0;
  #listener: Deno.TcpListener | null = null;

  constructor(readonly port: number, readonly broker_port: number) {
    this.listen();
  }

  get brokers(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Every connection there is goes dead: it stays open and nothing passes any more. New ones live, unless they are to be dead too. */
  go_dead(new_ones: "new ones live" | "new ones too" = "new ones live"): void {
    this.#dead_up_to = new_ones === "new ones too" ? Infinity : this.accepted;
  }

  /** New connections live again. Those that went dead stay so. */
  revive(): void {
    this.#dead_up_to = this.accepted;
  }

  /** Ends every connection and refuses new ones. */
  refuse(): void {
    this.#listener?.close();
    this.#listener = null;
    for (const connection of this.#open) close(connection);
  }

  /** Accepts connections. */
  listen(): void {
    const listener = this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    (async () => {
      for await (const client of listener) void this.#serve(client, ++this.accepted);
    })();
  }

  [Symbol.dispose](): void {
    this.refuse();
  }

  async #serve(client: Deno.TcpConn, connection: number): Promise<void> {
    this.#open.add(client);
    let broker: Deno.TcpConn | null = null;
    try {
      broker = await Deno.connect({ hostname: "127.0.0.1", port: this.broker_port });
      this.#open.add(broker);
      const apis = new Map<number, number>();
      await Promise.race([
        this.#pass(client, broker, connection, (bytes, view) => {
          const api = view.getInt16(4);
          apis.set(view.getInt32(8), api);
          return this.request({ api, connection, bytes });
        }),
        this.#pass(broker, client, connection, (bytes, view) => {
          const api = apis.get(view.getInt32(4)) ?? -1;
          apis.delete(view.getInt32(4));
          return this.answer({ api, connection, bytes });
        }),
      ]);
    } catch (error) {
      // One of the two sides is gone; then the other one goes as well.
      if (!is_gone(error)) throw error;
    } finally {
      for (const side of [client, broker]) {
        if (side === null) continue;
        this.#open.delete(side);
        close(side);
      }
    }
  }

  /** Passes frames on until one side ends or a fate cuts the connection. */
  async #pass(
    from: Deno.TcpConn,
    to: Deno.TcpConn,
    connection: number,
    fate_of: (bytes: Uint8Array<ArrayBuffer>, view: DataView) => Fate | Promise<Fate>,
  ): Promise<void> {
    for await (const bytes of frames(from)) {
      if (connection <= this.#dead_up_to) continue;
      const fate = await fate_of(bytes, new DataView(bytes.buffer));
      if (connection <= this.#dead_up_to || fate === "withheld") continue;
      await write(to, fate === "cut" ? bytes.subarray(0, bytes.length >> 1) : fate);
      if (fate === "cut") return;
    }
  }
}

/** Cuts what comes into frames: four bytes of length, then so many bytes. */
async function* frames(from: Deno.TcpConn): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const chunk = new Uint8Array(1 << 16);
  let held = new Uint8Array();
  for (let count = await from.read(chunk); count !== null; count = await from.read(chunk)) {
    const joined = new Uint8Array(held.length + count);
    joined.set(held);
    joined.set(chunk.subarray(0, count), held.length);
    held = joined;
    while (held.length >= 4) {
      const length = 4 + new DataView(held.buffer, held.byteOffset).getUint32(0);
      // Not Kafka's protocol: a greeting of TLS reads as a length of hundreds of megabytes.
      const whole = length > 200 << 20 ? held.length : length;
      if (held.length < whole) break;
      yield held.slice(0, whole);
      held = held.slice(whole);
    }
  }
}

async function write(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

const is_gone = (error: unknown): boolean =>
  [
    "ConnectionReset",
    "ConnectionRefused",
    "BrokenPipe",
    "BadResource",
    "Interrupted",
    "NotConnected",
    "ConnectionAborted",
  ]
    .includes(error instanceof Error ? error.name : "");

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!is_gone(error)) throw error;
  }
}
