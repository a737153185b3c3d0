import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import Papa from "papaparse";
import { canonical_json } from "../../src/domains/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { decode_record } from "../../src/ingest/mod.ts";
import { format_time } from "../../src/kpi/mod.ts";
import { detect, type SourceRecord } from "../../src/mapping/mod.ts";
import { data_folder, tacho_test } from "../support/available.ts";
import { replayed_file } from "../support/replayed_file.ts";
import { builtin, BUILTINS, index_lookup } from "../support/trip_mapping.ts";

const NEW_YORK = "America/New_York";
const DOMAIN = trips_domain({ currency: "USD" });
const TERMS = { future_limit_ms: 3_600_000, max_message_bytes: 1_048_576, read_ms: Date.UTC(2026, 5, 1) };
const TAKEN = { topic: "t", partition: 0, offset: 0, timestamp_ms: Date.UTC(2026, 5, 1) };

/** The events of a record after the real decode: type, time and data. */
function decoded(mapping: ReturnType<typeof builtin>, record: SourceRecord) {
  const events = decode_record(DOMAIN, TERMS, TAKEN, mapping, record);
  if (!events.ok) throw new Error(JSON.stringify(events.fault));
  return events.value.map(({ decoded: { event } }) => ({
    type: event.type,
    at: format_time(event.occurred_at_us).replace(".000000Z", "Z"),
    data: JSON.parse(event.data) as Record<string, unknown>,
    trip: event.stream_id,
  }));
}
const types_of = (mapping: ReturnType<typeof builtin>, record: SourceRecord) =>
  decoded(mapping, record).map(({ type, at }) => [type, at]);
const rows_of = (file: string) =>
  Papa.parse<Record<string, string>>(Deno.readTextFileSync(`${data_folder()}/${file}.csv`), {
    header: true,
    skipEmptyLines: true,
  }).data;

/** SHA-256 of the events, one JSON line each, as the logs that hold these files have them. */
const EVENTS_OF = {
  trip_start: "75cf418880b7c4ddcaff5f82e67f607047a8dddbfd9464fb8843dbb40c8fadc9",
  trip_end: "e6760b500d06904172c2d9c58a3e52b5074f2411a02bb05eccbb3a22b9a20313",
};

tacho_test({
  name: "the files of trip starts and ends give the very events, ids included, that logs hold already",
  needs: ["data"],
  fn() {
    for (const [shape, wanted] of Object.entries(EVENTS_OF)) {
      const mapping = builtin(shape, { business_zone: NEW_YORK });
      const hash = createHash("sha256");
      for (const row of rows_of(shape)) {
        const mapped = mapping.map(row);
        assert.ok(mapped.ok);
        for (const event of mapped.value) hash.update(`${canonical_json(event)}\n`);
      }
      assert.equal(hash.digest("hex"), wanted, shape);
    }
  },
});

Deno.test("mapping of trip ends: blank optional columns are unknown, payment code 5 too", () => {
  const row = {
    trip_id: "a",
    dropoff_datetime: "2024-05-25 14:05:00",
    fare_amount: "40.5",
    trip_distance: "1",
    tip_amount: "",
  };
  const blank = { rate_code: "", passenger_count: "", payment_type: "5.0", trip_type: "" };
  const [end] = decoded(builtin("trip_end"), { ...row, ...blank });
  assert.deepEqual(end!.data, {
    fare: "40.500000",
    tip: null,
    distance_km: 1.609344,
    passenger_count: null,
    payment_method: "",
    rate_code: null,
    trip_type: null,
  });
});

const RIDE = {
  trip_id: "1f0c2a9b",
  driver_id: "D104",
  city: "Chicago",
  distance_km: 12.4,
  duration_min: 31,
  fare_usd: 18.6,
  vehicle_type: "SUV",
  timestamp: "2025-11-17T10:30:45.123456",
};

