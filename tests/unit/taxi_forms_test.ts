import assert from "node:assert/strict";
import { builtin, BUILTINS } from "../support/trip_mapping.ts";
import { replayed_file } from "../support/replayed_file.ts";

/**
 * The monthly files of the New York taxi commission, form by form as they were published, and as people's warehouses spell them. Of each the
 * header and two rows. Zones and distances of the rows are the same in all forms, so that what a form loses would be seen.
 */
interface Form {
  readonly form: string;
  readonly mapping: string;
  readonly header: string;
  readonly rows: readonly [string, string];
  /** Behind the header, and behind each row. */
  readonly ends?: readonly [string, string];
  /** Without a fare or without zones in older forms. */
  readonly fare?: number;
  readonly places?: "coordinates" | "none";
}

const YELLOW_2009 =
  "Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,Start_Lon,Start_Lat,Rate_Code,store_and_forward,End_Lon,End_Lat,Payment_Type,Fare_Amt,surcharge,mta_tax,Tip_Amt,Tolls_Amt,Total_Amt";
const YELLOW_2014 =
  "vendor_id, pickup_datetime, dropoff_datetime, passenger_count, trip_distance, pickup_longitude, pickup_latitude, rate_code, store_and_fwd_flag, dropoff_longitude, dropoff_latitude, payment_type, fare_amount, surcharge, mta_tax, tip_amount, tolls_amount, total_amount";
const YELLOW_2015 =
  "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,pickup_longitude,pickup_latitude,RateCodeID,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount";
const YELLOW =
  "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,RatecodeID,store_and_fwd_flag,PULocationID,DOLocationID,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount";
const GREEN_2013 =
  "VendorID,lpep_pickup_datetime,Lpep_dropoff_datetime,Store_and_fwd_flag,RateCodeID,Pickup_longitude,Pickup_latitude,Dropoff_longitude,Dropoff_latitude,Passenger_count,Trip_distance,Fare_amount,Extra,MTA_tax,Tip_amount,Tolls_amount,Ehail_fee";
const GREEN =
  "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,PULocationID,DOLocationID,passenger_count,trip_distance,fare_amount,extra,mta_tax,tip_amount,tolls_amount,ehail_fee,improvement_surcharge,total_amount,payment_type,trip_type";
const HVFHV =
  "hvfhs_license_num,dispatching_base_num,originating_base_num,request_datetime,on_scene_datetime,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,trip_miles,trip_time,base_passenger_fare,tolls,bcf,sales_tax,congestion_surcharge,airport_fee,tips,driver_pay,shared_request_flag,shared_match_flag,access_a_ride_flag,wav_request_flag,wav_match_flag";

