import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import Papa from "papaparse";
import { RECORD_COLUMNS, record_event, type RecordShape } from "../../src/domains/trips/mod.ts";
import { format_time, local_time } from "../../src/kpi/mod.ts";
import { data_folder, tacho_test } from "../support/available.ts";
import { builtin } from "../support/trip_mapping.ts";

const ZONE = "America/New_York";

tacho_test({
  name: "mappings of trip starts and ends give exactly what the record shapes do, ids included",
  needs: ["data"],
  fn() {
    for (const shape of ["trip_start", "trip_end"] as const satisfies readonly RecordShape[]) {
      const mapping = builtin(shape, { business_zone: ZONE });
      const text = Deno.readTextFileSync(`${data_folder()}/${shape}.csv`);
      const { data } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
      assert.equal(data.length, 4_999);
      for (const row of data) {
        const identity = RECORD_COLUMNS[shape].map((column) => row[column] ?? "").join("\u001f");
        const event_id = `${shape}-${createHash("sha256").update(identity).digest("hex").slice(0, 24)}`;
        const wanted = record_event(shape, row, event_id, (local) => format_time(local_time(local, ZONE)!));
        assert.ok(wanted.ok);
        assert.deepEqual(mapping.map(row), { ok: true, value: [wanted.value] });
      }
    }
  },
});