Deno.test("mapping of ride sharing: a whole trip a message, its time read in the business zone", () => {
  const events = decoded(builtin("ride_sharing", { business_zone: "America/Chicago" }), RIDE);
  const who = { driver_id: "D104", city: "Chicago", vehicle_type: "SUV" };
  assert.deepEqual(events.map(({ type, at, data }) => ({ type, at, data })), [
    { type: "trip.started", at: "2025-11-17T15:59:45.123456Z", data: who },
    {
      type: "trip.completed",
      at: "2025-11-17T16:30:45.123456Z",
      data: { ...who, fare: "18.600000", currency: "USD", distance_km: 12.4, duration_min: 31 },
    },
  ]);
  assert.equal(events[0]!.trip, events[1]!.trip);
  assert.ok(events[0]!.trip.startsWith("1f0c2a9b-"));
});

Deno.test("mapping of ride sharing: ids that collide are different trips, an equal message is the same", () => {
  const mapping = builtin("ride_sharing");
  const ids = (record: SourceRecord) => {
    const mapped = mapping.map(record);
    return mapped.ok ? mapped.value.map(({ trip_id, event_id }) => `${trip_id} ${event_id}`) : [];
  };
  const again = Object.fromEntries(Object.entries(RIDE).reverse());
  assert.deepEqual(ids(again), ids(RIDE));
  for (const change of [{ fare_usd: 18.7 }, { driver_id: "D105" }, { timestamp: "2025-11-17T10:30:45.123457" }]) {
    const other = ids({ ...RIDE, ...change });
    assert.equal(other.length, 2);
    for (const id of other) assert.ok(!ids(RIDE).includes(id));
  }
  assert.equal(ids({ ...RIDE, trip_id: "" }).length, 2, "an id that is missing stops nobody");
});

Deno.test("mapping of ride sharing: canceled, in progress and completed trips; another status is refused", () => {
  const mapping = builtin("ride_sharing");
  const of_status = (status: unknown, changes: Record<string, unknown> = {}) =>
    types_of(mapping, { ...RIDE, timestamp: "2025-11-17T10:30:45", status, ...changes });
  const end = "2025-11-17T10:30:45Z", start = "2025-11-17T09:59:45Z";
  for (const status of ["completed", "", null]) {
    assert.deepEqual(of_status(status), [["trip.started", start], ["trip.completed", end]]);
  }
  assert.deepEqual(of_status("completed", { duration_min: "" }), [["trip.completed", end]]);
  for (const status of ["canceled", "Cancelled"]) {
    assert.deepEqual(of_status(status), [["trip.requested", end], ["trip.canceled", end]]);
  }
  assert.deepEqual(of_status("in-progress"), [["trip.started", start]]);
  assert.deepEqual(of_status("in-progress", { duration_min: null }), [["trip.started", end]]);
  const mapped = mapping.map({ ...RIDE, status: "teleported" });
  assert.ok(!mapped.ok);
  assert.deepEqual([mapped.fault.path, /"teleported"/.test(mapped.fault.detail)], ["status", true]);
});

const HUB = {
  driver_id: "D0413",
  passenger_id: "P7",
  start_location_id: 12,
  start_time: "2024-01-01 08:00:00",
  duration_min: 12.5,
  distance_km: 3.25,
  price: 15.4,
};

Deno.test("mapping of the mobility hub: start and price, enriched with the driver's vehicle; its id under any name or none", () => {
  const drivers = index_lookup([{ driver_id: "D0413", vehicle_type: "Van" }], "driver_id");
  const context = { business_zone: "UTC", lookups: new Map([["drivers", drivers]]) };
  const events = decoded(builtin("mobility_hub", context), HUB);
  assert.deepEqual(events.map(({ type, at, data }) => ({ type, at, data })), [
    {
      type: "trip.started",
      at: "2024-01-01T08:00:00Z",
      data: { driver_id: "D0413", passenger_id: "P7", vehicle_type: "Van", pickup_zone: 12 },
    },
    {
      type: "trip.completed",
      at: "2024-01-01T08:12:30Z",
      data: { fare: "15.400000", distance_km: 3.25, duration_min: 12.5 },
    },
  ]);
  const without = builtin("mobility_hub");
  assert.equal(decoded(without, HUB)[0]!.data.vehicle_type, undefined);
  assert.equal(decoded(without, { ...HUB, id: 77 })[0]!.trip, "77");
  assert.equal(decoded(without, { ...HUB, trip_id: "T9", id: 77 })[0]!.trip, "T9");
  const refused = without.map({ ...HUB, duration_min: null });
  assert.ok(!refused.ok, "a price that no time can be found for is refused, not lost");
  assert.equal(refused.fault.path, "duration_min");
});