/** Rows of yellow and green forms: their common beginning, middle and end differ by what a form adds. */
const coordinates = (year: number, vendor: string, pay: string, more = ""): readonly [string, string] => [
  `${vendor},${year}-01-02 09:00:00,${year}-01-02 09:10:00,1,2.5,-73.99,40.73,1,N,-73.95,40.77,${pay},8.5,0.5,0.5,1.5,0${more},11`,
  `${vendor},${year}-01-02 10:00:00,${year}-01-02 10:20:00,2,2.5,-73.98,40.72,1,N,0,0,${pay},11.5,0.5,0.5,0,0${more},12.5`,
];
const zones = (year: number, more = ""): readonly [string, string] => [
  `1,${year}-01-02 09:00:00,${year}-01-02 09:10:00,1,2.5,1,N,132,48,1,8.5,0.5,0.5,1.5,0,0.3,11${more}`,
  `2,${year}-01-02 10:00:00,${year}-01-02 10:20:00,2,2.5,1,N,132,48,1,11.5,0.5,0.5,0,0,0.3,12.5${more}`,
];
const green_coordinates = (year: number, more: string): readonly [string, string] => [
  `1,${year}-01-02 09:00:00,${year}-01-02 09:10:00,N,1,-73.99,40.73,-73.95,40.77,1,2.5,8.5,0.5,0.5,1.5,0,${more}`,
  `2,${year}-01-02 10:00:00,${year}-01-02 10:20:00,N,1,-73.98,40.72,0,0,2,2.5,11.5,0.5,0.5,0,0,${more}`,
];
const green_zones = (year: number, more = ""): readonly [string, string] => [
  `1,${year}-01-02 09:00:00,${year}-01-02 09:10:00,N,1,132,48,1,2.5,8.5,0.5,0.5,1.5,0,,0.3,11,1,1${more}`,
  `2,${year}-01-02 10:00:00,${year}-01-02 10:20:00,N,1,132,48,2,2.5,11.5,0.5,0.5,0,0,,0.3,12.5,1,1${more}`,
];
const app = (year: number, more = ""): readonly [string, string] => [
  `HV0003,B03404,B03404,${year}-01-02 08:55:00,${year}-01-02 08:59:00,${year}-01-02 09:00:00,${year}-01-02 09:10:00,132,48,2.5,600,8.5,0,0.2,0.8,2.75,0,1.5,7,N,N,N,N,N${more}`,
  `HV0005,B03406,,${year}-01-02 09:55:00,,${year}-01-02 10:00:00,${year}-01-02 10:20:00,132,48,2.5,1200,11.5,0,0.3,1,2.75,0,0,9,N,N,,N,N${more}`,
];
const respelled = (header: string, spell: (name: string) => string): string => header.split(",").map(spell).join(",");
const warehouse = (name: string): string =>
  ({
    VendorID: "vendor_id",
    RatecodeID: "rate_code_id",
    PULocationID: "pickup_location_id",
    DOLocationID: "dropoff_location_id",
    tpep_pickup_datetime: "pickup_datetime",
    tpep_dropoff_datetime: "dropoff_datetime",
    lpep_pickup_datetime: "pickup_datetime",
    lpep_dropoff_datetime: "dropoff_datetime",
  })[name] ?? name;
const CRLF = "\r\n";
const yellow = "nyc_yellow", green = "nyc_green", fhv = "nyc_fhv", hvfhv = "nyc_hvfhv";

