/** The command line: every command with its options and an example, and how each kind of argument is read and written. What a command does is a verb. */
import { add_exports, add_keeping } from "./exports.ts";
import { add_alerts, add_log, add_proof, add_quarantine, add_reports } from "./log.ts";
import { add_produce, add_serving } from "./serve.ts";
import { add_flink } from "./flink.ts";
import { program } from "./program.ts";
import { add_records } from "./records.ts";

// In the order of the help.
add_serving();
add_produce();
add_records();
add_quarantine();
add_exports();
add_alerts();
add_reports();
add_log();
add_proof();
add_keeping();
add_flink();

export { program };
