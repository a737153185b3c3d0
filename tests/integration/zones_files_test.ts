import assert from "node:assert/strict";
import { zones_of } from "../../src/verbs/parts/mod.ts";
import { UsageError } from "../../src/verbs/shell.ts";
import { tacho_test } from "../support/available.ts";

/** The files of zones that a deployment names, as a program that serves reads them. */

const SQUARE = [[-74, 40.7], [-73.9, 40.7], [-73.9, 40.8], [-74, 40.8], [-74, 40.7]];
const feature = (properties: unknown) => ({
  type: "Feature",
  properties,
  geometry: { type: "Polygon", coordinates: [SQUARE] },
});
const file = (...features: unknown[]) => JSON.stringify({ type: "FeatureCollection", features });

tacho_test({
  name: "files of a deployment are read at the start, and what is wrong with one ends the program naming the setting",
  needs: [],
  async fn() {
    const folder = await Deno.makeTempDir();
    const write = async (name: string, text: string) => {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      return `${folder}/${name}`;
    };
    try {
      const none = { zones: null, zones_key: "LocationID", zones_name: "zone", zone_names: null, outline: null };
      assert.equal(await zones_of(none), null);
      const zones = await write(
        "zones.geojson",
        file(feature({ LocationID: 4, zone: "Alphabet City" }), feature({ LocationID: 5 })),
      );
      const zone_names = await write(
        "names.csv",
        'zone,LocationID,borough\n"Arden, the Heights",5,Staten Island\nElsewhere,99,\n',
      );
      const given = await zones_of({ ...none, zones, zone_names, outline: zones });
      assert.deepEqual([...given!.names], [["4", "Alphabet City"], ["5", "Arden, the Heights"], ["99", "Elsewhere"]]);
      assert.deepEqual([[...given!.areas.keys()], given!.backdrop.length], [["4", "5"], 2]);
      const refused = async (given: Partial<typeof none> & object, says: RegExp) =>
        await assert.rejects(
          zones_of({ ...none, ...given }),
          (error: Error) => error instanceof UsageError && says.test(error.message),
        );
      await refused({ zones: `${folder}/none.geojson` } as never, /^TACHO_ZONES=.*none\.geojson: cannot be read: /);
      await refused({ zones: folder } as never, /^TACHO_ZONES=/);
      await refused({ zones: zone_names } as never, /^TACHO_ZONES=.*names\.csv: expected JSON: /);
      await refused({ outline: zone_names } as never, /^TACHO_OUTLINE=.*: expected JSON: /);
      await refused(
        { zone_names: await write("other.csv", "a,b\n1,2\n") } as never,
        /^TACHO_ZONE_NAMES=.*expected the columns LocationID and zone, got a, b$/,
      );
      await refused(
        { zone_names: await write("blank.csv", "zone,LocationID\n,2\n") } as never,
        /line 2, zone: expected a text/,
      );
      await refused({ zone_names: await write("empty.csv", "zone,LocationID\n") } as never, /expected rows, got none/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
