import { Command, InvalidArgumentError, type Option } from "commander";
import { type Condition, run_verb, type Shell, VERSION } from "../verbs/mod.ts";
import { parse_duration, parse_time } from "../kpi/mod.ts";
import { is_time_zone } from "../runtime/mod.ts";

/** How what stands on the command line is read, and how it has to be written, in words that help and errors have in common. */

/** How the text of an option is written, in words, by what reads it. */
const WRITTEN = new Map<unknown, string>();
/** Makes a reader of a text on the command line, which gives null for one that is not written so. */
function written<T>(words: string, read: (text: string) => T | null): (text: string) => T {
  const reader = (text: string): T => {
    const value = read(text);
    if (value === null) throw new InvalidArgumentError(`Expected ${words}.`);
    return value;
  };
  WRITTEN.set(reader, words);
  return reader;
}
const ENDLESS = 1e12;
const bounds = (from: number, to: number): string => to < ENDLESS ? `from ${from} to ${to}` : `from ${from} on`;
const within = (text: string, from: number, to: number): number | null => {
  const value = Number(text);
  return text.trim() !== "" && value >= from && value <= to ? value : null;
};
/** A number of the command line, within bounds. */
export const number = (from: number, to: number) =>
  written(`a number ${bounds(from, to)}`, (text) => within(text, from, to));
/** A whole number of the command line, within bounds. */
export const whole = (from: number, to: number) =>
  written(`a whole number ${bounds(from, to)}`, (text) => {
    const value = within(text, from, to);
    return Number.isInteger(value) ? value : null;
  });
/** Whole numbers, as many as are given. */
export const each_whole = (from: number, to: number) => (text: string, others: number[] = []): number[] => [
  ...others,
  whole(from, to)(text),
];
/** A time of the command line, in microseconds. */
export const instant = written("an RFC 3339 time with zone, such as 2026-03-01T12:00:00Z", (text) => {
  const parsed = parse_time(text);
  return parsed.ok ? parsed.us : null;
});
/** A position of a log, or a time, microseconds. */
export const log_point = written("a position such as 1000, or a time such as 2026-03-01T12:00:00Z", (text) => {
  if (/^[1-9]\d{0,14}$/.test(text)) return { position: Number(text) };
  const parsed = parse_time(text);
  return parsed.ok ? { at_us: parsed.us } : null;
});
/** A length of time of the command line, in microseconds. */
export const duration = written("a length of time such as 30s, 5m, 12h or 7d, at most ten years", parse_duration);
/** What tables of a read model beside the live one are called after. */
export const model_name = written(
  "a name of at most 16 small letters and digits, beginning with a letter",
  (text) => /^[a-z][a-z0-9]{0,15}$/.test(text) ? text : null,
);
/** A time zone of the command line. */
export const time_zone = written(
  "an IANA time zone such as Europe/Berlin",
  (text) => is_time_zone(text) ? text : null,
);
/** A currency of the command line. */
export const currency = written(
  "three capital letters such as EUR",
  (text) => /^[A-Z]{3}$/.test(text) ? text : null,
);
/** A date of the command line. */
export const date = written("a date such as 2026-03-01", (text) => {
  try {
    return /^\d{4}-\d\d-\d\d$/.test(text) ? String(Temporal.PlainDate.from(text, { overflow: "reject" })) : null;
  } catch {
    return null;
  }
});
/** A share of the command line, in percent. */
export const percent = written("a share from 0% to 100%, such as 10% or 0.5%", (text) => {
  const value = Number(/^(\d{1,3}(?:\.\d{1,6})?) ?%$/.exec(text)?.[1]);
  return value <= 100 ? value : null;
});
/** How many times as fast as the clock; Infinity for max. */
export const speed = written(
  "a number of times such as 60x, or max",
  (text) => text === "max" ? Infinity : within(text.replace(/x$/, ""), 0.001, 1e9),
);
const condition = written("dimension=value, such as city=Chicago", (text) => {
  const at = text.indexOf("=");
  return at < 1 ? null : { dimension: text.slice(0, at), key: text.slice(at + 1) };
});
/** Values of dimensions, as many as are given. */
export const conditions = (text: string, others: readonly Condition[] = []): readonly Condition[] => [
  ...others,
  condition(text),
];
/** Texts, as many as are given. */
export const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

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
