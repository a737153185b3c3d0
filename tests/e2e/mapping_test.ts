import assert from "node:assert/strict";
import { open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { options_of, produce } from "../support/kafka_topic.ts";
import { get_json, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { BUILTINS } from "../support/trip_mapping.ts";
import { until } from "../support/until.ts";

const encoder = new TextEncoder();
const lines_of = (text: string) => text.trim().split("\n").map((line) => JSON.parse(line));

Deno.test("mapping check: row by row what comes out and what would be quarantined, with a table; an invalid mapping with its faults", async () => {
  const folder = new GuardedFolder("mapping");
  await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
  const file = (name: string, text: string) => {
    Deno.writeTextFileSync(`${folder.path}/${name}`, text);
    return `${folder.path}/${name}`;
  };
  const hub = "driver_id,passenger_id,start_location_id,start_time,duration_min,distance_km,price,id";
  const rows = ["D1,P1,7,2024-01-01 08:00:00,12,3,15.5,a", "D2,P1,7,2024-01-01 08:00:00,12,3,-1,b", "D3,P1", ""];
  const sample = file("hub.csv", [hub, ...rows].join("\n"));
  const drivers = file("drivers.ndjson", '{"driver_id":"D1","vehicle_type":"Van"}\n');

  const told = await run_verb(["mapping", "check", "--sample", sample, "--lookup", `drivers=${drivers}`], { env: {} });
  const [first, second, third, ...none] = lines_of(told.stdout);
  assert.deepEqual(none, []);
  assert.deepEqual([first.row, first.events.length, first.events[0].vehicle_type], [1, 2, "Van"]);
  assert.deepEqual([second.row, second.fault.field, second.fault.value], [2, "price", "-1"]);
  assert.match(second.fault.expected, /^an amount from 0 to 1e12/);
  assert.match(third.fault.expected, /^8 values as in the header, got 2/);
  assert.match(told.stderr, /these are records of the built-in mapping mobility_hub/);
  assert.match(told.stderr, /mobility_hub: 3 rows, 1 mapped \(1 trip\.started, 1 trip\.completed\), 2 faulty/);

  const own = { ...JSON.parse(BUILTINS.find(({ name }) => name === "mobility_hub")!.json), name: "own", zone: "Mars" };
  const invalid = file("invalid.json", JSON.stringify({ ...own, trip_id: 5 }));
  const refused = await run_tacho(["mapping", "check", invalid, "--sample", sample], { env: {} });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /\n {2}zone: expected "business" or an IANA time zone.*\n {2}trip_id: expected a field/);
  const serve = await run_tacho(["serve"], {
    env: { TACHO_MAPPINGS: `trips=${invalid}`, KAFKA_BROKERS: "127.0.0.1:1" },
  });
  assert.equal(serve.code, 2);
  assert.match(serve.stderr, /TACHO_MAPPINGS: mapping .*invalid at\n {2}zone: /);
});

tacho_test({
  name:
    "a topic of whole trips is read through its mapping: colliding ids are all counted, the faulty one is set aside",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("rides", "America/Chicago");
    const topic = deployment.TACHO_TOPICS;
    const options = options_of(deployment.KAFKA_BROKERS, topic);
    const timestamp = new Date(Date.now() - 86_400_000).toISOString().slice(0, -1);
    const rides = [1, 2, 3, 3, -1].map((fare) => ({
      key: encoder.encode("1f0c2a9b"),
      value: encoder.encode(
        JSON.stringify({ trip_id: "1f0c2a9b", duration_min: 31, fare_usd: fare, city: "Chicago", timestamp }),
      ),
    }));
    await produce(options, []);
    const producer = await open_kafka_producer(options);
    await producer.send(topic, rides).finally(() => producer.close());
    await using program = await TachoProgram.serve("start", {
      env: { ...deployment, TACHO_MAPPINGS: `${topic}=ride_sharing` },
    });
    const metrics = () => fetch(`${program.url}metrics`).then((response) => response.text());
    await until("all are read", async () => /tacho_messages_read_total 9\n/.test(await metrics()));
    const { trips } = await get_json(`${program.url}api/v1/trips?limit=50`) as {
      trips: { city: string; fare: number }[];
    };
    assert.deepEqual(trips.map(({ city, fare }) => [city, Number(fare)]).sort(), [["Chicago", 1], ["Chicago", 2], [
      "Chicago",
      3,
    ]]);
    assert.match(await metrics(), /tacho_messages_quarantined_total 1\n/);
    assert.equal(await program.term(), 0);
  },
});
