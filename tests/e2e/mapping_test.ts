import assert from "node:assert/strict";
import { parquetWriteBuffer } from "hyparquet-writer";
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

  const args = ["mapping", "check", "--sample", sample, "--lookup", `drivers=${drivers}`];
  const told = await run_verb([...args, "--most-refused", "70%"], { env: {} });
  const [first, second, third, ...none] = lines_of(told.stdout);
  assert.deepEqual(none, []);
  assert.deepEqual([first.row, first.events.length, first.events[0].vehicle_type], [1, 2, "Van"]);
  assert.deepEqual([second.row, second.fault.field, second.fault.value], [2, "price", "-1"]);
  assert.match(second.fault.expected, /^an amount from 0 to 1e12/);
  assert.match(third.fault.expected, /^8 values as in the header, got 2/);
  assert.match(told.stderr, /these are records of the built-in mapping mobility_hub/);
  assert.match(
    told.stderr,
    /mobility_hub: 3 rows, 1 mapped \(1 trip\.started, 1 trip\.completed\), 2 faulty: 1 negative price, −1\.00; 1 malformed_csv/,
  );
  const failed = await run_tacho(args, { env: {} });
  assert.deepEqual([failed.code, failed.stdout], [1, told.stdout]);
  assert.match(failed.stderr, /\ntacho: mapping check: .*: 66\.67 % were refused.*\n$/);

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

