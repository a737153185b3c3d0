/** The command line: every command with its options and an example, and how each kind of argument is read and written. What a command does is a verb. */
import { add_exports } from "./exports.ts";
import { add_keeping } from "./keeping.ts";
import { add_alerts, add_log } from "./log.ts";
import { add_produce } from "./produce.ts";
import { program } from "./program.ts";
import { add_proof } from "./proof.ts";
import { add_quarantine } from "./quarantine.ts";
import { add_records } from "./records.ts";
import { add_serving } from "./serve.ts";

// In the order of the help.
add_serving();
add_produce();
add_records();
add_quarantine();
add_exports();
add_alerts();
add_log();
add_proof();
add_keeping();

export { program };
