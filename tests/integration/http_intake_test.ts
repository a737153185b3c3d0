import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database } from "../../src/database/mod.ts";
import { open_session } from "../../src/http/auth.ts";
import { DirectIntake } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_retry, RAISED } from "../support/held_messages.ts";
import { refused_connection, start_ingest, WatchedDatabase } from "../support/ingest_harness.ts";
import { type Answer, make_intake_side, NOON_MS, TOKEN } from "../support/intake_side.ts";
import { MemorySource } from "../support/memory_source.ts";
import { compare_with_database, oracle, type SourceMessage } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { silent } from "../support/read_side.ts";
import { trip_event } from "../support/random_trips.ts";
import { whole_trip } from "../support/trip_events.ts";
import { builtin, mapping_with } from "../support/trip_mapping.ts";
import { feed, LIMITS, message, migrated, TERMS, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";
import { batch_of, verified } from "../support/verified_log.ts";

/** A test with a database of its own, on as many connections as two programs would have. */
function intake_test(name: string, fn: (database: Database, other: Database) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const [database, other] = [4, 2].map((connections) => open_database({ url, data_dir: null, connections }));
      try {
        await fn(await database!, await other!);
      } finally {
        await (await database!).close();
        await (await other!).close();
      }
    },
  });
}

const NDJSON = { "content-type": "application/x-ndjson" };
const encoder = new TextEncoder();

const cloud_event = (subject: string, id: string, data: Record<string, unknown> = {}) => ({
  specversion: "1.0",
  id,
  source: "/fleet",
  subject,
  type: "trip.started",
  time: "2026-03-01T10:20:00Z",
  data,
});

// deno-lint-ignore no-explicit-any -- answers are JSON
const results = (answer: Answer): any[] => {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.results;
};
const statuses = (answer: Answer): string[] => results(answer).map(({ status }) => status);

/** A message as it was posted, at the place that the answer names. */
const posted = (offset: number, value: unknown, headers: Record<string, string> = {}): SourceMessage => ({
  ...message(offset, value, NOON_MS),
  topic: "http",
  partition: 0,
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, encoder.encode(text)])),
});

async function assert_holds(database: Database, messages: readonly SourceMessage[]): Promise<void> {
  const expected = oracle(messages, { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS });
  assert.deepEqual(await compare_with_database((sql) => database.query(sql), expected), []);
  assert.deepEqual((await verified(database)).faults, []);
}

const batches = async (database: Database): Promise<number> =>
  Number((await database.query("select count(*) as count from batches"))[0]!.count);

intake_test(
  "ids that are whole numbers beyond a double are three trips with their digits, as lines and as members",
  async (database) => {
    const { post } = await make_intake_side(database);
    const text = (last: number) =>
      `{"event_id":179529266834846105${last},"trip_id":179529266834846110${last},"driver_id":179529266834846120${last},"type":"trip.completed","occurred_at":"2026-03-01T10:00:00Z","fare":5}`;
    const texts = [0, 1, 2].map(text);
    assert.deepEqual(statuses(await post(texts.join("\n"), NDJSON)), ["admitted", "admitted", "admitted"]);
    assert.deepEqual(statuses(await post(`[${texts.join(",")}]`)), ["duplicate", "duplicate", "duplicate"]);
    const trips = await database.query("select trip_id, driver_id from trips order by trip_id");
    assert.deepEqual(
      trips.map(({ trip_id, driver_id }) => [trip_id, driver_id]),
      [0, 1, 2].map((last) => [`179529266834846110${last}`, `179529266834846120${last}`]),
    );
    await assert_holds(database, [...texts, ...texts].map((each, offset) => posted(offset, each)));
  },
);