Deno.test("mapping check: reads what replay reads, and says what is odd about a sample as a whole", async () => {
  const folder = new GuardedFolder("mapping");
  await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
  const file = (name: string, content: string | Uint8Array) => {
    const path = `${folder.path}/${name}`;
    Deno.writeFileSync(path, typeof content === "string" ? encoder.encode(content) : content);
    return path;
  };
  const check = async (sample: string, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await run_tacho(["mapping", "check", ...args, "--sample", sample], { env: {} });
    return { code, rows: stdout === "" ? [] : lines_of(stdout), stderr };
  };
  const own = file(
    "own.json",
    JSON.stringify({
      name: "own",
      zone: "Europe/Berlin",
      lookups: { drivers: { key: "driver" } },
      blank: ["NA"],
      skip: { field: "kind", is: ["test"] },
      trip_id: "id",
      events: [{
        type: "trip.completed",
        at: [{ from: "at", format: "epoch_s" }, "begun"],
        data: { fare: { from: "fare", as: "money" }, tip: "tip", city: "town", Fare: "fare" },
        keep_rest: "source",
      }],
    }),
  );
  const column = (name: string, data: string[]) => ({ name, data, type: "STRING" as const });
  const columns = { id: ["a", "b", "c"], at: ["1000", "1000", "x"], fare: ["1,5", "2,25", "3"], tip: ["", "na", ""] };
  const extra = { "\x1b[2J": ["1", "2", "3"], kind: ["", "", "test"] };
  const parquet = parquetWriteBuffer({
    columnData: Object.entries({ ...columns, ...extra }).map(([name, data]) => column(name, data)),
  });
  const odd = await check(file("a.parquet", new Uint8Array(parquet)), own, "--decimal", "comma");
  assert.equal(odd.code, 0, odd.stderr);
  assert.deepEqual(odd.rows.map(({ events }) => events?.[0].fare), ["1.500000", "2.250000", undefined]);
  assert.deepEqual(odd.rows[2], { row: 3, skipped: true });
  assert.deepEqual(odd.stderr.trimEnd().split("\n"), [
    "warning: times without a zone are read as Europe/Berlin, while days and the page are in UTC (TACHO_TIME_ZONE)",
    "warning: the table drivers is not given (--lookup drivers=FILE, by driver): what it tells is unknown",
    "warning: all 2 times of trip.completed are the same, 1970-01-01T00:16:40.000000Z",
    "warning: 2 of 2 times of trip.completed lie before 1990, such as 1970-01-01T00:16:40.000000Z: " +
    "most likely another unit or format",
    "warning: every value is blank of tip",
    "not read, kept as source: \\u{1b}[2J",
    "kept in the log, but no field of the event: trip.completed Fare",
    "unknown in all rows: trip.completed tip, trip.completed city",
    "own: 3 rows, 2 mapped (2 trip.completed), 1 skipped, 0 faulty",
  ]);

  const event = { event_id: "e", trip_id: "t", type: "trip.completed", occurred_at: "2024-01-01T00:00:00Z", fare: 1 };
  // What JSON has and the log cannot hold is told, and the rows behind it still come.
  const hostile = file(
    "hostile.ndjson",
    ["1e400", '{"a":"\\u0000"}', '"5\\ud800"', "[".repeat(70) + "]".repeat(70), "5"].map((fare) =>
      JSON.stringify({ ...event, fare: "@" }).replace('"@"', fare)
    ).join("\n"),
  );
  const told = await check(hostile);
  assert.deepEqual(told.rows.map(({ fault }) => fault === undefined ? null : [fault.field, fault.value]), [
    [null, null],
    ["fare", '{"a":"\\u0000"}'],
    ["fare", '"5\\ud800"'],
    ["fare", `${"[".repeat(57)}…`],
    null,
  ]);
  assert.match(told.rows[0].fault.expected, /got 1e400 in "fare"$/);
  const late = { ...event, occurred_at: "2200-01-01T00:00:00Z" };
  const events = await check(file("events.json", JSON.stringify([event, late, { ...event, fare: -2.5 }])));
  assert.equal(events.code, 1);
  assert.deepEqual(events.rows.map(({ fault }) => fault?.reason), [undefined, "time_in_future", "invalid_field"]);
  assert.match(events.stderr, /these are trip events\nwarning: 1 records lie in the future/);
  assert.match(events.stderr, /trip_event: 3 rows, 1 mapped \(1 trip\.completed\), 2 faulty: .*negative fare, −2\.50/);

  const { type: _type, ...untyped } = event;
  const refused = await check(file("untyped.ndjson", JSON.stringify(untyped)));
  assert.deepEqual([refused.code, refused.rows], [2, []]);
  assert.match(
    refused.stderr,
    /look like trip events, but lack type: expected event_id, trip_id, type, occurred_at in/,
  );
  const capitals = await check(
    file("capitals.csv", "Event_ID,TripId,Type,occurred at\ne,t,trip.completed,2024-01-01T00:00:00Z\n"),
  );
  assert.deepEqual([capitals.code, capitals.rows], [2, []]);
  assert.match(
    capitals.stderr,
    /expected the names of events as they are spelled, event_id, trip_id, type, occurred_at; got Event_ID, TripId, Type, occurred at/,
  );
  const strange = await check(
    file("strange.csv", "driver_id,passenger_id,start_location_id,start_time,price\n1,2,3,4,5\n"),
  );
  assert.equal(strange.code, 2);
  assert.match(
    strange.stderr,
    /; nearest: mobility_hub, lacking duration_min and distance_km\n {2}`tacho mapping list`/,
  );
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

tacho_test({
  name:
    "what producers put around and beside their JSON: each CloudEvent is admitted, records are read by key, headers and through framings",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("shapes", "UTC");
    const topic = deployment.TACHO_TOPICS, framed = `${topic}.framed`, connect = `${topic}.connect`;
    const options = options_of(deployment.KAFKA_BROKERS, topic);
    const headers_of = (texts: Record<string, string>) =>
      Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, encoder.encode(text)]));
    const time = new Date(Date.now() - 3_600_000).toISOString();
    const data = { fare: "1.00" };
    const cloud = (trip: string | null, changes: Record<string, unknown> = { data }) =>
      JSON.stringify({
        specversion: "1.0",
        id: trip ?? "-",
        source: "/s",
        type: "trip.completed",
        time,
        subject: trip,
        ...changes,
      });
    const binary = (trip: string, changes: Record<string, string> = {}) =>
      headers_of({
        ce_specversion: "1.0",
        ce_id: trip,
        ce_source: "/s",
        ce_type: "trip.completed",
        ce_time: time,
        ...changes,
      });
    const spelled = (headers: Record<string, Uint8Array>, spell: (name: string) => string) =>
      Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [spell(name), bytes]));
    const in_base64 = { datacontenttype: "application/json", data_base64: btoa(JSON.stringify(data)) };
    const json = JSON.stringify(data);
    const messages: readonly (readonly [
      key: string | null,
      value: string | Uint8Array | null,
      headers?: Record<string, Uint8Array>,
    ])[] = [
      ["CE-KEY", json, binary("CE-KEY")],
      ["CE-EMPTY", json, binary("CE-EMPTY", { ce_subject: "" })],
      ["x", json, binary("CE-PK", { ce_partitionkey: "CE-PK" })],
      [
        "x",
        json,
        binary("CE-1", { ce_subject: "CE-1", "content-type": "application/json;charset=utf-8", ce_tenant: "t" }),
      ],
      ["x", json, spelled(binary("CE-2", { ce_subject: "CE-2" }), (name) => name.toUpperCase())],
      ["x", json, spelled(binary("CE-3", { ce_subject: "CE-3" }), (name) => name.replace("ce_", "ce-"))],
      [null, JSON.stringify(json), binary("CE-4", { ce_subject: "CE-4" })],
      ["CE-5", "", binary("CE-5", { ce_type: "trip.canceled" })],
      ["CE-6", null, binary("CE-6", { ce_type: "trip.canceled" })],
      ["x", `\ufeff${cloud("CE-7")}`, headers_of({ "content-type": "application/cloudevents+json; charset=UTF-8" })],
      ["x", cloud("CE-8"), binary("copy", { "content-type": "application/cloudevents+json" })],
      ["x", cloud("CE-9", in_base64)],
      ["x", cloud("CE-10", { data: json })],
      ["CE-11", cloud(null)],
      ["x", cloud(null, { data, partitionkey: "CE-12" })],
    ];
    const refused: typeof messages = [
      ["x", `[${cloud("NO-1")}]`, headers_of({ "content-type": "application/cloudevents-batch+json" })],
      ["x", Uint8Array.from([0, 0, 0, 0, 7, ...encoder.encode(cloud("NO-2"))])],
      ["x", Uint8Array.from([0, 0, 0, 0, 7, 2, 9])],
      ["x", JSON.stringify({ schema: {}, payload: data })],
    ];
    const record = (cents: number) => JSON.stringify({ done: time, cents });
    const registry = [0, 0, 0, 0, 7];
    const framed_messages: typeof messages = [
      ['{"trip":"R-1"}', Uint8Array.from([...registry, ...encoder.encode(record(150))]), headers_of({ town: "Köln" })],
      ['{"trip":"R-2"}', record(250)],
      ['{"trip":"R-3"}', null],
      ['{"trip":"R-4"}', Uint8Array.from([...registry, 2, 9])],
    ];
    const connect_messages: typeof messages = [
      ["C-1", JSON.stringify({ schema: { type: "struct" }, payload: { done: time, cents: 350 } })],
      ["C-2", JSON.stringify({ schema: null, payload: null })],
    ];
    const folder = new GuardedFolder("framings");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const mapping_file = (name: string, framing: string, trip_id: string) => {
      const data = { fare: { from: "cents", as: "money", per: 100 }, city: "$header.town" };
      const events = [{ type: "trip.completed", at: "done", data }];
      Deno.writeTextFileSync(`${folder.path}/${name}.json`, JSON.stringify({ name, framing, trip_id, events }));
      return `${folder.path}/${name}.json`;
    };
    const mappings = [
      `${framed}=${mapping_file("framed", "schema_registry", "$key.trip")}`,
      `${connect}=${mapping_file("connect", "connect", "$key")}`,
    ];
    const producer = await open_kafka_producer(options);
    for (
      const [name, list] of [[topic, [...messages, ...refused]], [framed, framed_messages], [
        connect,
        connect_messages,
      ]] as const
    ) {
      await produce({ ...options, topics: [name] }, []);
      await producer.send(
        name,
        list.map(([key, value, headers = {}]) => ({
          key: key === null ? null : encoder.encode(key),
          value: typeof value === "string" ? encoder.encode(value) : value,
          headers,
        })),
      );
    }
    await producer.close();
    await using program = await TachoProgram.serve("start", {
      env: { ...deployment, TACHO_TOPICS: [topic, framed, connect].join(","), TACHO_MAPPINGS: mappings.join(",") },
    });
    const metrics = () => fetch(`${program.url}metrics`).then((response) => response.text());
    const all = messages.length + refused.length + framed_messages.length + connect_messages.length;
    await program.brings(
      until("all are read", () => metrics().then((text) => text.includes(`tacho_messages_read_total ${all}\n`))),
    );
    const { trips } = await get_json(`${program.url}api/v1/trips?limit=50`) as {
      trips: { trip_id: string; fare: string | null; city: string | null }[];
    };
    assert.deepEqual(
      trips.map(({ trip_id, fare, city }) => [trip_id, fare, city]).filter(([id]) => !String(id).startsWith("CE"))
        .sort(),
      [["C-1", "3.50", null], ["R-1", "1.50", "Köln"], ["R-2", "2.50", null]],
    );
    const wanted = ["CE-KEY", "CE-EMPTY", "CE-PK", ...Array.from({ length: 12 }, (_, i) => `CE-${i + 1}`)];
    assert.deepEqual(trips.map(({ trip_id }) => trip_id).filter((id) => id.startsWith("CE")).sort(), wanted.sort());
    assert.match(await metrics(), /tacho_messages_tombstone_total 2\n/);
    assert.equal(await program.term(), 0);
    const held = await run_verb(["quarantine"], { env: deployment });
    assert.deepEqual(
      lines_of(held.stdout).map(({ reason, detail }) => [reason, /"framing": "[a-z_]+"|batch|Avro/.exec(detail)?.[0]])
        .sort(),
      [
        ["unsupported_content", "batch"],
        ["unsupported_framing", '"framing": "connect"'],
        ["unsupported_framing", '"framing": "schema_registry"'],
        ["unsupported_framing", "Avro"],
        ["unsupported_framing", "Avro"],
      ],
    );
    // What was held for its framing is read by a mapping that was given since, with its key as it came.
    const data_of_event = { fare: "data.fare", city: "$key" };
    const late = { name: "late", framing: "schema_registry", trip_id: "subject" };
    const events = [{ type: "trip.completed", at: "time", data: data_of_event }];
    Deno.writeTextFileSync(`${folder.path}/late.json`, JSON.stringify({ ...late, events }));
    const env = { ...deployment, TACHO_MAPPINGS: `${topic}=${folder.path}/late.json` };
    const retried = await run_verb(["quarantine", "retry", "--topic", topic], { env });
    assert.match(retried.stdout, /^retried 4 messages: 1 admitted, 0 duplicates, 3 still held/);
  },
});
