import { z } from "zod";

/** How the texts of settings are read, and what is wrong with them in words: of what may hold a secret nothing is quoted. */

/** Whether a text names a time zone, as IANA has them. */
export const is_time_zone = (zone: string): boolean => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
};

/** A whole number, both bounds allowed. */
export const integer = (from: number, to: number) =>
  z.string().regex(/^\d+$/, "expected a whole number").transform(Number).pipe(z.number().min(from).max(to));

/** Yes or no. */
export const flag = z.enum(["true", "false", "1", "0"]).transform((text) => text === "true" || text === "1");

/** Kafka topics, comma-separated. */
export const topic_list = z.string().transform((text) => text.split(",").map((topic) => topic.trim())).pipe(
  z.array(z.string().regex(/^[a-zA-Z0-9._-]{1,249}$/, "expected a Kafka topic name")).min(1),
);

/** What reads the records of topics: `topic=name-or-file`, comma-separated. */
export const mapping_list = z.string().transform((text) => text.split(",").map((pair) => pair.trim())).pipe(
  z.array(
    z.string().regex(/^[a-zA-Z0-9._-]+=\S+$/, "expected topic=name-or-file").transform((pair) => {
      const at = pair.indexOf("=");
      return { topic: pair.slice(0, at), mapping: pair.slice(at + 1) };
    }),
  ),
);

/** The address of a server, by which `such` is what it looks like. */
export const server_url = (such: string) => z.string().regex(/^https?:\/\/[^\s?#@]+$/, `expected ${such}`);

/** Where topics begin that were never read. */
export const start = z.enum(["earliest", "latest"], { error: "expected earliest or latest" });

/** How long cells of minutes and of five minutes are kept, days; one that is not named: for ever. */
export interface KeptDays {
  readonly "1m"?: number;
  readonly "5m"?: number;
}

const MOST_DAYS = 36_500;

/** Reads `1m:90d,5m:365d`, or `off`: all are kept for ever. What is wrong, as text, where it is neither. */
function parse_kept_days(text: string): KeptDays | string {
  if (text === "off") return {};
  const ages: { "1m"?: number; "5m"?: number } = {};
  for (const part of text.split(",").map((each) => each.trim())) {
    const [, grain, age = ""] = /^(1m|5m):(\d{1,5})d$/.exec(part) ?? [];
    if (grain !== "1m" && grain !== "5m") {
      return `expected off, or 1m and 5m with days, such as 1m:90d,5m:365d; ${JSON.stringify(part)} is none of it` +
        (/^(1h|1d|all)(:|$)/.test(part) ? ": hours, days and all of time are kept for ever" : "");
    }
    const days = Number(age);
    if (ages[grain] !== undefined) return `names ${grain} twice`;
    if (days < 1 || days > MOST_DAYS) return `expected 1 to ${MOST_DAYS} days of ${grain}`;
    ages[grain] = days;
  }
  const { "1m": minutes, "5m": fives } = ages;
  if (fives !== undefined && (minutes === undefined || minutes > fives)) {
    const kept = minutes === undefined ? "for ever" : `for ${minutes} days`;
    return `expected 1m to be kept no longer than 5m, which is for ${fives} days, not ${kept}`;
  }
  return ages;
}

/** How long cells are kept: `1m:90d,5m:365d`, or `off`. */
export const kept_days = z.string().transform((text, context): KeptDays => {
  const ages = parse_kept_days(text);
  if (typeof ages !== "string") return ages;
  context.addIssue({ code: "custom", message: ages });
  return z.NEVER;
});

const HOW_TO_ESCAPE =
  "in user name, password and name write / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, % as %25 and space as %20";

/** What is wrong with the URL of a PostgreSQL server, of which nothing is quoted, for it holds a password; null when nothing is. */
function fault_of_url(text: string): string | null {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text) ?? [];
  if (rest === undefined) return "expected postgres://…";
  // An @ past the host is the end of a password that another character cut short: what follows that would pass for host, port or name.
  const host_ends = rest.search(/[/?#]/);
  const cut = host_ends >= 0 && rest.slice(host_ends).includes("@");
  if (cut || /[#\s]/.test(rest)) return `it holds a character that has to be escaped: ${HOW_TO_ESCAPE}`;
  try {
    const { username, password, hostname, pathname } = new URL(text.replace("@/", "@nobody/"));
    for (const part of [username, password, hostname, pathname]) decodeURIComponent(part);
    return null;
  } catch {
    return `expected postgres://user:password@host:5432/name; ${HOW_TO_ESCAPE}`;
  }
}

/** The URL of a PostgreSQL server. */
export const database_url = z.string().superRefine((text, context) => {
  const fault = fault_of_url(text);
  if (fault !== null) context.addIssue(fault);
});
