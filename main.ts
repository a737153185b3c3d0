import { Command, Option } from "commander";
import {
  collect,
  date,
  duration,
  each_whole,
  instant,
  log_point,
  model_name,
  number,
  percent,
  speed,
  time_zone,
  whole,
  WRITTEN,
} from "./src/command_line/mod.ts";
import type { Shell } from "./src/verbs/mod.ts";

/** From this version on imports of text, by which migrations and page come in, and Temporal are there without a flag. */
const LEAST_DENO = [2, 9, 0];
const deno = Deno.version.deno.split(".").map((part) => parseInt(part));
const differs = LEAST_DENO.findIndex((least, i) => deno[i] !== least);
if (differs >= 0 && !(deno[differs]! > LEAST_DENO[differs]!)) {
  const least = LEAST_DENO.join(".");
  console.error(
    `tacho: needs Deno ${least} or newer, this is ${Deno.version.deno}; \`npx -y deno@${least} task …\` runs it`,
  );
  Deno.exit(2);
}
// Only now: an earlier version cannot even load it.
const {
  accept_gap_verb,
  daily_export_verb,
  dev_verb,
  mapping_check_verb,
  mapping_list_verb,
  mapping_show_verb,
  migrate_verb,
  open_verb,
  produce_verb,
  quarantine_discard_verb,
  quarantine_list_verb,
  quarantine_retry_verb,
  quarantine_show_verb,
  rebuild_sketches_verb,
  rebuild_verb,
  replay_verb,
  run_verb,
  schema_verb,
  serve_verb,
  table_export_verb,
  verify_verb,
  VERSION,
  watermark_verb,
} = await import("./src/verbs/mod.ts");

/** What help says of an option: what it is for, how its text is written, and whether it is required or what holds without it. */
function option_words(option: Option): string {
  const { description, parseArg, argChoices, mandatory, defaultValue, defaultValueDescription } = option;
  const none = defaultValue === undefined || (Array.isArray(defaultValue) && defaultValue.length === 0);
  const value = typeof defaultValue === "boolean" ? defaultValue ? "on" : "off" : defaultValue;
  const notes = [
    WRITTEN.get(parseArg) ?? (argChoices === undefined ? "" : argChoices.join(", ")),
    mandatory ? "required" : none ? "" : `default: ${defaultValueDescription ?? value}`,
  ].filter((note) => note !== "");
  return notes.length === 0 ? description : `${description} (${notes.join("; ")})`;
}

/** Runs a verb on the domain of the command line. */
const run = (verb: (shell: Shell) => Promise<void>, env_file: string | null = null): Promise<never> =>
  run_verb(verb, program.opts<{ readonly domain?: string }>().domain, env_file);

/** The command line. */
export const program = new Command("tacho")
  .description("Event-sourced, real-time KPIs for operations. Configuration comes from the environment; see README.md.")
  .version(VERSION)
  .option("--domain <name>", "the domain to work on; the first of TACHO_DOMAINS unless given")
  .configureOutput({
    writeOut: (text) => console.log(text.trimEnd()),
    writeErr: (text) => console.error(text.trimEnd()),
  })
  .configureHelp({ optionDescription: option_words })
  .addHelpText("afterAll", "\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration.")
  .exitOverride((error) => Deno.exit(error.exitCode === 0 ? 0 : 2));

program.command("dev")
  .description("run everything here: embedded database, generated events and the page")
  .option("--domains <names>", "several side by side: all, or some such as trips,trades; one unless given")
  .option(
    "--generate",
    "write generated events also to the servers of DATABASE_URL and KAFKA_BROKERS, unless others are there",
    false,
  )
  .action((options) =>
    run((shell) => dev_verb(shell, { ...options, alone: program.opts().domain !== undefined }), ".env")
  );

program.command("serve")
  .description("serve the page, the API and the intake of events; with KAFKA_BROKERS consume its topics into the log")
  .option(
    "--read-only",
    "write nothing: the page and the API over a log that another program writes, or a standby",
    false,
  )
  .action(({ readOnly: read_only }) =>
    run((shell) => serve_verb(shell, { read_only, alone: program.opts().domain !== undefined }))
  );

program.command("migrate")
  .description("apply the migrations that are missing, and fill in what they ask for; goes on where it was stopped")
  .action(() => run(migrate_verb));