intake_test("each kind of body is taken, member by member as it stood there", async (database) => {
  const { post, told } = await make_intake_side(database);
  const [requested, started, completed] = whole_trip("A", { city: "Zürich" });
  const structured = cloud_event("B", "1", { fare: "7.50" });
  // A number that no double holds, marks within strings, white space: what is logged is what was sent.
  const exact = JSON.stringify(cloud_event("C", "2")).replace(
    '"data":{}',
    '"data":{"odometer":12345678901234567890.5}',
  );
  const tricky = { ...whole_trip("D]}")[0], note: '[{"\\",' };
  const attributes = { "ce-specversion": "1.0", "ce-id": "3", "ce-source": "/fleet", "ce-type": "trip.started" };
  const binary = { ...attributes, "ce-time": "2026-03-01T10:20:00Z", "ce-subject": '"E\\\\%20%C3%A9"' };
  const answers = [
    await post(requested),
    await post(` [ ${JSON.stringify(started)} ,\n${exact},${JSON.stringify(tricky)} ] `, {
      "content-type": "Application/JSON; charset=UTF-8",
    }),
    await post(`${JSON.stringify(completed)}\r\n\n ${JSON.stringify(cloud_event("F", "4"))}`, NDJSON),
    await post(structured, { ...binary, "ce-id": "a copy", "content-type": "application/cloudevents+json" }),
    await post([cloud_event("B", "5")], { "content-type": "application/cloudevents-batch+json" }),
    await post({ fare: "3.25" }, binary),
    await post("", { ...binary, "ce-id": "6" }),
    await post([]),
  ];
  assert.deepEqual(answers.map((answer) => statuses(answer).length), [1, 3, 2, 1, 1, 1, 1, 0]);
  assert.deepEqual(
    answers.flatMap(results),
    Array.from({ length: 10 }, (_, i) => (
      { status: "admitted", offset: i, positions: [i + 1] }
    )),
  );
  // Asked for as text: what compares with the oracle reads numbers as doubles.
  const [logged] = await database.query("select data->>'odometer' as odometer from events where position = 3");
  assert.equal(logged?.odometer, "12345678901234567890.5");
  assert.deepEqual([told(), await batches(database)], [7, 7], "a request is a batch; none without messages");
  const kafka_named = (id: string) => ({
    ce_specversion: "1.0",
    ce_id: id,
    ce_source: "/fleet",
    ce_type: "trip.started",
    ce_time: "2026-03-01T10:20:00Z",
    ce_subject: "E\\ é",
  });
  await assert_holds(database, [
    ...[requested, started, exact, tricky, completed, cloud_event("F", "4"), structured, cloud_event("B", "5")].map(
      (value, offset) => posted(offset, value),
    ),
    posted(8, { fare: "3.25" }, kafka_named("3")),
    { ...posted(9, null, kafka_named("6")), value: null },
  ]);
});

intake_test(
  "sent again all is recognised; what is faulty is quarantined and says where, beside what is not",
  async (database) => {
    const { post } = await make_intake_side(database);
    const trip = whole_trip("A");
    assert.deepEqual(statuses(await post(trip)), ["admitted", "admitted", "admitted"]);
    assert.deepEqual(
      results(await post(trip)).map(({ status, offset, positions }) => [status, offset, positions]),
      [["duplicate", 3, [1]], ["duplicate", 4, [2]], ["duplicate", 5, [3]]],
    );
    const [fresh] = whole_trip("B");
    const conflict = { ...trip[0], city: "elsewhere" };
    const future = { ...fresh, event_id: "f", occurred_at: "2026-03-01T13:00:01Z" };
    const lines = [fresh, fresh, conflict, future].map((event) => JSON.stringify(event));
    const mixed = await post(encoder.encode(`${lines.join("\n")}\nno JSON\n5\n\xff`), NDJSON);
    assert.deepEqual(results(mixed).map(({ status, positions, reason, path }) => [status, positions, reason, path]), [
      ["admitted", [4], undefined, undefined],
      ["duplicate", [4], undefined, undefined],
      ["quarantined", [], "identity_conflict", "event_id"],
      ["quarantined", [], "time_in_future", "time"],
      ["quarantined", [], "malformed_json", null],
      ["quarantined", [], "not_an_object", null],
      ["quarantined", [], "malformed_json", null],
    ]);
    assert.match(results(mixed)[3].detail, /expected a time at most 60 min after/);
    const rows = await database.query(
      "select topic, partition, message_offset::int as at, reason from quarantine order by message_offset",
    );
    assert.deepEqual(rows.map((row) => Object.values(row)), [
      ["http", 0, 8, "identity_conflict"],
      ["http", 0, 9, "time_in_future"],
      ["http", 0, 10, "malformed_json"],
      ["http", 0, 11, "not_an_object"],
      ["http", 0, 12, "malformed_json"],
    ]);
    const values = [...trip, ...trip, fresh, fresh, conflict, future, "no JSON", "5", "ÿ"];
    await assert_holds(database, values.map((value, offset) => posted(offset, value)));
  },
);

