import type { DeclaredDomain } from "../domains/mod.ts";
import { DEFAULT_H3_RESOLUTION, type Deployment } from "../event_log/mod.ts";
import { type Config, ConfigError } from "../runtime/mod.ts";
import { PAYMENTS } from "../domains/payments/mod.ts";
import { TRADES } from "../domains/trades/mod.ts";
import { TRIPS } from "../domains/trips/mod.ts";

/**
 * The domains that the program knows. The first is the one of a program that is told of none: settings, tables, topics and paths without the name
 * of a domain are its own.
 */
export const DOMAINS: readonly [DeclaredDomain, ...DeclaredDomain[]] = [TRIPS, PAYMENTS, TRADES];

/** A domain, and the configuration as it is for it. */
interface OfDomain {
  readonly domain: DeclaredDomain;
  readonly config: Config;
}

/**
 * The domain of a name with its own configuration: topics, what reads their records, the consumer group. Throws ConfigError where there is no
 * such domain, or settings are of one that there is not.
 */
export function of_domain(config: Config, name: string): OfDomain {
  const names = DOMAINS.map((each) => each.name);
  const faults = [
    ...[...config.domains, name].filter((each) => !names.includes(each)).map((each) =>
      `TACHO_DOMAINS: expected one of ${names.join(", ")}, got ${JSON.stringify(each)}`
    ),
    ...Object.keys(config.of_domains).filter((each) => !names.slice(1).includes(each)).map((each) =>
      `TACHO_${each.toUpperCase()}_…: no such setting; domains with topics of their own are ${
        names.slice(1).join(", ")
      }`
    ),
  ];
  const h3_entities = DOMAINS.flatMap((each) => each.h3_entities ?? []);
  if (config.metrics_h3 !== null && !h3_entities.includes(config.metrics_h3)) {
    faults.push(
      `TACHO_METRICS_H3: expected one of ${h3_entities.join(", ")}, got ${JSON.stringify(config.metrics_h3)}`,
    );
  }
  const domain = DOMAINS.find((each) => each.name === name);
  if (domain === undefined || faults.length > 0) throw new ConfigError([...new Set(faults)]);
  if (domain === DOMAINS[0]) return { domain, config };
  const own = config.of_domains[name] ?? {};
  const topics = own.topics ?? domain.topics.map(({ topic }) => topic);
  const declared = domain.topics.flatMap(({ topic, mapping }) =>
    mapping !== undefined && topics.includes(topic) ? [{ topic, mapping }] : []
  );
  // What the setting does not name is read as the domain declares.
  const given = own.mappings ?? [];
  const mappings = [...given, ...declared.filter(({ topic }) => given.every((each) => each.topic !== topic))];
  if (topics.includes("http")) {
    const variable = `TACHO_${name.toUpperCase()}_TOPICS`;
    throw new ConfigError([`${variable}: "http" is where events posted to the API are logged; name another topic`]);
  }
  const foreign = mappings.find(({ topic }) => !topics.includes(topic));
  if (foreign !== undefined) {
    const variable = `TACHO_${name.toUpperCase()}_MAPPINGS`;
    throw new ConfigError([
      `${variable}: expected a topic of ${topics.join(", ")}, got ${JSON.stringify(foreign.topic)}`,
    ]);
  }
  const own_config = {
    topics: [...topics],
    mappings,
    start: own.start ?? config.start,
    keep_cells: own.keep_cells ?? config.keep_cells,
    group: `${config.group}-${name}`,
  };
  // Tables are of mappings of the first domain, and nothing else has places.
  return { domain, config: { ...config, ...own_config, ...NO_PLACES, lookups: null } };
}

/** Of a domain that has none. */
const NO_PLACES = { h3_resolution: "off", zones: null, zone_names: null, outline: null } as const;

type Named = Pick<DeclaredDomain, "name">;

const is_first = ({ name }: Named): boolean => name === DOMAINS[0].name;

/** The PostgreSQL schema that a domain's log lies in; null: the one that the search path says, where logs of the first domain have always been. */
export const schema_of = (domain: Named): string | null => is_first(domain) ? null : domain.name;

/** What stands before the names of the topics that a domain is published in: nothing of the first one, whose topics have names of their own. */
export const topic_prefix_of = (domain: Named): string => is_first(domain) ? "" : `${domain.name}.`;

/** Below which path a domain is served, beside the first at the root. */
export const base_of = (domain: Named): string => is_first(domain) ? "" : `/${domain.name}`;

/** What a log of the domain would count by and a Flink job does not, in words; null: nothing. */
export function left_to_logs(declared: DeclaredDomain, deployment: Deployment): string | null {
  const names = (h3_resolution: number | null) =>
    declared.make({ ...deployment, h3_resolution }).dimensions.map(({ name }) => name);
  const own = names(null), lacking = names(DEFAULT_H3_RESOLUTION).filter((name) => !own.includes(name));
  return lacking.length === 0 ? null : `nothing is counted by ${lacking.join(", ")}: SQL cannot make H3 cells`;
}
