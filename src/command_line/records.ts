import { type Command, Option } from "commander";
import { collect, duration, example, percent, program, run, speed, time_zone, whole } from "./program.ts";
import {
  DOMAINS,
  mapping_check_verb,
  mapping_list_verb,
  mapping_show_verb,
  open_verb,
  replay_verb,
  schema_verb,
} from "../verbs/mod.ts";

/** Gives a command the options by which records of files are read. */
const reads_records = (command: Command): Command =>
  command
    .option("--first <n>", "only the first records of each file; all unless given", whole(1, 1e12))
    .option(
      "--lookup <name=file[:column]>",
      "a table for mappings, by the column that the mapping names unless given; may be given again; none unless given",
      collect,
      [],
    )
    .option(
      "--records <path>",
      "where in JSON documents the records are, such as data.items; told by the file unless given",
    )
    .option(
      "--encoding <name>",
      "of text that is no UTF-8 and has no byte order mark, such as windows-1252; UTF-8 unless given",
    )
    .option(
      "--zone <zone>",
      "zone of times that state none, such as Europe/Berlin; TACHO_TIME_ZONE unless given",
      time_zone,
    )
    .addOption(
      new Option("--decimal <mark>", "what stands before the decimals of text; as the mapping says unless given")
        .choices(["point", "comma"]),
    );
const MOST_REFUSED = new Option(
  "--most-refused <share>",
  "end with exit code 1 when more of a file's records are refused, or none comes in",
).argParser(percent).default(10, "10%");

const LAST = DOMAINS.at(-1)!.name;

/** Records of files, and the mappings that make events of them. */
export function add_records(): void {
  reads_records(program.command("replay"))
    .description("send the records of files as events, in the order of their event time; again is harmless")
    .argument("<files...>", "CSV, JSON (both also .gz) and Parquet files, of the same shape or different ones")
    .addOption(
      new Option("--to <where>", "the topic, or straight into the log").choices(["kafka", "log"]).default("kafka"),
    )
    .addOption(
      new Option("--speed <factor>", "event time against the clock; max is as fast as possible")
        .argParser(speed).default(Infinity, "max"),
    )
    .option(
      "--step <length>",
      "release whole steps of event time at once; each event when it is due unless given",
      duration,
    )
    .option("--mapping <name or file>", "how records become events; found by the columns unless given")
    .option("--resume", "go on where the same replay stopped", false)
    .addOption(MOST_REFUSED)
    .addHelpText("after", example("replay --to log records.csv.gz --lookup zones=zones.csv --zone Europe/Berlin"))
    .action((files, options) => run((shell) => replay_verb(shell, files, options)));

  reads_records(program.command("open"))
    .description("show files in the browser: read into an embedded log of their own, which opens at once the next time")
    .argument("<files...>", "CSV, JSON (both also .gz) and Parquet files, of the same shape or different ones")
    .option("--mapping <name or file>", "how records become events; found by the columns unless given")
    .option("--data-dir <folder>", "where the log is kept; a folder in TACHO_DATA_DIR unless given")
    .option("--no-browser", "only say where the page is; unless given, a browser is opened")
    .addHelpText("after", example("open records.csv --zone Europe/Berlin"))
    .action((files, options) => run((shell) => open_verb(shell, files, options)));

  const mapping = program.command("mapping").description("how records of other shapes become events");
  mapping.command("list", { isDefault: true })
    .description("the built-in mappings and their fields")
    .addHelpText("after", example("mapping list"))
    .action(() => run(mapping_list_verb));
  mapping.command("show")
    .description("the JSON of a built-in mapping, to begin your own from")
    .argument("<name>", "one that `tacho mapping list` names")
    .addHelpText("after", example("mapping show taxis > own.json"))
    .action((name) => run((shell) => mapping_show_verb(shell, name)));
  reads_records(mapping.command("check"))
    .description(
      "show what comes out of a sample, row by row as JSON: its events, or what would be quarantined and why",
    )
    .argument("[name or file]", "a built-in mapping or a mapping file; found by the fields unless given")
    .requiredOption("--sample <file>", "any file that replay reads")
    .addOption(MOST_REFUSED)
    .addHelpText("after", example("mapping check own.json --sample records.csv --first 20"))
    .action((name, options) => run((shell) => mapping_check_verb(shell, name, options)));

  program.command("schema")
    .description("the JSON Schemas of a domain's events, by type and version")
    .addHelpText("after", example(`schema --domain ${LAST} > ${LAST}.schema.json`))
    .action(() => run(schema_verb));
}
