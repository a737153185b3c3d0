import assert from "node:assert/strict";
import { publication_of, topics_of } from "../../src/publish/mod.ts";
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

Deno.test("where places are told by H3 cell all is published anew once a rebuild has changed the settings; as long as none has, nothing is", () => {
  const signatures = (name: string, h3_resolution: number | null) => {
    const domain = DOMAINS.find((each) => each.name === name)!.make({ currency: "USD", h3_resolution });
    return [undefined, 0, 1, 2].map((resettled) => publication_of(domain, topics_of(domain, ""), resettled).signature);
  };
  const [as_ever, none, once, twice] = signatures("trips", 8);
  assert.equal(none, as_ever);
  assert.equal(as_ever!.includes("resettled"), false);
  assert.equal(new Set([none, once, twice]).size, 3);
  for (const name of ["payments", "trades"]) assert.equal(new Set(signatures(name, null)).size, 1);
});
