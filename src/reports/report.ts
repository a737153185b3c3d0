import { z } from "zod";
import { faults_of, name, read_json, type RuleFault, WEBHOOK } from "../alerts/mod.ts";
import { type DomainBoard, json_place, shown } from "../domains/mod.ts";
import { format_filter, item_figure, type View, window_at } from "../feed/mod.ts";
import { read_query } from "../http/mod.ts";
import { type Days, format_time } from "../kpi/mod.ts";
import { type Schedule, times_every, WEEKDAYS } from "./due.ts";

/**
 * The file of TACHO_REPORTS: reports by the name of their domain. Strict: what is not known is a fault, all of a report are found at once, each with
 * its place.
 */

/** What is sent: the series of a board, the items of a figure, or a picture of the board. */
type Sent = { readonly kind: "series" | "picture" } | { readonly kind: "items"; readonly figure: string };

/** A report, read. */
export interface Report {
  readonly name: string;
  readonly view: View;
  readonly schedule: Schedule;
  readonly sent: Sent;
  /** What follows the host may be a secret. */
  readonly webhook: string;
  /** File with the key that requests are signed with; null: that of TACHO_ALERT_SECRET, or none. */
  readonly secret_file: string | null;
}

/** Most reports of a domain. */
const MOST_REPORTS = 50;
/** Most times of a day that one report names. */
const MOST_TIMES = 24;
const EVERY = [1, 2, 3, 4, 6, 8, 12, 24].map((hours) => `${hours}h`);

const no_time = {
  error: ({ input }: { readonly input?: unknown }) => `expected a time of the day such as "07:00", got ${shown(input)}`,
};
const time = z.string(no_time).regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, no_time);
const one_of = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, { error: ({ input }) => `expected one of ${names.join(", ")}, got ${shown(input)}` });

const FORM = z.strictObject({
  name,
  view: z.string({ error: ({ input }) => `expected a board's address from its "?" on, got ${shown(input)}` })
    .max(4_000, "expected at most 4000 characters").default(""),
  at: z.preprocess(
    (value) => typeof value === "string" ? [value] : value,
    z.array(time, {
      error: ({ input }) => `expected a time of the day such as "07:00", or a list of them, got ${shown(input)}`,
    }).min(1, "expected at least one time").max(MOST_TIMES, `expected at most ${MOST_TIMES} times`),
  ).optional(),
  every: one_of(EVERY as [string, ...string[]]).optional(),
  days: z.array(one_of(WEEKDAYS), {
    error: ({ input }) => `expected a list of ${WEEKDAYS.join(", ")}, got ${shown(input)}`,
  }).min(1, "expected at least one day").optional(),
  as: one_of(["csv", "picture"]),
  figure: z.string({ error: ({ input }) => `expected the name of a figure, got ${shown(input)}` }).optional(),
  ...WEBHOOK.shape,
});

const FILE = z.strictObject({
  reports: z.record(
    z.string(),
    z.array(z.unknown(), { error: ({ input }) => `expected a list of reports, got ${shown(input)}` }),
    { error: ({ input }) => `expected an object of domains with lists of reports, got ${shown(input)}` },
  ),
});

/** The reports as they were written, by the name of their domain: `read_reports_of` reads them. */
export type ReportsFile = ReadonlyMap<string, readonly unknown[]>;

type Read<Of> =
  | { readonly ok: true } & Of
  | { readonly ok: false; readonly faults: readonly RuleFault[] };

/** What a file says, or all that is wrong with it but its reports. @param domains the names of those that there are */
export function read_reports_file(
  text: string,
  domains: readonly string[],
): Read<{ readonly file: ReportsFile }> {
  const said = read_json(text, FILE);
  if (!said.ok) return said;
  const file = new Map(Object.entries(said.data.reports)), faults: RuleFault[] = [];
  for (const [domain, { length }] of file) {
    const place = json_place(["reports", domain]);
    if (!domains.includes(domain)) {
      faults.push({ place, message: `expected one of ${domains.join(", ")}, got ${shown(domain)}` });
    }
    if (length > MOST_REPORTS) {
      faults.push({ place, message: `expected at most ${MOST_REPORTS} reports, got ${length}` });
    }
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, file };
}