intake_test(
  "the positions of a result are those of its events in the log, also of what was repeated in one post",
  async (database) => {
    const { post } = await make_intake_side(database);
    const starts = fc.sample(fc.array(trip_event, { minLength: 20, maxLength: 40 }), { numRuns: 6, seed: 11 });
    const known = new Map<string, number>();
    let repeated = 0;
    for (const drawn of starts) {
      // Before the time of reading: none is refused as one of the future.
      const sent = drawn.map((event) => ({ ...event, occurred_at: event.occurred_at.replace("2026-03", "2026-02") }));
      // Each event twice at some distance, so that the later one of a post is answered by the earlier one's place.
      const body = sent.flatMap((event, i) => i % 3 === 0 ? [event, sent[i >> 1]!] : [event]);
      const answers = results(await post(body));
      const logged = new Map(
        (await database.query("select stream_id, event_id, position from events")).map((
          { stream_id, event_id, position },
        ) => [`${stream_id} ${event_id}`, Number(position)]),
      );
      const before = new Map(known);
      for (const [i, { status, positions }] of answers.entries()) {
        const id = `${body[i]!.trip_id} ${body[i]!.event_id}`;
        if (status === "quarantined") {
          assert.deepEqual(positions, []);
          continue;
        }
        assert.deepEqual(positions, [logged.get(id)], `${status} ${id}`);
        assert.equal(status, known.has(id) ? "duplicate" : "admitted", id);
        if (status === "duplicate" && !before.has(id)) repeated++;
        known.set(id, Number(positions[0]));
      }
    }
    assert.ok(repeated > 20, `${repeated} were repeated within one post`);
    // A record that a mapping makes two events of names both, in the order of the mapping, and again when it is repeated.
    const ride = (id: string) => ({
      trip_id: id,
      driver_id: "D104",
      city: "Chicago",
      distance_km: 12.4,
      duration_min: 31,
      fare_usd: 18.6,
      vehicle_type: "SUV",
      timestamp: "2026-03-01T10:30:45.123456",
    });
    const rides = results(
      await post([ride("1f0c2a9b"), ride("2f0c2a9b"), ride("1f0c2a9b")], {}, "?mapping=ride_sharing"),
    );
    const [first, second, again] = rides.map(({ positions }) => positions);
    assert.equal(first.length, 2);
    assert.deepEqual(second, [first[1] + 1, first[1] + 2]);
    assert.deepEqual([rides[2].status, again], ["duplicate", first]);
    const last = await database.query("select type from events where position = any($1::bigint[]) order by position", [
      `{${first.join(",")}}`,
    ]);
    assert.deepEqual(last.map(({ type }) => type), ["trip.started", "trip.completed"]);
  },
);