const FORMS: readonly Form[] = [
  {
    form: "yellow 2009: a blank line, mixed line ends",
    mapping: yellow,
    header: `vendor_name,${YELLOW_2009}`,
    rows: coordinates(2009, "VTS", "Credit"),
    ends: [`\n${CRLF}`, CRLF],
    places: "coordinates",
  },
  {
    form: "yellow 2010 to 2014: names behind spaces, codes of letters",
    mapping: yellow,
    header: YELLOW_2014,
    rows: coordinates(2014, "CMT", "CRD"),
    ends: [CRLF + CRLF, CRLF],
    places: "coordinates",
  },
  {
    form: "yellow 2010 published again",
    mapping: yellow,
    header: YELLOW_2014.replaceAll(" ", ""),
    rows: coordinates(2010, "CMT", "CRE"),
    places: "coordinates",
  },
  {
    form: "yellow 2015 to June 2016: coordinates",
    mapping: yellow,
    header: YELLOW_2015,
    rows: coordinates(2015, "2", "1", ",0.3"),
    places: "coordinates",
  },
  {
    form: "yellow July to December 2016: two values more than names",
    mapping: yellow,
    header: YELLOW,
    rows: zones(2016, ",,"),
    ends: [CRLF, CRLF],
  },
  { form: "yellow 2017 and 2018", mapping: yellow, header: YELLOW, rows: zones(2017), ends: [CRLF + CRLF, CRLF] },
  {
    form: "yellow 2019 and 2020",
    mapping: yellow,
    header: `${YELLOW},congestion_surcharge`,
    rows: zones(2019, ",2.5"),
  },
  {
    form: "yellow 2021 to 2022: airport_fee",
    mapping: yellow,
    header: `${YELLOW},congestion_surcharge,airport_fee`,
    rows: zones(2021, ",2.5,0.0"),
  },
  {
    form: "yellow 2023 and 2024: Airport_fee",
    mapping: yellow,
    header: `${YELLOW},congestion_surcharge,Airport_fee`,
    rows: zones(2023, ",2.5,0.0"),
  },
  {
    form: "yellow 2025: the fee of the central business district",
    mapping: yellow,
    header: `${YELLOW},congestion_surcharge,Airport_fee,cbd_congestion_fee`,
    rows: zones(2025, ",2.5,0.0,0.75"),
  },
  { form: "yellow in a warehouse", mapping: yellow, header: respelled(YELLOW, warehouse), rows: zones(2020) },
  {
    form: "yellow in a warehouse with pickup_location and rate_code",
    mapping: yellow,
    header: respelled(YELLOW, (name) => warehouse(name).replace(/(_location|rate_code)_id/, "$1")),
    rows: zones(2020),
  },
  { form: "yellow in capitals", mapping: yellow, header: YELLOW.toUpperCase(), rows: zones(2024) },
  { form: "yellow in small letters", mapping: yellow, header: YELLOW.toLowerCase(), rows: zones(2024) },
  {
    form: "yellow in snake case",
    mapping: yellow,
    header: respelled(YELLOW, (name) => name.replace("Location", "_location_").replace("ID", "_id").toLowerCase()),
    rows: zones(2024),
  },
  {
    form: "green August 2013 to 2014: two values more than names, a space behind the last name, a blank line",
    mapping: green,
    header: `${GREEN_2013},Total_amount,Payment_type,Trip_type `,
    rows: green_coordinates(2014, ",11,1,1,,"),
    ends: [CRLF + CRLF, CRLF],
    places: "coordinates",
  },
  {
    form: "green 2015 to June 2016",
    mapping: green,
    header: `${GREEN_2013},improvement_surcharge,Total_amount,Payment_type,Trip_type `,
    rows: green_coordinates(2015, ",0.3,11,1,1,,"),
    ends: [CRLF, CRLF],
    places: "coordinates",
  },
  {
    form: "green July to December 2016: two values more than names",
    mapping: green,
    header: GREEN,
    rows: green_zones(2016, ",,"),
    ends: [CRLF, CRLF],
  },
  { form: "green 2017 and 2018", mapping: green, header: GREEN, rows: green_zones(2017), ends: [CRLF + CRLF, CRLF] },
  {
    form: "green 2019 to 2024",
    mapping: green,
    header: `${GREEN},congestion_surcharge`,
    rows: green_zones(2019, ",2.75"),
  },
  {
    form: "green 2025",
    mapping: green,
    header: `${GREEN},congestion_surcharge,cbd_congestion_fee`,
    rows: green_zones(2025, ",2.75,0"),
  },
  { form: "green in a warehouse", mapping: green, header: respelled(GREEN, warehouse), rows: green_zones(2020) },
  { form: "green in capitals", mapping: green, header: GREEN.toUpperCase(), rows: green_zones(2020) },
  {
    form: "FHV 2015 and 2016: starts alone",
    mapping: fhv,
    header: "Dispatching_base_num,Pickup_date,locationID",
    rows: ["B00013,2015-01-02 09:00:00,132", "B00014,2015-01-02 10:00:00,132"],
    places: "none",
  },
  {
    form: "FHV January to June 2017",
    mapping: fhv,
    header: "Dispatching_base_num,Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID",
    rows: [
      "B00013,2017-01-02 09:00:00,2017-01-02 09:10:00,132,48",
      "B00014,2017-01-02 10:00:00,2017-01-02 10:20:00,132,48",
    ],
    fare: 0,
  },
  {
    form: "FHV July to December 2017: SR_Flag",
    mapping: fhv,
    header: "Dispatching_base_num,Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID,SR_Flag",
    rows: [
      "B00013,2017-08-02 09:00:00,2017-08-02 09:10:00,132,48,",
      "B00014,2017-08-02 10:00:00,2017-08-02 10:20:00,132,48,1",
    ],
    fare: 0,
  },
  {
    form: "FHV 2018: two columns of bases, behind the rest",
    mapping: fhv,
    header:
      "Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID,SR_Flag,Dispatching_base_number,Dispatching_base_num",
    rows: [
      "2018-01-02 09:00:00,2018-01-02 09:10:00,132,48,,B00013,B00013",
      "2018-01-02 10:00:00,2018-01-02 10:20:00,132,48,1,B00014,B00014",
    ],
    fare: 0,
  },
  {
    form: "FHV 2019",
    mapping: fhv,
    header: "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag",
    rows: [
      "B00013,2019-01-02 09:00:00,2019-01-02 09:10:00,132,48,",
      "B00014,2019-01-02 10:00:00,2019-01-02 10:20:00,132,48,1",
    ],
    fare: 0,
  },
  {
    form: "FHV 2020 to 2025, and all months published again",
    mapping: fhv,
    header:
      "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,DOlocationID,SR_Flag,Affiliated_base_number",
    rows: [
      "B00013,2024-01-02 09:00:00,2024-01-02 09:10:00,132.0,48.0,,B00013",
      "B00014,2024-01-02 10:00:00,2024-01-02 10:20:00,132.0,48.0,1,B00014",
    ],
    fare: 0,
  },
  {
    form: "HVFHV February 2019 to 2021 as first published: no fare, no miles",
    mapping: hvfhv,
    header: "hvfhs_license_num,dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag",
    rows: [
      "HV0003,B02867,2019-02-02 09:00:00,2019-02-02 09:10:00,132,48,",
      "HV0005,B02510,2019-02-02 10:00:00,2019-02-02 10:20:00,132,48,1",
    ],
    fare: 0,
  },
  { form: "HVFHV as published since 2022", mapping: hvfhv, header: HVFHV, rows: app(2024) },
  {
    form: "HVFHV 2025: the fee of the central business district",
    mapping: hvfhv,
    header: `${HVFHV},cbd_congestion_fee`,
    rows: app(2025, ",1.5"),
  },
  { form: "HVFHV in capitals", mapping: hvfhv, header: HVFHV.toUpperCase(), rows: app(2024) },
];

