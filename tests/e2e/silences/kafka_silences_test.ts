import assert from "node:assert/strict";
import { tacho_test } from "../../support/available.ts";
import { start_faulty_kafka } from "../../support/faulty_kafka.ts";
import { PROGRAM_SILENCES } from "./program_silences.ts";
import { Reading, type Silence } from "./reading.ts";
import { slow_database } from "./slow_database.ts";
import { SOURCE_SILENCES } from "./source_silences.ts";

/**
 * Everything that may fall silent between tacho and a broker, with the settings of production. All run side by side, each by
 * a way of its own.
 */
const SILENCES: Readonly<Record<string, Silence>> = {
  ...SOURCE_SILENCES,
  "the database is so slow that the group forgets us": slow_database,
  ...PROGRAM_SILENCES,
};

tacho_test({
  name: "kafka's silences end in messages again or in a program that ends with a reason, within 30 s",
  needs: ["postgres", "kafka"],
  async fn(context) {
    await using kafka = await start_faulty_kafka(Object.keys(SILENCES).length);
    {
      // The first member of a broker's first group meets a coordinator that is not ready yet.
      await using first = new Reading(kafka, kafka.server.brokers);
      await first.begin();
    }
    const side_by_side = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
    const passed = await Promise.all(
      Object.entries(SILENCES).map(([name, silence]) =>
        context.step({ name, fn: () => silence(kafka, kafka.take_proxy()), ...side_by_side })
      ),
    );
    assert.ok(!passed.includes(false), "each failure is told above");
  },
});