intake_test("records go through a mapping, under a topic by which a retry finds it", async (database) => {
  const { post } = await make_intake_side(database);
  const row = {
    trip_id: "T1",
    pickup_location_id: "7",
    dropoff_location_id: "9",
    vendor_id: "2",
    pickup_datetime: "2026-03-01 10:00:00",
    estimated_dropoff_datetime: "2026-03-01 10:30:00",
    estimated_fare_amount: "12.5",
  };
  const early = { ...row, trip_id: "T2", pickup_datetime: "2026-03-01 14:00:00" };
  const sent = [row, row, early, { ...row, pickup_datetime: "noon" }];
  const answer = await post(sent, {}, "?mapping=trip_start");
  assert.equal(answer.body.topic, "http:trip_start");
  assert.deepEqual(results(answer).map(({ status, offset, path }) => [status, offset, path]), [
    ["admitted", 0, undefined],
    ["duplicate", 1, undefined],
    ["quarantined", 2, "pickup_datetime"],
    ["quarantined", 3, "pickup_datetime"],
  ]);
  const mappings = new Map([["http:trip_start", builtin("trip_start")]]);
  const retry = await make_retry(database, RAISED, {}, mappings);
  await retry.run(new AbortController().signal);
  assert.deepEqual([retry.counts.admitted, [...retry.counts.held.values()]], [1, [1]]);
  assert.deepEqual((await verified(database)).faults, []);

  const with_nan = `[${JSON.stringify({ ...row, trip_id: "N" }).replace('"12.5"', "NaN")}]`;
  assert.deepEqual(results(await post(with_nan, {}, "?mapping=trip_start")).map(({ status }) => status), ["admitted"]);
  assert.equal((await post(with_nan)).status, 400, "an event with it is no JSON");
  assert.equal((await post(with_nan.replace("NaN", "NaNs"), {}, "?mapping=trip_start")).status, 400);
  const unknown = await post(row, {}, "?mapping=nobody");
  assert.deepEqual([unknown.status, unknown.body.errors[0].path], [400, "mapping"]);
  assert.equal(
    (await post(row, { "content-type": "application/cloudevents+json" }, "?mapping=trip_start")).status,
    415,
  );
});

intake_test(
  "twenty requests at once beside ingest of the same trips: each event is there once",
  async (database, other) => {
    const { post } = await make_intake_side(database);
    const second = await make_intake_side(other);
    const trips = Array.from({ length: 4 }, (_, i) => whole_trip(`T-${i}`, { fare: `${10 + i}.50` }));
    const by_kafka = trips.map(([requested, started]) => [requested, started]).flat();
    const source = new MemorySource("trips", [by_kafka.map((event, offset) => message(offset, event))]);
    const running = start_ingest(other, source, { batch_messages: 2 });
    // Each completion is posted by all, two instances among them; each adjustment by one.
    const requests = Array.from({ length: 20 }, (_, i) =>
      trips.flatMap((trip, t) => [
        trip[2]!,
        {
          ...trip[2],
          event_id: `adjusted-${i}`,
          type: "trip.fare_adjusted",
          fare: `${i}.25`,
          occurred_at: `2026-03-01T11:${10 + i}:0${t % 10}Z`,
        },
      ]));
    // On a busy machine ingest may be faster every time: then a request has to be sent again.
    const send = async (side: Pick<typeof second, "post">, request: unknown): Promise<Answer> => {
      const answer = await side.post(request);
      return answer.status === 503 ? await send(side, request) : answer;
    };
    const answers = await Promise.all(requests.map((request, i) => send(i % 5 === 0 ? second : { post }, request)));
    await running.caught_up();
    await running.stop();
    const taken = answers.flatMap((answer, i) =>
      results(answer).map(({ offset }, k) => posted(offset, requests[i]![k]))
    ).sort((a, b) => Number(a.offset) - Number(b.offset));
    assert.deepEqual(taken.map(({ offset }) => offset), taken.map((_, i) => i), "every offset is given once");
    await assert_holds(database, [
      ...by_kafka.map((event, offset) => ({ ...message(offset, event), topic: "trips", partition: 0 })),
      ...taken,
    ]);
  },
);

