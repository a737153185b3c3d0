import assert from "node:assert/strict";
import { ConfigError, read_config, SETTINGS } from "../../src/runtime/mod.ts";
import { of_domain } from "../../src/verbs/domains.ts";

const faults_of = (variables: Record<string, string>): readonly string[] => {
  try {
    read_config(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
};

Deno.test("how long cells are kept: off unless said, of each domain; minutes no longer than five minutes", () => {
  assert.deepEqual(read_config({}).keep_cells, {});
  const config = read_config({ TACHO_KEEP_CELLS: "1m:90d, 5m:365d", TACHO_TRADES_KEEP_CELLS: "off" });
  assert.deepEqual(config.keep_cells, { "1m": 90, "5m": 365 });
  assert.deepEqual(of_domain(config, "trades").config.keep_cells, {});
  assert.deepEqual(of_domain(config, "payments").config.keep_cells, { "1m": 90, "5m": 365 });
  assert.deepEqual(read_config({ TACHO_KEEP_CELLS: "1m:7d" }).keep_cells, { "1m": 7 });
  const wrong: readonly (readonly [text: string, fault: RegExp])[] = [
    ["1h:90d", /"1h:90d" is none of it: hours, days and all of time are kept for ever/],
    ["1m", /expected off, or 1m and 5m with days/],
    ["1m:90", /such as 1m:90d,5m:365d/],
    ["1m:-1d", /"1m:-1d" is none of it/],
    ["1m:1d,", /"" is none of it/],
    ["1m:0d", /expected 1 to 36500 days of 1m/],
    ["1m:99999d", /expected 1 to 36500 days of 1m/],
    ["1m:1d,1m:2d", /names 1m twice/],
    ["5m:30d", /1m to be kept no longer than 5m, which is for 30 days, not for ever/],
    ["1m:31d,5m:30d", /which is for 30 days, not for 31 days/],
  ];
  for (const variable of ["TACHO_KEEP_CELLS", "TACHO_TRADES_KEEP_CELLS"]) {
    for (const [text, fault] of wrong) {
      const [said = "", ...others] = faults_of({ [variable]: text });
      assert.match(said, fault);
      assert.ok(said.startsWith(`${variable}: `) && said.endsWith(`, got ${JSON.stringify(text)}`), said);
      assert.deepEqual(others, []);
    }
  }
});

Deno.test("nothing set: the embedded defaults; blank is absent", () => {
  const config = read_config({});
  const { database_url, kafka_brokers, host, port, topics, time_zone, currency, data_dir, token } = config;
  assert.deepEqual(
    { database_url, kafka_brokers, host, port, topics, time_zone, currency, data_dir, token },
    {
      database_url: null,
      kafka_brokers: null,
      host: "127.0.0.1",
      port: 8000,
      topics: ["trips"],
      time_zone: "UTC",
      currency: "USD",
      data_dir: ".tacho",
      token: null,
    },
  );
  assert.deepEqual([config.future_limit_minutes, config.max_message_bytes, config.kafka_tls], [60, 1_048_576, false]);
  const blank = Object.fromEntries(Object.values(SETTINGS).map(({ variable }) => [variable, "  "]));
  assert.deepEqual(read_config(blank), config);
});

Deno.test("what is set is read, trimmed and split", () => {
  const config = read_config({
    DATABASE_URL: "postgresql://u:p@h/db",
    KAFKA_BROKERS: " a:9092, [::1]:9093 ",
    TACHO_TOPICS: "trips,more.trips",
    PORT: " 0 ",
    TACHO_TIME_ZONE: "Asia/Kathmandu",
    TACHO_CURRENCY: "EUR",
    TACHO_KAFKA_TLS: "1",
    TACHO_RATE: "0.25",
    HOST: "0.0.0.0",
    TACHO_TOKEN: "0123456789abcdef",
    PATH: "/bin",
    TACHO_TEST_ANYTHING: "is the tests' own",
  });
  assert.equal(config.database_url, "postgresql://u:p@h/db");
  assert.deepEqual([config.kafka_brokers, config.topics], [["a:9092", "[::1]:9093"], ["trips", "more.trips"]]);
  assert.deepEqual([config.port, config.time_zone, config.currency], [0, "Asia/Kathmandu", "EUR"]);
  assert.deepEqual([config.kafka_tls, config.rate, config.host], [true, 0.25, "0.0.0.0"]);
});

Deno.test("all faults are told at once, each with its variable and what came; secrets are never quoted", () => {
  const secret = "hunter2";
  const wrong: Record<string, string> = {
    DATABASE_URL: `mysql://root:${secret}@h/db`,
    KAFKA_BROKERS: "host",
    PORT: "65536",
    TACHO_TOPICS: "trips,two words",
    TACHO_TIME_ZONE: "Mars/Olympus",
    TACHO_CURRENCY: "usd",
    TACHO_TOKEN: secret,
    TACHO_PARTITIONS: "0",
    TACHO_BATCH_MESSAGES: "1.5",
    TACHO_RATE: "fast",
    TACHO_KAFKA_TLS: "yes",
    TACHO_KAFKA_SASL: "gssapi",
    TACHO_LOG_LEVEL: "loud",
    TACHO_TIMEZONE: secret,
  };
  const faults = faults_of(wrong);
  assert.deepEqual(faults.map((fault) => fault.split(":")[0]).sort(), Object.keys(wrong).sort());
  const all = new ConfigError(faults).message;
  assert.ok(!all.includes(secret), all);
  assert.match(all, /^read configuration: 14 fault\(s\)\n {2}/);
  assert.match(all, /TACHO_TIME_ZONE: expected an IANA time zone such as Europe\/Berlin, got "Mars\/Olympus"/);
  assert.match(all, /DATABASE_URL: expected postgres:\/\/…/);
  assert.match(all, /TACHO_TOKEN: expected at least 16 characters/);
  assert.match(all, /PORT: .*65535.*, got "65536"/);
});

Deno.test("an unknown TACHO_ name is a fault that lists the known ones: a typing error must not pass for a setting", () => {
  const [fault, ...others] = faults_of({ TACHO_TIMEZONE: "Europe/Berlin" });
  assert.deepEqual(others, []);
  assert.match(fault!, /^TACHO_TIMEZONE: no such setting; known are .*TACHO_TIME_ZONE/);
  assert.doesNotMatch(fault!, /Berlin/);
});

Deno.test("what can be reached from outside needs a token", () => {
  for (const HOST of ["0.0.0.0", "::", "192.168.0.1", "example.org"]) {
    assert.match(faults_of({ HOST })[0] ?? "", /can be reached from outside; set TACHO_TOKEN/);
    assert.deepEqual(faults_of({ HOST, TACHO_TOKEN: "0123456789abcdef" }), []);
  }
  for (const HOST of ["127.0.0.1", "::1", "localhost"]) assert.deepEqual(faults_of({ HOST }), []);
});

Deno.test("SASL needs a user and a password", () => {
  const sasl = { TACHO_KAFKA_SASL: "plain", TACHO_KAFKA_USERNAME: "u" };
  assert.match(faults_of(sasl)[0] ?? "", /TACHO_KAFKA_SASL: needs TACHO_KAFKA_USERNAME and TACHO_KAFKA_PASSWORD/);
  assert.deepEqual(faults_of({ ...sasl, TACHO_KAFKA_PASSWORD: "p" }), []);
});

Deno.test("every setting has its own variable, a meaning, and a default that is legal", () => {
  const settings = Object.values(SETTINGS);
  assert.equal(new Set(settings.map(({ variable }) => variable)).size, settings.length);
  for (const { variable, meaning } of settings) {
    assert.match(variable, /^(?:DATABASE_URL|KAFKA_BROKERS|HOST|PORT|(?:TACHO|AWS)_[A-Z0-9_]+)$/);
    assert.ok(meaning.length > 10, variable);
  }
});

Deno.test("the H3 resolution is a number of H3's, off, or not named", () => {
  const read = (TACHO_H3_RESOLUTION: string) => read_config({ TACHO_H3_RESOLUTION }).h3_resolution;
  assert.deepEqual(["0", "15", "off", " "].map(read), [0, 15, "off", null]);
  for (const wrong of ["16", "-1", "8.5", "none"]) {
    assert.deepEqual(faults_of({ TACHO_H3_RESOLUTION: wrong }), [
      `TACHO_H3_RESOLUTION: expected a whole number from 0 to 15, or off, got ${JSON.stringify(wrong)}`,
    ]);
  }
});

Deno.test("mappings of topics are read as pairs; a topic that is not consumed, or twice, is a fault", () => {
  const variables = { TACHO_TOPICS: "trips,rides", TACHO_MAPPINGS: " rides=ride_sharing, trips=./a=b.json" };
  assert.deepEqual(read_config(variables).mappings, [
    { topic: "rides", mapping: "ride_sharing" },
    { topic: "trips", mapping: "./a=b.json" },
  ]);
  assert.equal(read_config({}).mappings, null);
  assert.deepEqual(faults_of({ TACHO_MAPPINGS: "rides=ride_sharing" }), [
    'TACHO_MAPPINGS: expected a topic of TACHO_TOPICS (trips), got "rides"',
  ]);
  assert.match(faults_of({ TACHO_TOPICS: "trips,http" }).join(), /^TACHO_TOPICS: "http" is where events posted/);
  assert.deepEqual(faults_of({ TACHO_MAPPINGS: "trips=a,trips=b" }), ['TACHO_MAPPINGS: names the topic "trips" twice']);
  assert.deepEqual(faults_of({ TACHO_MAPPINGS: "trips" }), [
    'TACHO_MAPPINGS: expected topic=name-or-file, got "trips"',
  ]);
});

Deno.test("tables of lookups are read as texts, one a table", () => {
  const { lookups } = read_config({ TACHO_LOOKUPS: " drivers=./drivers.parquet , zones=/x/zones.csv:LocationID" });
  assert.deepEqual(lookups, ["drivers=./drivers.parquet", "zones=/x/zones.csv:LocationID"]);
  assert.equal(read_config({}).lookups, null);
  for (const wrong of ["drivers", "=a.csv", "drivers=", "drivers=a.csv,"]) {
    assert.match(faults_of({ TACHO_LOOKUPS: wrong }).join(), /^TACHO_LOOKUPS: expected name=file or name=file:column/);
  }
});

Deno.test("the URL of the server is read as it is meant or refused, and no part of a password is quoted", () => {
  const good: Record<string, string[]> = {
    "postgres://u:p@h/db": [],
    "postgresql://u:a%2Fb%3F%23%40%3A%25+==@h:5432/db": [],
    "postgres://u:p@ss:w=rd+@h/db": [],
    "postgres:///db?host=/run/postgresql": [],
    "postgres://u@/db?host=%2Frun": [],
    "postgres://u@%2Frun%2Fpostgresql:5433/db": [],
    "postgres://u:p@[::1]:5432/db?sslmode=require": [],
  };
  for (const [url, faults] of Object.entries(good)) {
    assert.deepEqual(faults_of({ DATABASE_URL: url }), faults, url);
    assert.equal(read_config({ DATABASE_URL: url }).database_url, url);
  }
  const wrong = [
    "s3cr/et",
    "12/34secret",
    "12?34secret",
    "sec#ret",
    "12#secret",
    "s3cr?et",
    "se ret",
    "100%secret",
    "a/@secret",
  ];
  for (const password of wrong) {
    const [fault, ...others] = faults_of({ DATABASE_URL: `postgres://user:${password}@host:5432/name` });
    assert.match(fault ?? `${password} is read`, /^DATABASE_URL: .*write \/ as %2F/);
    assert.deepEqual(others, []);
    for (const part of password.split(/[^a-z0-9]+/)) assert.ok(part.length < 3 || !fault!.includes(part), fault);
  }
  for (const url of ["postgres://u:hunter2@h:99999/db", "postgres://u:hunter2@::1/db", "mysql://u:hunter2@h/db"]) {
    const [fault] = faults_of({ DATABASE_URL: url });
    assert.match(fault ?? "", /^DATABASE_URL: expected postgres:/);
    assert.doesNotMatch(fault!, /hunter2/);
  }
  for (const KAFKA_BROKERS of ["user:hunter2@host:9092", "sasl://user:hunter2@host:9092"]) {
    assert.deepEqual(faults_of({ KAFKA_BROKERS }), ["KAFKA_BROKERS: expected host:port"]);
  }
});

Deno.test("where topics begin is earliest or latest, of all domains or of one", () => {
  assert.equal(read_config({}).start, "earliest");
  const { start, of_domains } = read_config({ TACHO_START: "latest", TACHO_TRADES_START: "earliest" });
  assert.deepEqual([start, of_domains.trades], ["latest", { start: "earliest" }]);
  for (const variable of ["TACHO_START", "TACHO_TRADES_START"]) {
    assert.throws(() => read_config({ [variable]: "end" }), {
      name: "ConfigError",
      message: new RegExp(`${variable}: expected earliest or latest, got "end"`),
    });
  }
  const of = (variables: Record<string, string>, name: string) => of_domain(read_config(variables), name).config.start;
  assert.equal(of({ TACHO_START: "latest" }, "trades"), "latest");
  assert.equal(of({ TACHO_START: "latest", TACHO_TRADES_START: "earliest" }, "trades"), "earliest");
  assert.equal(of({ TACHO_TRADES_START: "latest" }, "trips"), "earliest");
});

Deno.test("what the ids of the entity h3 are is a dimension that a domain says may be", () => {
  const of = (TACHO_METRICS_H3: string) => of_domain(read_config({ TACHO_METRICS_H3 }), "trips").config.metrics_h3;
  assert.deepEqual(["", "pickup_zone", "pickup_h3"].map(of), [null, "pickup_zone", "pickup_h3"]);
  for (
    const [given, expected] of [["city", "expected one of pickup_h3, "], ["a b", "expected the name of a dimension"]]
  ) {
    assert.throws(() => of(given!), {
      name: "ConfigError",
      message: new RegExp(`TACHO_METRICS_H3: ${expected}.*"${given}"`),
    });
  }
});