const YELLOW = {
  VendorID: "2",
  tpep_pickup_datetime: "2024-01-01 00:57:55",
  tpep_dropoff_datetime: "2024-01-01 01:17:43",
  passenger_count: "1.0",
  trip_distance: "1.72",
  RatecodeID: "1.0",
  store_and_fwd_flag: "N",
  PULocationID: "186",
  DOLocationID: "79",
  payment_type: "2",
  fare_amount: "17.7",
  extra: "1.0",
  mta_tax: "0.5",
  tip_amount: "0.0",
  tolls_amount: "0.0",
  improvement_surcharge: "1.0",
  total_amount: "22.7",
  congestion_surcharge: "2.5",
  Airport_fee: "0.0",
};
const YELLOW_2009 = {
  vendor_name: "VTS",
  Trip_Pickup_DateTime: "2009-01-04 02:52:00",
  Trip_Dropoff_DateTime: "2009-01-04 03:02:00",
  Passenger_Count: "1",
  Trip_Distance: "2.63",
  Start_Lon: "-73.991957",
  Start_Lat: "40.721567",
  Rate_Code: "",
  store_and_forward: "",
  End_Lon: "0",
  End_Lat: "0",
  Payment_Type: "CASH",
  Fare_Amt: "8.9",
  surcharge: "0.5",
  mta_tax: "",
  Tip_Amt: "0",
  Tolls_Amt: "0",
  Total_Amt: "9.4",
};
const GREEN = {
  VendorID: 2,
  lpep_pickup_datetime: "2024-01-01T00:46:55.000000",
  lpep_dropoff_datetime: "2024-01-01T00:58:25.000000",
  store_and_fwd_flag: "N",
  RatecodeID: 1,
  PULocationID: 236,
  DOLocationID: 239,
  passenger_count: 1,
  trip_distance: 1.98,
  fare_amount: 12.8,
  tip_amount: 3.61,
  total_amount: 21.66,
  payment_type: 1,
  trip_type: 1,
  ehail_fee: null,
};
const FHV = {
  dispatching_base_num: "B00008",
  pickup_datetime: "2024-01-01 00:30:00",
  dropOff_datetime: "2024-01-01 01:42:00",
  PUlocationID: "",
  DOlocationID: "14.0",
  SR_Flag: "",
  Affiliated_base_number: "B00008",
};
const HVFHV = {
  hvfhs_license_num: "HV0003",
  dispatching_base_num: "B03404",
  originating_base_num: "B03404",
  request_datetime: "2024-01-01 00:21:47",
  on_scene_datetime: "2024-01-01 00:25:06",
  pickup_datetime: "2024-01-01 00:28:08",
  dropoff_datetime: "2024-01-01 01:05:39",
  PULocationID: 161,
  DOLocationID: 158,
  trip_miles: 2.83,
  trip_time: 2251,
  base_passenger_fare: 45.61,
  tolls: 0,
  tips: 5.5,
  driver_pay: 40.18,
  shared_request_flag: "N",
};
const TAXIS = {
  pickup: "2019-03-23 20:21:09",
  dropoff: "2019-03-23 20:27:24",
  passengers: "1",
  distance: "1.6",
  fare: "7.0",
  tip: "2.15",
  tolls: "0.0",
  total: "12.95",
  color: "yellow",
  payment: "credit card",
  pickup_zone: "",
  dropoff_zone: "UN/Turtle Bay South",
  pickup_borough: "",
  dropoff_borough: "Manhattan",
};

