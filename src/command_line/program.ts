import { Command, type Option } from "commander";
import { WRITTEN } from "./arguments.ts";
import { run_verb, type Shell, VERSION } from "../verbs/mod.ts";

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

/** Runs a verb on the domain of the command line. */
export const run = (verb: (shell: Shell) => Promise<void>, env_file: string | null = null): Promise<never> =>
  run_verb(verb, program.opts<{ readonly domain?: string }>().domain, env_file);

/** An example of a command for its help; `text` without the program's name. */
export const example = (text: string): string => `\nExample:\n  tacho ${text}`;