intake_test(
  "a trip that ingest changes between plan and append is planned anew, nobody is accused",
  async (database, other) => {
    const [requested, started] = whole_trip("A");
    let rivals = 0;
    const overtaken = new WatchedDatabase(database, async (place) => {
      if (place !== "begin" || rivals++ > 0) return;
      await feed(trip_pipeline(other), [batch_of([message(0, requested)], 0, 1)]);
    });
    const { post } = await make_intake_side(overtaken);
    assert.deepEqual(results(await post(started)), [{ status: "admitted", offset: 0, positions: [2] }]);
    assert.equal(rivals, 2);
  },
);

intake_test("only who gives the token as bearer may post; without a token nobody may", async (database) => {
  const { post } = await make_intake_side(database);
  const [event] = whole_trip("A");
  const cookie = `tacho_session=${open_session(TOKEN, NOON_MS)}`;
  for (const headers of [{ authorization: "" }, { authorization: `Bearer ${TOKEN}x` }, { authorization: "", cookie }]) {
    const refused = await post(event, headers);
    assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Bearer"]);
  }
  const open = await make_intake_side(database, { token: null });
  for (const headers of [{}, { cookie }]) {
    const refused = await open.post(event, headers);
    assert.equal(refused.status, 403);
    assert.match(refused.body.detail, /set TACHO_TOKEN/);
  }
  assert.equal(await batches(database), 0);
  assert.deepEqual(statuses(await post(event, { cookie })), ["admitted"]);
});

intake_test("what cannot be taken apart, is too much or of another type is refused whole", async (database) => {
  const { post } = await make_intake_side(database);
  const [event] = whole_trip("A");
  const json = JSON.stringify(event);
  const cases: [number, unknown, Record<string, string>][] = [
    [400, json.slice(1), {}],
    [400, "", {}],
    [400, new Uint8Array([34, 255, 34]), {}],
    [400, [event], { "content-type": "application/cloudevents+json" }],
    [400, event, { "content-type": "application/cloudevents-batch+json" }],
    [400, "{", { "ce-specversion": "1.0" }],
    [415, event, { "content-type": "text/plain" }],
    [415, event, { "content-type": "application/json; charset=latin1" }],
    [415, event, { "content-encoding": "gzip" }],
    [413, Array.from({ length: 1_001 }, () => event), {}],
    [413, `"${"x".repeat(1_048_575)}"`, {}],
  ];
  for (const [status, body, headers] of cases) {
    const refused = await post(body, headers);
    assert.deepEqual(
      [refused.status, refused.headers.get("content-type")],
      [status, "application/problem+json"],
      JSON.stringify([headers, refused.body.detail]),
    );
  }
  for (
    const [body, got] of [
      [`[${json},]`, /expected the body to be JSON in UTF-8, got \d+ bytes: Unexpected token '\]'/],
      [`${json}\n${json}`, /JSON at position \d+ \(line 2 column 1\)/],
      [json.slice(0, -1), /got \d+ bytes: Expected ',' or '}' after property value in JSON at position \d+/],
      ["", /got 0 bytes: Unexpected end of JSON input; nothing of it was taken$/],
      [
        Uint8Array.of(0x1f, 0x8b, 8, 0),
        /got bytes that are no UTF-8, beginning with 1f8b0800: the byte 0x8b in place 2 of 4, behind "\\u001f"; nothing/,
      ],
    ] as const
  ) {
    const { status, body: { detail } } = await post(body);
    assert.equal(status, 400);
    assert.match(detail, got);
  }
  assert.equal(await batches(database), 0);
  const most = await post(Array.from({ length: 1_000 }, () => event));
  assert.deepEqual([...new Set(statuses(most))], ["admitted", "duplicate"]);
});

