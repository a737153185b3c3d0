/**
 * A TCP port of 127.0.0.1 that nobody listens on, below the range that the system hands to outgoing connections (32768 and up on Linux): a server
 * that is killed and started again must find its port free, and a client that redials a dead port of that range can end up connected to itself.
 */
export function free_port(): number {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("find a free port of 127.0.0.1: 200 random ports between 12000 and 32000 were all in use");
}