/** The reports of a domain in a file, held against its declaration. */
export function read_reports_of(
  board: DomainBoard,
  domain: string,
  file: ReportsFile,
): Read<{ readonly reports: readonly Report[] }> {
  const reports: Report[] = [], faults: RuleFault[] = [];
  for (const [i, json] of (file.get(domain) ?? []).entries()) {
    const at = ["reports", domain, i], read = read_report(board, json, at);
    if (!read.ok) {
      faults.push(...read.faults);
      continue;
    }
    const { report } = read;
    if (reports.some(({ name }) => name === report.name)) {
      faults.push({ place: json_place([...at, "name"]), message: `there is a report ${shown(report.name)} before it` });
    }
    reports.push(report);
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, reports };
}

function read_report(board: DomainBoard, json: unknown, at: readonly PropertyKey[]): Read<{ readonly report: Report }> {
  const { data: form, error } = FORM.safeParse(json);
  if (error !== undefined) return { ok: false, faults: faults_of(error, at, Object.keys(FORM.shape)) };
  const faults: RuleFault[] = [];
  const fault = (path: readonly PropertyKey[], message: string) =>
    faults.push({ place: json_place([...at, ...path]), message });
  const { every, days = null, as, figure } = form;
  if ((form.at === undefined) === (every === undefined)) {
    fault([], `expected one of at, every, got ${form.at === undefined ? "none" : "both"}`);
  }
  if (figure !== undefined) {
    const found = item_figure(board, figure);
    if (as === "picture") fault(["figure"], 'expected none beside "as": "picture", which is of the whole board');
    else if (found === null || typeof found === "string") {
      fault(["figure"], `expected a figure that adds up, got ${shown(figure)}: ${found ?? "there is no such"}`);
    }
  }
  const read = read_query(board, form.view);
  if (!read.ok) { for (const { path, detail } of read.faults) fault(["view"], `${path}: ${detail}`); }
  if (!read.ok || faults.length > 0) return { ok: false, faults };
  const sent: Sent = as === "picture"
    ? { kind: "picture" }
    : figure === undefined
    ? { kind: "series" }
    : { kind: "items", figure };
  const times = form.at ?? times_every(Number.parseInt(every!));
  const { name, webhook, secret_file = null } = form;
  return {
    ok: true,
    report: { name, view: read.view, schedule: { times, weekdays: days }, sent, webhook, secret_file },
  };
}

/** Most items of one report. */
const MOST_ITEMS = 100_000;

/**
 * What the API of the domain is asked for: the range is that of when the report was due, up to then where it goes on with the clock, and its buckets
 * are as wide as is meant for its length.
 */
export function path_of({ view, sent }: Report, due_us: number, days: Days): string {
  const due_s = due_us / 1e6,
    at: View = view.range === "custom" || view.range === "last" ? view : { ...view, to_s: view.to_s ?? due_s };
  const { from_s, to_s, grain } = window_at(at, due_us / 1_000, days);
  const query = new URLSearchParams({
    from: format_time(from_s * 1e6),
    to: format_time(to_s * 1e6),
    grain,
    compare: view.compare,
    ...view.currency === undefined ? {} : { currency: view.currency },
    ...sent.kind === "picture" ? {} : { format: "csv" },
    ...sent.kind === "items" ? { figure: sent.figure, limit: String(MOST_ITEMS) } : {},
  });
  const filter = format_filter(view.filter);
  return `/api/v1/${sent.kind === "items" ? "kpis/items" : "board"}?${query}${filter === "" ? "" : `&${filter}`}`;
}
