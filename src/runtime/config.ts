import { parseEnv } from "node:util";
import type { z } from "zod";
import type { KeptDays } from "./setting_texts.ts";
import { OF_DOMAIN, type Setting, SETTINGS } from "./settings.ts";

/**
 * The configuration: one schema (`settings.ts`), read once from the environment, handed on as a plain value.
 * This is the only file that reads the environment.
 */

type Settings = typeof SETTINGS;
type Read<S> = S extends Setting<infer Schema, infer _> ? z.output<Schema> : never;

/** Which topics a domain beside the first is fed by, what reads their records and where they begin; absent: as the domain declares, or all do. */
interface DomainTopics {
  readonly topics?: readonly string[];
  readonly mappings?: readonly { readonly topic: string; readonly mapping: string }[];
  readonly start?: "earliest" | "latest";
  readonly keep_cells?: KeptDays;
}

/** The configuration as read; a setting without default is null when absent. */
export type Config =
  & {
    readonly [Name in keyof Settings]: Settings[Name]["fallback"] extends string ? Read<Settings[Name]>
      : Read<Settings[Name]> | null;
  }
  & {
    /** By the name of a domain: `TACHO_<DOMAIN>_TOPICS`, `TACHO_<DOMAIN>_MAPPINGS`, `TACHO_<DOMAIN>_START` and `TACHO_<DOMAIN>_KEEP_CELLS`. */
    readonly of_domains: Readonly<Record<string, DomainTopics>>;
  };

/** Wrong configuration: every fault, one a line. The program exits with code 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly faults: readonly string[]) {
    super(`read configuration: ${faults.length} fault(s)\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
  }
}

const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

/**
 * Reads the configuration from variables. Blank is absent. Throws ConfigError with all faults at once; secrets are never quoted.
 * @param variables the environment, by name
 */
export function read_config(variables: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, { variable, fallback, schema }] of Object.entries(SETTINGS)) {
    const given = variables[variable]?.trim();
    const text = given === undefined || given === "" ? fallback : given;
    if (text === null) {
      config[name] = null;
      continue;
    }
    const parsed = schema.safeParse(text);
    if (parsed.success) {
      config[name] = parsed.data;
    } else {
      // What has an @ may be an address with a password before it.
      const secret = /TOKEN|PASSWORD|SECRET|SMTP|DATABASE_URL|AWS_.*KEY|WEBHOOK/.test(variable) || text.includes("@");
      const problem = parsed.error.issues.map((issue) => issue.message).join("; ");
      faults.push(`${variable}: ${problem}${secret ? "" : `, got ${JSON.stringify(text)}`}`);
    }
  }
  const known = new Set<string>(Object.values(SETTINGS).map(({ variable }) => variable));
  const of_domains: Record<string, DomainTopics> = {};
  for (const [variable, given = ""] of Object.entries(variables)) {
    const [, domain, what] = /^TACHO_([A-Z]+)_(TOPICS|MAPPINGS|START|KEEP_CELLS)$/.exec(variable) ?? [];
    if (domain !== undefined && given.trim() !== "") {
      const parsed = OF_DOMAIN[what as keyof typeof OF_DOMAIN].safeParse(given.trim());
      const name = domain.toLowerCase();
      if (parsed.success) of_domains[name] = { ...of_domains[name], [what!.toLowerCase()]: parsed.data };
      else {
        const problem = parsed.error.issues.map(({ message }) => message).join("; ");
        faults.push(`${variable}: ${problem}, got ${JSON.stringify(given)}`);
      }
    }
    if (domain !== undefined) continue;
    if (variable.startsWith("TACHO_") && !variable.startsWith("TACHO_TEST_") && !known.has(variable)) {
      faults.push(
        `${variable}: no such setting; known are ${[...known].filter((name) => name.startsWith("TACHO_")).join(", ")}`,
      );
    }
  }
  if (typeof config.host === "string" && !LOOPBACK.has(config.host) && config.token === null) {
    faults.push(`HOST: ${JSON.stringify(config.host)} can be reached from outside; set TACHO_TOKEN as well`);
  }
  if (typeof config.kafka_sasl === "string" && (config.kafka_username === null || config.kafka_password === null)) {
    faults.push("TACHO_KAFKA_SASL: needs TACHO_KAFKA_USERNAME and TACHO_KAFKA_PASSWORD as well");
  }
  if (config.signing_key === null) {
    for (const name of ["checkpoints", "checkpoint_webhook"] as const) {
      if (config[name] !== null) faults.push(`${SETTINGS[name].variable}: needs TACHO_SIGNING_KEY as well`);
    }
  }
  const { topics, mappings } = config as Partial<Config>;
  if (topics?.includes("http") === true) {
    faults.push('TACHO_TOPICS: "http" is where events posted to the API are logged; name another topic');
  }
  const mapped = (mappings ?? []).map(({ topic }) => topic);
  for (const [i, topic] of mapped.entries()) {
    if (topics?.includes(topic) === false) {
      faults.push(
        `TACHO_MAPPINGS: expected a topic of TACHO_TOPICS (${topics.join(", ")}), got ${JSON.stringify(topic)}`,
      );
    }
    if (mapped.indexOf(topic) < i) faults.push(`TACHO_MAPPINGS: names the topic ${JSON.stringify(topic)} twice`);
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return { ...config, of_domains } as unknown as Config;
}

/** Whether there is a screen where a browser could open: everywhere but in a Linux without display. */
export const has_screen = (): boolean =>
  Deno.build.os !== "linux" || ["DISPLAY", "WAYLAND_DISPLAY"].some((name) => (Deno.env.get(name) ?? "") !== "");

/**
 * The environment of this process; with a file (development), what it says is added where the environment says nothing.
 * An absent file is no fault.
 */
export function environment(file: string | null = null): Record<string, string | undefined> {
  const variables = Deno.env.toObject();
  if (file === null) return variables;
  try {
    return { ...parseEnv(Deno.readTextFileSync(file)), ...variables };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return variables;
    throw new Error(`read configuration: cannot read ${JSON.stringify(file)}`, { cause: error });
  }
}
