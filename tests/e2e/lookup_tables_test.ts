import assert from "node:assert/strict";
import { parquetWriteBuffer } from "hyparquet-writer";
import { open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { options_of, produce } from "../support/kafka_topic.ts";
import { run_tacho, run_verb, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

const encoder = new TextEncoder();
const TOKEN = "a token that is long enough";

tacho_test({
  name:
    "a table changes while its topic is consumed: trips have what it said when they came, again counts once, a broken file is remarked",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("tables", "UTC");
    const topic = deployment.TACHO_TOPICS;
    const options = options_of(deployment.KAFKA_BROKERS, topic);
    await produce(options, []);
    const folder = new GuardedFolder("tables");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const file = `${folder.path}/drivers`;
    const replace = (bytes: Uint8Array) => {
      Deno.writeFileSync(`${file}.new`, bytes);
      Deno.renameSync(`${file}.new`, file);
    };
    const kinds = (of: (driver: number) => string) =>
      encoder.encode(
        ["driver_id,vehicle_type", ...[1, 2, 3].map((driver) => `D${driver},${of(driver)}`), ""].join("\n"),
      );
    replace(
      new Uint8Array(parquetWriteBuffer({
        columnData: [{ name: "driver_id", data: ["D1", "D2"] }, { name: "vehicle_type", data: ["van", "bus"] }],
      })),
    );
    const mappings = `${topic}=mobility_hub`;
    const program_of = (changes: Record<string, string> = {}): Promise<ServingProgram> =>
      TachoProgram.serve("start", {
        env: {
          ...deployment,
          TACHO_MAPPINGS: mappings,
          TACHO_LOOKUPS: `drivers=${file}`,
          TACHO_TOKEN: TOKEN,
          TACHO_MAX_MESSAGE_BYTES: "1000",
          ...changes,
        },
      });
    const ride = (id: string, changes: Record<string, unknown> = {}) => ({
      id,
      driver_id: "D1",
      passenger_id: "P1",
      start_location_id: "7",
      start_time: new Date(Date.now() - 3_600_000).toISOString(),
      duration_min: 10,
      distance_km: 2,
      price: 5,
      ...changes,
    });
    const producer = await open_kafka_producer(options);
    let sent = 0;
    const send = async (...rides: readonly Record<string, unknown>[]) => {
      sent += rides.length;
      await producer.send(
        topic,
        rides.map((each) => ({ key: encoder.encode("k"), value: encoder.encode(JSON.stringify(each)) })),
      );
    };
    await using program = await program_of();
    const headers = { authorization: `Bearer ${TOKEN}` };
    const text_of = (path: string) => fetch(`${program.url}${path}`, { headers }).then((answer) => answer.text());
    const metric = async (name: string) =>
      Number(new RegExp(`^${name} (\\d+)$`, "m").exec(await text_of("metrics"))?.[1]);
    const metric_is = (name: string, value: number) =>
      program.brings(until(`${name} is ${value}`, async () => await metric(name) === value));
    // Two events a message, but one for a message in quarantine.
    let quarantined = 0;
    const all_are_read = () => metric_is("tacho_messages_read_total", 2 * sent - quarantined);
    const kind_of = async (id: string) =>
      (JSON.parse(await text_of(`api/v1/trips/${id}`)) as { vehicle_type: string | null }).vehicle_type;

    const first = ride("T1");
    await send(first);
    await all_are_read();
    assert.equal(await kind_of("T1"), "van");

    replace(kinds(() => "suv"));
    await metric_is("tacho_table_reloads_total", 1);
    await send(first, ride("T2"), ride("LARGE", { note: "x".repeat(1_000) }));
    quarantined = 1;
    await all_are_read();
    assert.deepEqual([await kind_of("T1"), await kind_of("T2")], ["van", "suv"]);
    assert.deepEqual(
      [await metric("tacho_messages_duplicate_total"), await metric("tacho_messages_quarantined_total")],
      [2, 1],
    );

    Deno.removeSync(file);
    Deno.mkdirSync(file);
    await metric_is("tacho_stale_tables", 1);
    const ready = await fetch(`${program.url}readyz`, { headers });
    assert.equal(ready.status, 200);
    assert.match(
      (await ready.json()).remarks.join(),
      /^the table drivers stays as it was since .*: open ".*": expected a file/,
    );
    await send(ride("T3"));
    await all_are_read();
    assert.equal(await kind_of("T3"), "suv");
    Deno.removeSync(file);

    const ids: string[] = [];
    for (let i = 0; i < 100; i++) {
      replace(kinds((driver) => `${driver}-${i}`));
      const driver = 1 + i % 3;
      ids.push(`R${i}`);
      await send(ride(`R${i}`, { driver_id: `D${driver}` }));
    }
    await all_are_read();
    await metric_is("tacho_stale_tables", 0);
    const { trips } = await get_json_as(`${program.url}api/v1/trips?limit=200`, headers) as {
      trips: { trip_id: string; vehicle_type: string | null }[];
    };
    const rides = trips.filter(({ trip_id }) => ids.includes(trip_id));
    assert.equal(rides.length, 100);
    for (const { trip_id, vehicle_type } of rides) {
      const driver = 1 + Number(trip_id.slice(1)) % 3;
      assert.ok(vehicle_type === "suv" || vehicle_type?.startsWith(`${driver}-`), `${trip_id}: ${vehicle_type}`);
    }
    assert.match(program.stderr, /info {2}read a changed table table=drivers .* rows=3/);

    // One that was written before may be read only now.
    replace(kinds(() => "tram"));
    let posts = 0;
    await program.brings(until_holds("what is posted has what the newest one says", async () => {
      const id = `P${++posts}`;
      const posted = await fetch(`${program.url}api/v1/events?mapping=mobility_hub`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify(ride(id)),
      });
      assert.deepEqual((await posted.json()).results.map(({ status }: { status: string }) => status), ["admitted"]);
      assert.equal(await kind_of(id), "tram");
    }));
    await run_verb(["quarantine", "retry", "--all"], {
      env: { ...deployment, TACHO_MAPPINGS: mappings, TACHO_LOOKUPS: `drivers=${file}` },
    });
    assert.equal(await kind_of("LARGE"), "tram");
    assert.equal(await program.term(), 0);
    await producer.close();

    const lacking = await run_tacho(["serve"], {
      env: { ...deployment, TACHO_MAPPINGS: mappings, TACHO_LOOKUPS: `drivers=${file}.absent` },
    });
    assert.equal(lacking.code, 2);
    assert.match(lacking.stderr, /TACHO_LOOKUPS: drivers=.*absent: open ".*absent": No such file/);
    await run_verb(["verify"], { env: deployment });
  },
});

async function get_json_as(url: string, headers: Record<string, string>): Promise<unknown> {
  const answer = await fetch(url, { headers });
  assert.equal(answer.status, 200);
  return await answer.json();
}