const rebuild = program.command("rebuild")
  .description(
    "make cells, totals and sketches anew from the log, beside the live ones, while the program runs; say how they differ; goes on where it was stopped",
  )
  .option("--as <name>", "what the tables beside the live ones are called after", model_name, "v2")
  .option("--switch", "when it is through, exchange it with the live one, in one transaction", false)
  .option("--rollback", "exchange it back", false)
  .option("--drop", "remove the one that is not live", false)
  .action((options) => run((shell) => rebuild_verb(shell, options)));
rebuild.command("sketches")
  .description("the percentiles' sketches, from the trips, while the program runs; goes on where it was stopped")
  .action(() => run(rebuild_sketches_verb));

program.command("produce")
  .description("send generated events of the domain to its topic, until Ctrl-C")
  .option("--rate <n>", "streams (trips, trades) a second, on the average of a week", number(0.001, 100_000), 10)
  .option("--seed <n>", "same seed, same streams", whole(0, 4_294_967_295), 1)
  .option("--variability <n>", "0 evenly spaced, 1 with demand by hour and weekday, gusts and gaps", number(0, 1), 1)
  .option("--late <share>", "share of messages sent minutes late", number(0, 1), 0)
  .option("--duplicates <share>", "share of messages sent twice", number(0, 1), 0)
  .option("--malformed <share>", "share of messages preceded by a broken copy", number(0, 1), 0)
  .option("--corrections <share>", "share of streams that are corrected later; few unless given", number(0, 1))
  .option("--voids <share>", "share of streams that are taken back later; few or none unless given", number(0, 1))
  .option("--without-fare <share>", "share of completed trips that say no fare; none unless given", number(0, 1))
  .option("--anomalies", "spikes, outages and what looks like fraud", false)
  .option(
    "--history <length>",
    "begin this long ago, catch up, then go on live; now unless given",
    duration,
  )
  .addOption(
    new Option("--start <time>", "begin at this time instead; same start and options, same bytes; now unless given")
      .argParser(instant).conflicts("history"),
  )
  .addOption(
    new Option("--speed <factor>", "how fast the past goes by; max is as fast as the broker takes it")
      .argParser(speed).default(Infinity, "max"),
  )
  .option("--count <n>", "end after so many messages; never unless given", whole(1, 1e12))
  .option("--topic <name>", "topic to send to; the first of the domain's topics unless given")
  .action((options) => run((shell) => produce_verb(shell, options)));

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
      "where in JSON documents the records are, such as data.trips; told by the file unless given",
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

reads_records(program.command("replay"))
  .description("send the records of files as trip events, in the order of their event time; again is harmless")
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
  .action((files, options) => run((shell) => replay_verb(shell, files, options)));

reads_records(program.command("open"))
  .description("show files in the browser: read into an embedded log of their own, which opens at once the next time")
  .argument("<files...>", "CSV, JSON (both also .gz) and Parquet files, of the same shape or different ones")
  .option("--mapping <name or file>", "how records become events; found by the columns unless given")
  .option("--data-dir <folder>", "where the log is kept; a folder in TACHO_DATA_DIR unless given")
  .option("--no-browser", "only say where the page is; unless given, a browser is opened")
  .action((files, options) => run((shell) => open_verb(shell, files, options)));

const mapping = program.command("mapping").description("how records of other shapes become trip events");
mapping.command("list", { isDefault: true })
  .description("the built-in mappings and their fields")
  .action(() => run(mapping_list_verb));
mapping.command("show")
  .description("the JSON of a built-in mapping, to begin your own from")
  .argument("<name>", "one that `tacho mapping list` names")
  .action((name) => run((shell) => mapping_show_verb(shell, name)));
reads_records(mapping.command("check"))
  .description("show what comes out of a sample, row by row as JSON: its events, or what would be quarantined and why")
  .argument("[name or file]", "a built-in mapping or a mapping file; found by the fields unless given")
  .requiredOption("--sample <file>", "any file that replay reads")
  .addOption(MOST_REFUSED)
  .action((name, options) => run((shell) => mapping_check_verb(shell, name, options)));

program.command("schema")
  .description("the JSON Schemas of a domain's events, by type and version")
  .action(() => run(schema_verb));