Deno.test("mappings of the New York taxi commission: times of New York, miles, codes, older spellings, unknown fares", () => {
  const zones = index_lookup(
    [{ LocationID: "186", Borough: "Manhattan" }, { LocationID: "264", Borough: "Unknown" }],
    "LocationID",
  );
  const context = { business_zone: "UTC", lookups: new Map([["zones", zones]]) };
  const yellow = builtin("nyc_yellow", context);
  const [start, end] = decoded(yellow, YELLOW);
  assert.deepEqual([start!.at, end!.at], ["2024-01-01T05:57:55Z", "2024-01-01T06:17:43Z"]);
  assert.deepEqual(start!.data, {
    vendor_id: "2",
    vehicle_type: "yellow",
    city: "Manhattan",
    pickup_zone: "186",
    dropoff_zone: "79",
  });
  const { source, ...known } = end!.data;
  assert.deepEqual(known, {
    fare: "17.700000",
    tip: "0.000000",
    currency: "USD",
    distance_km: 1.72 * 1.609344,
    passenger_count: 1,
    payment_method: "cash",
    rate_code: "1",
  });
  assert.deepEqual(Object.keys(source as object).sort(), [
    "Airport_fee",
    "congestion_surcharge",
    "extra",
    "improvement_surcharge",
    "mta_tax",
    "store_and_fwd_flag",
    "tolls_amount",
    "total_amount",
  ]);
  assert.equal(decoded(yellow, { ...YELLOW, PULocationID: "264" })[0]!.data.city, null);

  const [old_start, old_end] = decoded(yellow, YELLOW_2009);
  assert.deepEqual(old_start!.data, {
    vendor_id: "VTS",
    vehicle_type: "yellow",
    pickup_lat: 40.721567,
    pickup_lon: -73.991957,
  });
  assert.deepEqual([old_end!.data.payment_method, old_end!.data.dropoff_lat, old_end!.data.rate_code], [
    "cash",
    null,
    null,
  ]);

  const green = decoded(builtin("nyc_green"), GREEN);
  assert.deepEqual(green.map(({ at }) => at), ["2024-01-01T05:46:55Z", "2024-01-01T05:58:25Z"]);
  assert.deepEqual([green[1]!.data.payment_method, green[1]!.data.trip_type, green[1]!.data.tip], [
    "card",
    "1",
    "3.610000",
  ]);

  const fhv = decoded(builtin("nyc_fhv"), FHV);
  assert.deepEqual(fhv.map(({ data: { source: _, ...data } }) => data), [
    { vendor_id: "B00008", vehicle_type: "fhv", pickup_zone: null, dropoff_zone: "14" },
    {},
  ]);
  assert.deepEqual(types_of(builtin("nyc_fhv"), { ...FHV, dropOff_datetime: "" }), [[
    "trip.started",
    "2024-01-01T05:30:00Z",
  ]]);

  const app = decoded(builtin("nyc_hvfhv"), HVFHV);
  assert.deepEqual(app.map(({ type, at }) => [type, at]), [
    ["trip.requested", "2024-01-01T05:21:47Z"],
    ["trip.started", "2024-01-01T05:28:08Z"],
    ["trip.completed", "2024-01-01T06:05:39Z"],
  ]);
  assert.deepEqual([app[1]!.data.vendor_id, app[2]!.data.fare, app[2]!.data.duration_min], [
    "uber",
    "45.610000",
    2251 / 60,
  ]);
});

/** Green taxis until 2016. */
const GREEN_2014 = {
  VendorID: "2",
  lpep_pickup_datetime: "2014-04-01 00:00:00",
  Lpep_dropoff_datetime: "2014-04-01 00:14:09",
  Store_and_fwd_flag: "N",
  RateCodeID: "1",
  Pickup_longitude: "-73.95",
  Pickup_latitude: "40.71",
  Dropoff_longitude: "-73.97",
  Dropoff_latitude: "40.73",
  Passenger_count: "1",
  Trip_distance: "3.1",
  Fare_amount: "11",
  Extra: "0.5",
  MTA_tax: "0.5",
  Tip_amount: "0",
  Tolls_amount: "0",
  Ehail_fee: "",
  Total_amount: "13",
  Payment_type: "2",
  Trip_type: "1",
};