/** Its names as a reader of CSV gives them. */
const names_of = (header: string): string[] => header.split(",").map((name) => name.trim());

/** A time as New York's open data portal writes it in files that it exports: `02/14/2017 04:08:11 PM`. */
const as_portal = (row: string): string =>
  row.replaceAll(/(\d{4})-(\d\d)-(\d\d) (\d\d)(:\d\d:\d\d)/g, (_, year, month, day, hour, rest) => {
    const half = Number(hour) % 12 || 12;
    return `${month}/${day}/${year} ${String(half).padStart(2, "0")}${rest} ${Number(hour) < 12 ? "AM" : "PM"}`;
  });

for (const { form, mapping, header, rows, ends = ["\n", "\n"], fare = 2_000, places } of FORMS) {
  Deno.test(`taxi forms: ${form}`, async () => {
    const path = await Deno.makeTempFile({ suffix: ".csv" });
    try {
      const read_as = async (written: (row: string) => string) => {
        await Deno.writeTextFile(path, header + ends[0] + rows.map((row) => written(row) + ends[1]).join(""));
        return await replayed_file(path, "America/New_York");
      };
      const read = await read_as((row) => row);
      const exported = await read_as(as_portal);
      assert.deepEqual([exported.refused, exported.trips, exported.by("day")], [[], read.trips, read.by("day")]);
      assert.equal(read.mapping, mapping);
      assert.deepEqual(read.refused, []);
      assert.equal(read.trips.size, 2);
      const { all } = read.by("none");
      const completed = places === "none" ? 0 : 2;
      assert.deepEqual([all!.trips, all!.completed], [2, completed]);
      assert.equal(all!.fare, places === "none" ? 0 : fare);
      assert.equal(all!.fare_count, fare === 0 ? 0 : completed, "a trip without fare is in no fare figure");
      if (completed > 0) assert.deepEqual([all!.ms, all!.timed], [30 * 60_000, 2]);
      if (fare > 0 && completed > 0) assert.deepEqual([all!.tip, all!.metres], [150, 8_046]);
      const zone_of = (dimension: string) =>
        Object.fromEntries(Object.entries(read.by(dimension)).map(([key, { trips }]) => [key, trips]));
      if (places === "coordinates") assert.equal(zone_of("pickup_h3").unknown, undefined);
      else assert.deepEqual(zone_of("pickup_zone"), { "132": 2 });
      if (places === undefined) assert.deepEqual(zone_of("dropoff_zone"), { "48": 2 });
      if (fare > 0 && completed > 0 && mapping !== hvfhv) {
        assert.deepEqual(Object.keys(read.by("payment_method")), ["card"]);
      }
    } finally {
      await Deno.remove(path);
    }
  });
}