const quarantine = program.command("quarantine").description("messages that were set aside");
/** A verb on the messages that ids and filters choose. */
const quarantine_command = (name: string, reason: string, isDefault = false) =>
  quarantine.command(name, { isDefault })
    .argument("[ids...]", "their quarantine_ids", each_whole(1, Number.MAX_SAFE_INTEGER), [])
    .option(`--${reason} <reason>`, "only those held for this reason; all unless given")
    .addOption(
      new Option("--stage <stage>", "only those refused there; all unless given").choices(["decode", "plan", "append"]),
    )
    .option("--topic <name>", "only those of this topic; all unless given")
    .option("--partition <n>", "only those of this partition; all unless given", whole(0, 2_147_483_647))
    .option("--code-version <version>", "only those refused by this version of the program; all unless given")
    .option("--since <time>", "only those set aside at this time or later; all unless given", instant)
    .option("--until <time>", "only those set aside before this time; all unless given", instant);
quarantine_command("list", "reason", true)
  .description("what is held, newest first, one JSON object a line")
  .addOption(
    new Option("--status <status>", "what became of them")
      .choices(["held", "admitted", "duplicate", "tombstone", "skipped", "discarded", "all"]).default("held"),
  )
  .option("--limit <n>", "at most so many", whole(1, 1e12), 100)
  .action((ids, options) => run((shell) => quarantine_list_verb(shell, ids, options)));
quarantine.command("show")
  .description("one message: its whole key, headers and value, and what is wrong with it")
  .argument("<id>", "its quarantine_id", whole(1, Number.MAX_SAFE_INTEGER))
  .action((id) => run((shell) => quarantine_show_verb(shell, id)));
quarantine_command("retry", "reason")
  .description("send held messages through the program again, as if they were read now; while it runs, or not")
  .option("--all", "all that are held", false)
  .option("--limit <n>", "at most so many, in order of topic, partition and offset; all unless given", whole(1, 1e12))
  .option("--dry-run", "plan them and say what would become of them, and change nothing", false)
  .action((ids, options) => run((shell) => quarantine_retry_verb(shell, ids, options)));
quarantine_command("discard", "held-for")
  .description("give held messages up, on record; they keep their bytes")
  .requiredOption("--by <name>", "who discards them")
  .requiredOption("--reason <text>", "why")
  .option("--all", "all that are held", false)
  .option("--limit <n>", "at most so many, the oldest first; all unless given", whole(1, 1e12))
  .option("--dry-run", "only say how many", false)
  .action((ids, options) => run((shell) => quarantine_discard_verb(shell, ids, options)));

program.command("verify")
  .description(
    "recompute the hash chain, positions, cursors, trips and KPI cells from the log, as of one moment; others may append meanwhile",
  )
  .option("--from <position>", "only batches from this position on, and trips with an event there", whole(1, 1e15), 1)
  .option("--sample <share>", "fold only this share of the trips from their events", number(0.000001, 1), 1)
  .option("--seed <n>", "which trips are in the sample; drawn anew unless given", whole(0, 4_294_967_295))
  .action((options) => run((shell) => verify_verb(shell, options)));

const exports = program.command("export").description(
  "write figures, and what they are made of, where others look for them",
);
exports.command("daily")
  .description(
    "a document a day, daily/<date>/metrics.json; one that says the same already is left as it is, one that a late event changed is written anew",
  )
  .requiredOption("--out <place>", "a folder, or s3://bucket/prefix")
  .option("--from <date>", "the first day; yesterday unless given", date)
  .option("--to <date>", "the last day; yesterday unless given", date)
  .option("--all", "all whole days that anything lies in", false)
  .option("--follow", "all of them, and go on: each day when it has ended, and whenever it changes", false)
  .action((options) => run((shell) => daily_export_verb(shell, options)));