intake_test("an outage and a full line are 503 and nothing is appended; then it goes on", async (database) => {
  let away = true, tried = 0;
  const held = Promise.withResolvers<void>();
  const flaky = new WatchedDatabase(database, async (place) => {
    if (!away || place !== "begin") return;
    tried++;
    await held.promise;
    throw refused_connection();
  });
  const { post } = await make_intake_side(flaky);
  const requests = Array.from({ length: 65 }, (_, i) => whole_trip(`T-${i}`)[0]);
  const answers = requests.map((event) => post(event));
  const full = await answers.at(-1)!;
  assert.deepEqual([full.status, full.headers.get("retry-after")], [503, "1"]);
  held.resolve();
  for (const answer of await Promise.all(answers.slice(0, -1))) {
    assert.deepEqual([answer.status, answer.body.title, answer.headers.get("retry-after")], [
      503,
      "Database away",
      "5",
    ]);
  }
  assert.deepEqual([await batches(database), tried], [0, 1], "who waits in the line meets the outage with the first");
  away = false;
  assert.deepEqual(statuses(await post(requests)), requests.map(() => "admitted"));
});

intake_test("what the database refuses for a reason nobody foresaw is quarantined alone", async (database) => {
  await database.script("alter table trips add constraint no_vouchers check (payment_method <> 'voucher')");
  const { post } = await make_intake_side(database);
  const events = Array.from(
    { length: 7 },
    (_, i) => whole_trip(`T-${i}`, i === 4 ? { payment_method: "voucher" } : {})[2],
  );
  const answer = await post(events);
  assert.deepEqual(statuses(answer), events.map((_, i) => i === 4 ? "quarantined" : "admitted"));
  assert.equal(results(answer)[4].reason, "sqlstate_23514");
  assert.deepEqual(results(answer).map(({ offset }) => offset), events.map((_, i) => i));
  assert.deepEqual((await verified(database)).faults, []);
});

intake_test("a program that ends refuses those who wait to try again", async (database) => {
  const stop = new AbortController();
  // Whoever appends next finds that another was faster: the cursor moves under it each time.
  const contested = new WatchedDatabase(database, async (place) => {
    if (place !== "begin") return;
    await database.execute(
      `insert into source_cursors (topic, partition, next_offset, cluster_id) values ('http', 0, 1, 'http')
       on conflict on constraint source_cursors_pkey do update set next_offset = source_cursors.next_offset + 1`,
    );
    attempts++;
  });
  let attempts = 0;
  const { post } = await make_intake_side(contested, { signal: stop.signal });
  const answer = post(whole_trip("A"));
  await until("it was tried more than once", () => attempts > 1);
  stop.abort(new Error("stopped by a signal"));
  const refused = await answer;
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.match(refused.body.detail, /closing/);
  assert.equal((await post(whole_trip("A"))).status, 503);
});

intake_test("a record that its mapping skips is answered as skipped, and counts as nothing else", async (database) => {
  const mapping = mapping_with({ fare: "fare" }, { skip: { field: "fare", below: 0 } });
  const { signal } = new AbortController();
  const direct = new DirectIntake({ clock: { now_ms: () => NOON_MS }, random: () => 0, logger: silent, signal }, {
    database,
    pipeline: trip_pipeline(database, undefined, LIMITS, new Map([["http:own", mapping]])),
    committed: () => {},
  });
  const { post } = await make_intake_side(database, { submit: (_, messages) => direct.submit("http:own", messages) });
  const record = { id: "T", at: "2026-03-01T10:00:00Z", fare: 5 };
  const answer = await post([{ ...record, fare: -5 }, record, record], {}, "?mapping=trip_start");
  assert.deepEqual(results(answer), [
    { status: "skipped", offset: 0, positions: [] },
    { status: "admitted", offset: 1, positions: [1] },
    { status: "duplicate", offset: 2, positions: [1] },
  ]);
  const [head] = await database.query("select messages_read::int as read, skipped::int, position::int from log_head");
  assert.deepEqual(head, { read: 3, skipped: 1, position: 1 });
});