Deno.test("records of taxis give the very events, ids included, that logs hold already: what is replayed once more is a duplicate", () => {
  const hash = createHash("sha256");
  const records: [string, SourceRecord][] = [
    ["nyc_yellow", YELLOW],
    ["nyc_yellow", YELLOW_2009],
    ["nyc_green", GREEN],
    ["nyc_green", GREEN_2014],
    ["nyc_hvfhv", HVFHV],
    ["taxis", TAXIS],
  ];
  for (const [name, record] of records) {
    const mapped = builtin(name).map(record);
    assert.ok(mapped.ok);
    for (const event of mapped.value) hash.update(`${canonical_json(event)}\n`);
  }
  assert.equal(hash.digest("hex"), "bfc9619f8d8712470133c6888c12654bed2008349e427d25107d75fbb5b2df8f");
});

/** A record under other names. */
const renamed = (record: SourceRecord, names: Readonly<Record<string, string>>): SourceRecord =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [names[name] ?? name, value]));

Deno.test("yellow records as warehouses spell them have the zones, codes and ids of the published ones; green ones are not taken for yellow", () => {
  const spelled = renamed(YELLOW, {
    VendorID: "vendor_id",
    tpep_pickup_datetime: "pickup_datetime",
    tpep_dropoff_datetime: "dropoff_datetime",
    RatecodeID: "rate_code_id",
    PULocationID: "pickup_location_id",
    DOLocationID: "dropoff_location_id",
    Airport_fee: "airport_fee",
  });
  const zones = index_lookup([{ LocationID: "186", Borough: "Manhattan" }], "LocationID");
  const yellow = builtin("nyc_yellow", { business_zone: "UTC", lookups: new Map([["zones", zones]]) });
  const told = (record: SourceRecord) =>
    decoded(yellow, record).map(({ data: { source: _, ...data }, ...event }) => ({ ...event, data }));
  assert.deepEqual(told(spelled), told(YELLOW));

  const found = (record: SourceRecord) => {
    const one = detect(BUILTINS, [record], { business_zone: "UTC" });
    return one.ok ? one.value.name : null;
  };
  assert.equal(found(spelled), "nyc_yellow");
  assert.equal(found({ ...spelled, ehail_fee: "", trip_type: "1" }), "nyc_green");
});

const START = {
  trip_id: "a",
  pickup_location_id: "1",
  dropoff_location_id: "2",
  vendor_id: "1",
  pickup_datetime: "2024-05-25 13:19:00",
  estimated_dropoff_datetime: "2024-05-25 14:03:00",
  estimated_fare_amount: "34.2",
};
const END = {
  trip_id: "a",
  dropoff_datetime: "2024-05-25 14:05:00",
  rate_code: "5.0",
  passenger_count: "0.0",
  trip_distance: "0.1",
  fare_amount: "40.1",
  tip_amount: "0.0",
  payment_type: "3.0",
  trip_type: "2.0",
};
/** As the portal exports it. */
const CHICAGO = {
  "Trip ID": "0000184e7cd53cee95af32eba49c44e4d20adcd8",
  "Taxi ID": "f538e6b729d1aaad4230e9dcd9dc2fd9a168826ddadbd67c2f79331875dc535863d73aa96b8ae",
  "Trip Start Timestamp": "01/19/2024 05:00:00 PM",
  "Trip End Timestamp": "01/19/2024 06:00:00 PM",
  "Trip Seconds": "4,051",
  "Trip Miles": "17.12",
  "Pickup Census Tract": "17031980000",
  "Dropoff Census Tract": "17031320100",
  "Pickup Community Area": "76",
  "Dropoff Community Area": "32",
  Fare: "$1,045.50",
  Tips: "$10.00",
  Tolls: "$0.00",
  Extras: "$4.00",
  "Trip Total": "$1,060.00",
  "Payment Type": "Credit Card",
  Company: "Flash Cab",
  "Pickup Centroid Latitude": "41.97907082",
  "Pickup Centroid Longitude": "-87.903039661",
  "Pickup Centroid Location": "POINT (-87.9030396611 41.9790708201)",
};
const BIKE = {
  ride_id: "0D9FA920C3062031",
  rideable_type: "electric_bike",
  started_at: "2023-05-07 19:53:48.123",
  ended_at: "2023-05-07 19:58:32",
  start_station_name: "Southport Ave & Belmont Ave",
  start_station_id: "13229",
  end_station_name: "",
  end_station_id: "",
  start_lat: "41.939478",
  start_lng: "-87.663748",
  end_lat: "41.93",
  end_lng: "-87.65",
  member_casual: "member",
};
const MDS = {
  provider_id: "c20e08cf-8488-46a6-a66c-5d8fb827f7e0",
  device_id: "ad4f7c5c-ae94-4d07-a7f4-5a3b0e0e8f0a",
  trip_id: "5f7114d1-4091-46ee-b492-e55875f7de00",
  trip_type: "rider",
  start_time: 1529968782421,
  end_time: 1529968902421,
  start_location: { lat: 40.712, lng: -74.006 },
  end_location: { lat: 40.722, lng: -74.016 },
  duration: 120,
  distance: 1250,
  standard_cost: 450,
  actual_cost: 425,
  currency: "USD",
};
const { start_location: _start, end_location: _end, duration: _duration, distance: _distance, ...MDS_1_RIDE } = MDS;
const MDS_1 = {
  ...MDS_1_RIDE,
  provider_name: "Scoot",
  vehicle_id: "V-17",
  vehicle_type: "scooter",
  propulsion_types: ["electric"],
  trip_duration: 120,
  trip_distance: 1250,
  route: {
    type: "FeatureCollection",
    features: [[-74.006, 40.712], [-74.01, 40.72], [-74.016, 40.722]].map((coordinates) => ({
      type: "Feature",
      geometry: { type: "Point", coordinates },
    })),
  },
  actual_cost: null,
};

