import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import { export_events, type ExportPlace, FolderPlace, S3Place, type TableForm } from "../../src/export/mod.ts";
import { PACKED } from "../../src/files/mod.ts";
import { text_pieces } from "../../src/files/text_pieces.ts";
import { tacho_test } from "../support/available.ts";
import { invented, log_template, make_log, take_in } from "../support/generated_log.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { run_python } from "../support/pyarrow.ts";
import { shared_postgres } from "../support/postgres.ts";
import { start_s3_server } from "../support/s3_server.ts";
import { message, trip_pipeline } from "../support/trip_pipeline.ts";

/** Files of events: each is there whole or not at all, none is written twice, and together they are the log. */

const never = new AbortController().signal;

const with_trades = async (
  work: (log: {
    /** Exports all there is by now, 70 positions a file. */
    run: (
      place: ExportPlace,
      heard?: (through: number) => void,
      form?: Partial<TableForm>,
    ) => ReturnType<typeof export_events>;
    database: Database;
    more: () => Promise<void>;
    position: () => Promise<number>;
  }) => Promise<void>,
) => {
  const { url } = await (await shared_postgres()).create_database(log_template(TRADES));
  const values = invented(TRADES, 2), half = Math.floor(values.length / 2);
  const database = await make_log(url, TRADES, values.slice(0, half), 45);
  const position = async () => (await read_head(database)).position;
  try {
    await work({
      position,
      database,
      async run(place, heard = () => {}, form = {}) {
        let done = 0;
        return await export_events({
          ...{ database, place, form: { format: "ndjson", packing: null, ...form }, domain: "trades", log_id: "L" },
          ...{ from: 1, through: await position(), types: null, positions_of_file: 70, signal: never },
          progress: (positions) => heard(done += positions),
        });
      },
      more: () =>
        take_in(database, TRADES.make({ currency: "USD" }), "trades", values.map((value, i) => message(i, value)), 60),
    });
  } finally {
    await database.close();
  }
};

/** The positions in some text, and that they are one behind the other. */
function positions_in(text: string, from: number): number {
  const positions = text.trimEnd().split("\n").map((line) => JSON.parse(line).position as number);
  assert.deepEqual(positions, positions.map((_, i) => from + i));
  return positions.length;
}

for (const packing of [null, "gzip", "zstd"] as const) {
  tacho_test({
    name: `an export ${
      packing === null ? "" : `packed by ${packing} `
    }that is killed while it writes a file leaves none half, goes on with that file, and later adds what came since`,
    needs: ["postgres"],
    fn: () =>
      with_trades(async ({ run: run_form, more, position }) => {
        const run = (place: ExportPlace, heard?: (through: number) => void) => run_form(place, heard, { packing });
        const ending = `.ndjson${packing === null ? "" : PACKED[packing]}`;
        const text_in = async (names: readonly string[]) => {
          let all = "";
          for (const name of names) {
            for await (const { text } of text_pieces(`${made.path}/${name}`, packing)) all += text;
          }
          return all;
        };
        const made = new GuardedFolder("events");
        await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
        const place = new FolderPlace(made.path, Date.now);
        const names = () =>
          [...Deno.readDirSync(made.path)].map(({ name }) => name).filter((name) => /^events-/.test(name)).sort();
        // As if it were killed: nothing is tidied up.
        const killed: ExportPlace = Object.assign(Object.create(place), {
          begin: async (name: string) => ({ ...await place.begin(name), abandon: () => Promise.resolve() }),
          shown: place.shown,
          read: (name: string) => place.read(name),
          size: (name: string) => place.size(name),
          write: (name: string, text: string) => place.write(name, text),
        });
        const gone = new Error("killed");
        await assert.rejects(
          run(killed, (through) => {
            if (through > 250) throw gone;
          }),
          (error) => error === gone,
        );
        const whole = names().filter((name) => name.endsWith(ending));
        assert.deepEqual(
          whole,
          ["000000000001", "000000000071", "000000000141"].map((first) => `events-${first}${ending}`),
        );
        assert.equal(names().length, 4, "and a part that nobody takes for a file");
        const inode = (name: string) => Deno.statSync(`${made.path}/${name}`).ino;
        const before = whole.map(inode);
        const first = await run(place);
        assert.equal(first.there_before, 3);
        assert.deepEqual(whole.map(inode), before);
        await more();
        const second = await run(place), files = Math.ceil(await position() / 70);
        assert.deepEqual([second.files, second.there_before], [files, first.files - 1], "its last file was not full");
        assert.deepEqual(whole.map(inode), before);
        const all = names().filter((name) => name.endsWith(ending));
        assert.equal(
          positions_in(await text_in(all), 1),
          await position(),
        );
        // What somebody removed or cut is written again, and nothing else.
        Deno.removeSync(`${made.path}/${all[0]}`);
        Deno.writeTextFileSync(`${made.path}/${all[1]}`, "half");
        assert.equal((await run(place)).there_before, files - 2);
        assert.equal(
          positions_in(await text_in(all), 1),
          await position(),
        );
        assert.equal((await run(place)).there_before, files);
        Deno.writeTextFileSync(`${made.path}/events.manifest.json`, "{}");
        await assert.rejects(run(place), { name: "PlaceUnusable", message: /none that this program wrote/ });
      }),
  });
}

