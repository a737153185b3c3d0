import assert from "node:assert/strict";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { published_topics } from "../../src/verbs/exports.ts";
import { ConfigError, read_config } from "../../src/runtime/mod.ts";
import type { Shell } from "../../src/verbs/shell.ts";

/** What a configuration has a domain published in. */
const topics = (name: string, variables: Readonly<Record<string, string>>): readonly string[] => {
  const config = read_config({ KAFKA_BROKERS: "127.0.0.1:9092", ...variables });
  return published_topics({ config, domain: DOMAINS.find((each) => each.name === name)! } as Shell);
};

Deno.test("topics of trips have the names that readers of a mobility hub know, those of others their domain's before them", () => {
  const all = { TACHO_PUBLISH: "all" };
  const trips = topics("trips", all);
  for (const entity of ["driver", "passenger", "vehicle_type", "h3"]) {
    for (const layer of ["enriched", "aggregated"]) {
      assert.ok(trips.includes(`${layer}.${entity}`), `${layer}.${entity}`);
    }
  }
  assert.deepEqual(topics("payments", all).slice(0, 2), ["payments.enriched.payer", "payments.aggregated.payer"]);
  const entities = ["ticker", "side", "venue"];
  assert.deepEqual(
    topics("trades", all),
    entities.flatMap((entity) => [`trades.enriched.${entity}`, `trades.aggregated.${entity}`]),
  );
  const every = DOMAINS.flatMap(({ name }) => topics(name, all));
  assert.equal(new Set(every).size, every.length, "no two domains write to one topic");
});

Deno.test("only what is named is published, of each domain its own; a name that there is not is refused, and so is a want of brokers", () => {
  const named = { TACHO_PUBLISH: "aggregated.driver, payments.enriched.payer" };
  assert.deepEqual(topics("trips", named), ["aggregated.driver"]);
  assert.deepEqual(topics("payments", named), ["payments.enriched.payer"]);
  assert.deepEqual(topics("trips", {}), []);
  assert.throws(
    () => topics("trips", { TACHO_PUBLISH: "aggregated.drivers" }),
    (error) =>
      error instanceof ConfigError &&
      /expected all, or some of enriched\.driver.*got "aggregated\.drivers"/.test(error.message),
  );
  const brokerless = read_config({ TACHO_PUBLISH: "all" });
  assert.throws(() => published_topics({ config: brokerless, domain: DOMAINS[0]! } as Shell), /needs KAFKA_BROKERS/);
});