Deno.test("mapping of Chicago's taxis: the portal's export and its API say the same; unknown durations stay unknown", () => {
  const chicago = builtin("chicago_taxi");
  const [start, end] = decoded(chicago, CHICAGO);
  assert.deepEqual([start!.at, end!.at], ["2024-01-19T23:00:00Z", "2024-01-20T00:00:00Z"]);
  const { source, ...known } = end!.data;
  assert.deepEqual(known, {
    driver_id: CHICAGO["Taxi ID"],
    vendor_id: "Flash Cab",
    vehicle_type: "taxi",
    city: "Chicago",
    pickup_zone: "76",
    dropoff_zone: "32",
    pickup_lat: 41.97907082,
    pickup_lon: -87.903039661,
    fare: "1045.500000",
    tip: "10.000000",
    currency: "USD",
    distance_km: 17.12 * 1.609344,
    duration_min: 4051 / 60,
    payment_method: "card",
  });
  assert.ok(Object.keys(source as object).includes("Trip Total"));

  const of_api = {
    ...Object.fromEntries(
      Object.entries(CHICAGO).map(([name, value]) => [
        name.toLowerCase().replaceAll(" ", "_"),
        value.replace(/[$,]/g, ""),
      ]),
    ),
    trip_start_timestamp: "2024-01-19T17:00:00.000",
    trip_end_timestamp: "2024-01-19T18:00:00.000",
  };
  const facts = (record: SourceRecord) =>
    decoded(chicago, record).map(({ data: { source: _, ...data }, ...event }) => ({ ...event, data }));
  assert.deepEqual(facts(of_api), facts(CHICAGO));
  assert.deepEqual(types_of(chicago, { ...of_api, trip_end_timestamp: "" }), [
    ["trip.started", "2024-01-19T23:00:00Z"],
    ["trip.completed", "2024-01-20T00:07:31Z"],
  ]);
  assert.deepEqual(types_of(chicago, { ...of_api, trip_end_timestamp: "", trip_seconds: "" }), [
    ["trip.completed", "2024-01-19T23:00:00Z"],
  ], "no start that would make it a trip of no time");
});

