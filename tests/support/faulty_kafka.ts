import { FaultProxy } from "./fault_proxy.ts";
import { free_port } from "./free_port.ts";
import { type KafkaServer, type Listener, start_kafka } from "./kafka.ts";

/** The one user of the listener that asks for a login, and the password. */
export const LOGIN = { username: "tacho", password: "right" };

/** A private broker with ways in that can be disturbed, each on its own. */
export interface FaultyKafka extends AsyncDisposable {
  readonly server: KafkaServer;
  /** Asks for SASL/PLAIN with `LOGIN`. */
  readonly sasl_brokers: string;
  /** A way in that nobody else uses; throws when there is none left. */
  take_proxy(): FaultProxy;
}

/** Starts a broker with so many proxies before it. */
export async function start_faulty_kafka(proxies: number): Promise<FaultyKafka> {
  const ports = new Set<number>();
  while (ports.size < 2 * proxies + 1) ports.add(free_port());
  const [sasl_port = 0, ...rest] = ports;
  const ways = Array.from({ length: proxies }, (_, at) => new FaultProxy(rest[at]!, rest[proxies + at]!));
  const listeners: Listener[] = ways.map(({ port, broker_port }, at) => ({
    name: `WAY${at}`,
    protocol: "PLAINTEXT",
    port: broker_port,
    advertised_port: port,
  }));
  listeners.push({ name: "LOGIN", protocol: "SASL_PLAINTEXT", port: sasl_port, advertised_port: sasl_port });
  const login = "org.apache.kafka.common.security.plain.PlainLoginModule required";
  const server = await start_kafka({
    listeners,
    properties: {
      "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
      "listener.name.login.plain.sasl.jaas.config": `${login} user_${LOGIN.username}="${LOGIN.password}";`,
    },
  });
  const free = [...ways];
  return {
    server,
    sasl_brokers: `127.0.0.1:${sasl_port}`,
    take_proxy() {
      const proxy = free.shift();
      if (proxy === undefined) throw new Error(`take a proxy: all ${proxies} are taken`);
      return proxy;
    },
    async [Symbol.asyncDispose]() {
      for (const proxy of ways) proxy[Symbol.dispose]();
      await server.dispose();
    },
  };
}