Deno.test("taxi forms: each is recognised by one built-in mapping, whatever columns come beside; by none when one that its ids or times need is gone", () => {
  const fitting = (names: readonly string[]) =>
    BUILTINS.filter((each) => each.recognises(names)).map(({ name }) => name);
  for (const { form, mapping, header } of FORMS) {
    const names = names_of(header);
    assert.deepEqual(fitting(names), [mapping], form);
    assert.deepEqual(fitting(["", "_c0", "Month", "note", ...names, "filename"]), [mapping], form);
    for (const { name, form: { recognise, stream_id, events } } of BUILTINS) {
      if (name !== mapping) continue;
      const parts = stream_id.flatMap(({ join }) =>
        join.flatMap((part) => "hash" in part && part.hash !== "all" ? part.hash : [])
      );
      const ids = parts.flatMap((part) => typeof part === "string" ? [[part]] : [part.from]);
      const times = events.flatMap(({ at }) => at.map(({ from }) => from));
      for (const spellings of [...ids, ...times]) {
        const spelled = new Set(spellings.flatMap((each) => typeof each === "string" ? [squeezed(each)] : []));
        const without = names.filter((each) => !spelled.has(squeezed(each)));
        if (without.length === names.length) continue;
        // Without the license this one is the FHV form of the same years to the letter.
        if (names.includes("SR_Flag") && spelled.has("hvfhslicensenum")) continue;
        assert.deepEqual(fitting(without), [], `${form} without ${[...spelled].join(" or ")}`);
      }
      assert.ok(recognise!.fields.length > 0);
    }
  }
});
const squeezed = (name: string): string => name.replace(/[ _]/g, "").toLowerCase();

Deno.test("taxi forms: a column spelled otherwise is read where it is alone so spelled, and only then; ids are those of the published spelling", () => {
  const mapping = builtin(yellow);
  const record = (header: string) =>
    Object.fromEntries(header.split(",").map((name, i) => [name, zones(2024)[0].split(",")[i]]));
  const told = (given: Record<string, unknown>) => {
    const mapped = mapping.map(given);
    assert.ok(mapped.ok, mapped.ok ? "" : mapped.fault.detail);
    return mapped.value.map(({ source: _, ...event }) => event);
  };
  const published = told(record(YELLOW));
  const without_ids = (events: ReturnType<typeof told>) => events.map(({ event_id: _, ...event }) => event);
  for (
    const header of [
      YELLOW.toUpperCase(),
      YELLOW.toLowerCase(),
      respelled(YELLOW, (name) => ` ${name.replaceAll("_", "-")} `),
    ]
  ) {
    assert.deepEqual(without_ids(told(record(header))), without_ids(published));
  }
  const { PULocationID, ...rest } = record(YELLOW);
  const twice = told({ ...rest, pulocationid: PULocationID, PU_Location_ID: "7" });
  assert.equal(twice[0]!.pickup_zone, undefined, "of two spellings neither is taken for it");
  const exact = told({ ...rest, PULocationID, pulocationid: "7" });
  assert.equal(exact[0]!.pickup_zone, "132", "the very name goes before all others");
  assert.deepEqual(told(record(YELLOW)), published, "what was read before leaves no trace");
});