Deno.test("mapping of bike shares: local times of the business zone, stations by name else by id, no fare", () => {
  const bikes = builtin("bike_share", { business_zone: "America/Chicago" });
  const [start, end] = decoded(bikes, BIKE);
  assert.deepEqual(
    [start!.at, end!.at],
    ["2023-05-08T00:53:48.123Z", "2023-05-08T00:58:32Z"].map((at) => at.replace(".123Z", ".123000Z")),
  );
  assert.deepEqual(start!.data, {
    vehicle_type: "electric_bike",
    pickup_zone: "Southport Ave & Belmont Ave",
    dropoff_zone: null,
    pickup_lat: 41.939478,
    pickup_lon: -87.663748,
  });
  assert.deepEqual(end!.data, { trip_type: "member", dropoff_lat: 41.93, dropoff_lon: -87.65 });
  assert.equal(end!.trip, BIKE.ride_id);
  const by_hand = { ...BIKE, start_station_name: "", started_at: "5/7/2023 19:53", ended_at: "5/7/2023 19:58" };
  const [other] = decoded(bikes, by_hand);
  assert.deepEqual([other!.at, other!.data.pickup_zone], ["2023-05-08T00:53:00Z", "13229"]);
});

Deno.test("mapping of MDS trips: milliseconds, metres, seconds, cents; 1.x with its route; a trip that goes on; one without cost", () => {
  const mds = builtin("mds_trips");
  const [start, end] = decoded(mds, MDS);
  assert.deepEqual([start!.at, end!.at], ["2018-06-25T23:19:42.421000Z", "2018-06-25T23:21:42.421000Z"]);
  const ends = { dropoff_lat: 40.722, dropoff_lon: -74.016, pickup_lat: 40.712, pickup_lon: -74.006 };
  assert.deepEqual({ ...start!.data, ...end!.data }, {
    ...ends,
    driver_id: MDS.device_id,
    vendor_id: MDS.provider_id,
    estimated_fare: "4.500000",
    fare: "4.250000",
    currency: "USD",
    distance_km: 1.25,
    duration_min: 2,
    trip_type: "rider",
    provider_id: MDS.provider_id,
  });
  const [old_start, old_end] = decoded(mds, MDS_1);
  const old = { ...old_start!.data, ...old_end!.data };
  assert.deepEqual({ ...old, ...ends }, old, "the first and the last point of its route");
  assert.deepEqual([old.vendor_id, old.vehicle_type, old.distance_km, old.duration_min, old.fare], [
    "Scoot",
    "scooter",
    1.25,
    2,
    null,
  ]);
  const { actual_cost: _, ...nested } = MDS;
  assert.equal(decoded(mds, { ...nested, fare: { actual_cost: 399 } })[1]!.data.fare, "3.990000");
  assert.deepEqual(decoded(mds, { ...MDS, end_time: null }).map(({ type }) => type), ["trip.started"]);
});

Deno.test("a page of MDS trips is a file: its records are found, whatever is around them; costs of those that have one", async () => {
  const trips = [MDS, { ...MDS, trip_id: "b", actual_cost: null }];
  const pages = [
    { version: "2.0.0", last_updated: 1, ttl: 0, trips },
    { version: "1.2.0", data: { trips }, links: { first: null, next: null } },
  ];
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    for (const page of pages) {
      await Deno.writeTextFile(path, JSON.stringify(page, null, 2));
      const { mapping, refused, by } = await replayed_file(path, "UTC");
      assert.deepEqual([mapping, refused], ["mds_trips", []]);
      const { completed, fare, fare_count, metres, ms } = by("none").all!;
      assert.deepEqual([completed, fare, fare_count, metres, ms], [2, 425, 1, 2_500, 240_000]);
    }
  } finally {
    await Deno.remove(path);
  }
});

const SAMPLES: Readonly<Record<string, SourceRecord>> = {
  ride_sharing: RIDE,
  trip_start: START,
  trip_end: END,
  mobility_hub: HUB,
  taxis: TAXIS,
  nyc_yellow: YELLOW,
  nyc_green: GREEN,
  nyc_fhv: FHV,
  nyc_hvfhv: HVFHV,
  chicago_taxi: CHICAGO,
  bike_share: BIKE,
  mds_trips: MDS,
};