tacho_test({
  name: "events go to S3 as to a folder",
  needs: ["postgres", "s3"],
  fn: () =>
    with_trades(async ({ run, position }) => {
      await using server = await start_s3_server("logs");
      const keys = { access_key_id: "AK", secret_access_key: "s", session_token: null, region: "eu-central-1" };
      const place = new S3Place("s3://logs/trades", { ...keys, endpoint: server.endpoint });
      const { files, there_before } = await run(place);
      assert.equal(there_before, 0);
      assert.deepEqual((await run(place)).there_before, files);
      let text = "";
      for (let first = 1; first <= await position(); first += 70) {
        text += await place.read(`events-${String(first).padStart(12, "0")}.ndjson`);
      }
      assert.equal(positions_in(text, 1), await position());
    }),
});

tacho_test({
  name: "events as Parquet are what Arrow reads: their types, and sums equal to those of the log",
  needs: ["postgres", "pyarrow"],
  fn: () =>
    with_trades(async ({ run, database }) => {
      const made = new GuardedFolder("events");
      await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
      await run(new FolderPlace(made.path, Date.now), () => {}, { format: "parquet" });
      const read = await run_python(
        `
import glob, json, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
files = sorted(glob.glob(sys.argv[1] + "/events-*.parquet"))
t = pa.concat_tables([pq.read_table(f) for f in files])
sum = lambda column: pc.sum(column).as_py()
print(json.dumps({
  "types": [str(f.type) for f in t.schema],
  "about": sorted(json.loads(t.schema.metadata[b"tacho"])),
  "packed": pq.ParquetFile(files[0]).metadata.row_group(0).column(0).compression,
  "rows": t.num_rows,
  "positions": sum(t["position"]),
  "batches": sum(t["batch"]),
  "revisions": sum(t["revision"]),
  "occurred": str(sum(pc.cast(t["occurred_at"], pa.int64()))),
  "recorded": str(sum(pc.cast(t["recorded_at"], pa.int64()))),
  "volume": __builtins__.sum(json.loads(d).get("volume", 0) for d in t["data"].to_pylist()),
  "offsets": __builtins__.sum(json.loads(d)["offset"] for d in t["metadata"].to_pylist()),
  "ids": sorted(set(t["stream_id"].to_pylist()))[-1],
}))`,
        made.path,
      ) as Record<string, unknown>;
      const [row] = await database.query(
        `select count(*)::int as rows, sum(position)::int as positions, sum(revision)::int as revisions,
          sum((extract(epoch from occurred_at) * 1000000)::bigint)::text as occurred,
          sum((extract(epoch from e.recorded_at) * 1000000)::bigint)::text as recorded, sum(batch)::int as batches,
          sum((data->>'volume')::bigint)::int as volume, sum((e.metadata->>'offset')::int)::int as offsets, max(stream_id) as ids
          from events e join batches b on position between first_position and last_position`,
      );
      const { types, about, packed, ...sums } = read;
      assert.deepEqual(sums, row);
      assert.deepEqual([packed, about], ["ZSTD", ["domain", "from", "log_id", "through"]]);
      const time = "timestamp[us, tz=UTC]";
      assert.deepEqual(types, [
        ...["int64", "int64", "string", "int64", "string", "string", "int64"],
        ...[time, time, "string", "string"],
      ]);
    }),
});

tacho_test({
  name: "a batch that has to follow a position is not written elsewhere",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(log_template(TRIPS));
    const database = await make_log(url, TRIPS, invented(TRIPS, 0.1), 1_000);
    try {
      const { position } = await read_head(database), pipeline = trip_pipeline(database);
      const event = { event_id: "e", trip_id: "T", type: "trip.started", occurred_at: "2026-03-01T10:00:00Z" };
      const messages = [message(0, event)];
      const planned = await pipeline.plan(
        [{ topic: "t", partition: 0, from_offset: 0, next_offset: 1, messages }],
        [],
        "c",
      );
      await assert.rejects(pipeline.append(planned, position - 1), {
        name: "Overtaken",
        message: /the log is at \d+$/,
      });
      assert.equal((await read_head(database)).position, position);
      await pipeline.append(planned, position);
      assert.equal((await read_head(database)).position, position + 1);
    } finally {
      await database.close();
    }
  },
});