/** What rows of yellow taxis come to, each with its ride (a letter, by which its hour is told), fare and total. */
async function taken_back(rows: readonly (readonly [ride: string, fare: string, total: string])[]) {
  const text = rows.map(([ride, fare, total]) => {
    const hour = String(ride.charCodeAt(0) - "a".charCodeAt(0)).padStart(2, "0");
    return `2,2024-03-05 ${hour}:00:00,2024-03-05 ${hour}:20:00,1,2.0,1,N,132,48,3,${fare},0,0.5,0,0,1,${total}\n`;
  });
  const path = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    await Deno.writeTextFile(path, `${YELLOW}\n${text.join("")}`);
    const { by, refused, trips, waiting } = await replayed_file(path, "America/New_York");
    assert.deepEqual(refused, []);
    const { all } = by("none");
    const { trips: counted = 0, completed = 0, started = 0, fare = 0, voided = 0, voids_waiting = 0 } = all ?? {};
    assert.equal(counted, completed, "no trip stays in progress");
    assert.equal(started, completed);
    assert.equal(voids_waiting, waiting.count);
    return {
      completed,
      fare,
      voided,
      waiting: waiting.count,
      sum: Number(waiting.sum_micros) / 10_000,
      ids: trips.size,
    };
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("taxi forms: a negative row takes back the ride with the same fields, wherever it stands; one without its ride waits", async () => {
  const none = { completed: 0, fare: 0, voided: 0, waiting: 0, sum: 0, ids: 0 };
  const ride = ["a", "14.2", "15.7"] as const, back = ["a", "-14.2", "-15.7"] as const;
  for (const rows of [[ride, back], [back, ride]]) {
    assert.deepEqual(await taken_back(rows), { ...none, voided: 1, ids: 1 });
  }
  assert.deepEqual(await taken_back([back]), { ...none, voided: 1, waiting: 1, sum: -1_420, ids: 1 });
  assert.deepEqual(
    await taken_back([ride, back, ride]),
    { ...none, completed: 1, fare: 1_420, voided: 1, ids: 2 },
    "of two equal rides one is taken back",
  );
  assert.deepEqual(await taken_back([ride, back, ride, back, back, ["b", "5", "6"]]), {
    ...none,
    completed: 1,
    fare: 500,
    voided: 3,
    waiting: 1,
    sum: -1_420,
    ids: 4,
  });
  for (const rows of [[["a", "12", "13"], back, ride], [back, ride, ["a", "12", "13"]]] as const) {
    assert.deepEqual(
      await taken_back(rows),
      { ...none, completed: 1, fare: 1_200, voided: 1, ids: 2 },
      "of equal rides the one with the fare that is taken back",
    );
  }
  assert.deepEqual(
    await taken_back([ride, ["a", "-4", "-4"]]),
    { ...none, completed: 1, fare: 1_420, voided: 1, waiting: 1, sum: -400, ids: 2 },
    "a part of a fare takes no ride back",
  );
  assert.deepEqual(
    await taken_back([["a", "0", "1.5"], ["a", "0.0", "-1.5"], ["b", "0", "0"], ["c", "0", ""]]),
    { ...none, completed: 2, voided: 1, ids: 3 },
    "a fare of nothing counts, unless the total is taken back",
  );
  assert.deepEqual(
    await taken_back([["a", "9", "-1"], ["b", "-9", "1"]]),
    { ...none, completed: 1, fare: 900, voided: 1, waiting: 1, sum: -900, ids: 2 },
    "the fare decides where it is not nothing",
  );
});