Deno.test("each shape is recognised by its fields alone; what fits none is told with the nearest, what fits several with those", () => {
  assert.deepEqual(Object.keys(SAMPLES), BUILTINS.map(({ name }) => name));
  const found = (...records: SourceRecord[]) => detect(BUILTINS, records, { business_zone: "UTC" });
  for (
    const [name, record] of [
      ...Object.entries(SAMPLES),
      ["nyc_yellow", YELLOW_2009] as const,
      ["mds_trips", MDS_1] as const,
    ]
  ) {
    const one = found(record);
    assert.ok(one.ok, one.ok ? "" : one.fault.detail);
    assert.equal(one.value.name, name);
  }
  const none = found({ a: 1, b: 2 });
  assert.ok(!none.ok);
  assert.equal(none.fault.detail, "no built-in mapping fits the fields a, b");
  const { lpep_dropoff_datetime: _, ...lacking } = SAMPLES.nyc_green!;
  const near = found(lacking);
  assert.match(near.ok ? "" : near.fault.detail, /; nearest: nyc_green, lacking lpep_dropoff_datetime or [^,]*$/);
  const { SR_Flag: _flag, ...unflagged } = SAMPLES.nyc_fhv!;
  const unfit = found({ ...unflagged, fare_amount: 1 });
  assert.match(unfit.ok ? "" : unfit.fault.detail, /; nearest: nyc_fhv, whose records have no fare_amount$/);
  const many = found(Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`${i}${"x".repeat(1_000)}`, 1])));
  assert.ok(!many.ok && many.fault.detail.length < 3_000 && many.fault.detail.endsWith(" and 970 more"));
  const both = found({ ...START, ...END });
  assert.ok(!both.ok);
  assert.match(both.fault.detail, /^trip_start and trip_end fit its fields: name one of them$/);
  const told = found({ ...START, ...END, pickup_datetime: "no time" });
  assert.ok(told.ok, "of two that fit it is the one that maps the records");
  assert.equal(told.value.name, "trip_end");
});

Deno.test("mappings of files: the words by which R, pandas and MySQL write what is unknown are blank in every column", () => {
  const words = ["NA", "na", "N/A", "#N/A", "NaN", "nan", "NaT", "NULL", "null", "None", "\\N", " NA "];
  const of_files = Object.entries(SAMPLES).filter(([name]) =>
    /^(?:taxis|nyc_.*|chicago_taxi|bike_share|trip_.*)$/.test(name)
  );
  assert.equal(of_files.length, 9);
  for (const [name, sample] of of_files) {
    const mapping = builtin(name),
      read = (record: SourceRecord) => decode_record(DOMAIN, TERMS, TAKEN, mapping, record);
    for (const column of Object.keys(sample)) {
      const blank = read({ ...sample, [column]: null });
      for (const word of words) {
        assert.deepEqual(read({ ...sample, [column]: word }), blank, `${name} ${column} ${word}`);
      }
    }
    assert.notDeepEqual(read(sample), read({ ...sample, [Object.keys(sample)[0]!]: null }));
  }
  // Words that only begin so are what they say.
  const [start] = decoded(builtin("bike_share"), {
    ...BIKE,
    start_station_name: "Nanterre",
    end_station_name: "NA St",
  });
  assert.deepEqual([start!.data.pickup_zone, start!.data.dropoff_zone], ["Nanterre", "NA St"]);
});

const strange = fc.oneof(
  fc.constantFrom("", "5.0", "-1", "1e400", "2026-03-08 02:30:00", "canceled", "\0", "\ud800", null, Number.NaN),
  fc.jsonValue({ maxDepth: 2 }),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
);

Deno.test("a sound record with strange values in it: equal events again that decode, or a fault that names a field", () => {
  const shapes = Object.entries(SAMPLES).map(([name, sample]) => ({ mapping: builtin(name), sample }));
  const change = fc.constantFrom(...shapes).chain(({ mapping, sample }) =>
    fc.dictionary(fc.constantFrom(...Object.keys(sample), "status", "extra"), strange, { maxKeys: 2 }).map((
      changes,
    ) => ({
      mapping,
      record: { ...sample, ...changes },
    }))
  );
  let made = 0;
  fc.assert(
    fc.property(change, ({ mapping, record }) => {
      const first = decode_record(DOMAIN, TERMS, TAKEN, mapping, record);
      assert.deepEqual(decode_record(DOMAIN, TERMS, TAKEN, mapping, { ...record }), first);
      if (first.ok) made++;
      else assert.ok(first.fault.path !== null, JSON.stringify(first.fault));
    }),
    { numRuns: 500 },
  );
  assert.ok(made > 100);
});