for (const format of ["parquet", "ndjson", "csv"] as const) {
  const command = exports.command(format)
    .description(
      `the events of the log as ${format}, in files of a million, of which \`tacho replay --to log\` makes the same log: goes on where it was stopped, and adds what came since; or a table of what is made of them, as of one moment`,
    )
    .requiredOption("--out <place>", "a folder, or s3://bucket/prefix")
    .addOption(
      new Option("--what <table>", "events; or streams' states, KPI cells, totals of dimensions of very many keys")
        .choices(["events", "states", "cells", "totals"]).default("events"),
    )
    .option(
      "--from <point>",
      "the first event: its position, or when it was recorded; of cells when the first bucket begins; the first of all unless given",
      log_point,
    )
    .option("--to <point>", "the last one; the last of all unless given", log_point)
    .option("--type <type>", "only events of this type; may be given again; all unless given", collect, [])
    .option(
      "--filter <dimension=value>",
      "only states or cells with this value; of states it may be given again; any unless given",
      collect,
      [],
    )
    .addOption(
      new Option("--grain <grain>", "only cells of this grain; all unless given").choices([
        "1m",
        "5m",
        "1h",
        "1d",
        "all",
      ]),
    )
    .action((options) => run((shell) => table_export_verb(shell, format, { gzip: false, ...options })));
  if (format !== "parquet") command.option("--gzip", "pack the files", false);
}

program.command("accept-gap")
  .description(
    "accept that messages were lost: move cursors across what the topic no longer has, and record it in the log",
  )
  .requiredOption("--by <name>", "who accepts it")
  .requiredOption("--reason <text>", "why")
  .option(
    "--only <partition...>",
    "only these partitions, as topic/number; one without a gap is read anew; all with a gap unless given",
  )
  .option("--skip <batch...>", "skip batches of an unknown codec, as topic/number:from-to; none unless given")
  .option("--dry-run", "only say what would be accepted", false)
  .action((options) => run((shell) => accept_gap_verb(shell, options)));

program.command("watermark")
  .description(
    "set event time back after an event of a wrong clock was admitted that lies far ahead, and record it in the log",
  )
  .requiredOption("--by <name>", "who decides it")
  .requiredOption("--reason <text>", "why")
  .option(
    "--not-after <time>",
    "event times later than this are not believed; now and the future limit unless given",
    instant,
  )
  .option("--dry-run", "only say what would be set back", false)
  .action((options) => run((shell) => watermark_verb(shell, options)));

/** An example of each command that does something, without the program's name. */
const EXAMPLES: Readonly<Record<string, string>> = {
  dev: "dev --domains all",
  serve: "serve",
  open: "open trips.csv --zone Europe/Berlin",
  migrate: "migrate",
  rebuild: "rebuild --switch",
  "rebuild sketches": "rebuild sketches",
  produce: "produce --history 7d --rate 2 --anomalies",
  replay: "replay --to log trips.csv.gz --lookup zones=zones.csv --zone Europe/Berlin",
  "mapping list": "mapping list",
  "mapping show": "mapping show taxis > own.json",
  "mapping check": "mapping check own.json --sample trips.csv --first 20",
  schema: "schema --domain trades > trades.schema.json",
  "quarantine list": "quarantine list --reason invalid_field --since 2026-03-01T00:00:00Z",
  "quarantine show": "quarantine show 17",
  "quarantine retry": "quarantine retry --topic trips --dry-run",
  "quarantine discard": 'quarantine discard 17 18 --by ada --reason "test messages"',
  verify: "verify --sample 0.1",
  "export daily": "export daily --out figures --from 2026-03-01 --to 2026-03-31",
  "export parquet": "export parquet --out s3://lake/trips",
  "export ndjson": "export ndjson --out log --gzip",
  "export csv": "export csv --out figures --what cells --grain 1d --filter city=Chicago",
  "accept-gap": 'accept-gap --by ada --reason "retention was too short" --dry-run',
  watermark: 'watermark --by ada --reason "a clock in 2090" --not-after 2026-03-01T12:00:00Z',
};

function add_examples(command: Command, path: readonly string[]): void {
  for (const each of command.commands) add_examples(each, [...path, each.name()]);
  const example = EXAMPLES[path.join(" ")];
  if (example !== undefined) command.addHelpText("after", `\nExample:\n  tacho ${example}`);
}
add_examples(program, []);

/** `deno task dev -- --domains all` passes on the `--` that ends the options of the task, not those of the verb. */
const given = Deno.args.filter((text, i) => !(text === "--" && i === 1 && Deno.args[2]?.startsWith("--")));

if (import.meta.main) await program.parseAsync(["deno", "tacho", ...given]);
