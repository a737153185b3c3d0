import { z } from "zod";
import { type BoardFigure, count_of, type DomainBoard, in_currency, json_place, shown } from "../domains/mod.ts";
import {
  declared_figure,
  EXCLUDED,
  type Filter,
  read_filter,
  sketched_dimensions,
  sketched_key,
  STEP_S,
  type ViewGrain,
} from "../feed/mod.ts";
import { column_measures, LATENESS_US, parse_duration, parse_time, UNKNOWN } from "../kpi/mod.ts";

/**
 * Rules: what of a domain's figures is to be told when it goes beyond a threshold. A rule is written as JSON, in a file or on the page, and held
 * against the domain's declaration once; all that is wrong with it is found at once, each with its place. Pure.
 */

/**
 * What a figure is held against: a constant; itself at the same time a week before, in percent (shares in points); or what is usual at that time of the
 * week, in times as far as is usual, whether more or less.
 */
export type Comparison = typeof COMPARISONS[number];
const COMPARISONS = ["above", "below", "rises", "falls", "score"] as const;

/** A rule, read. */
export interface Rule {
  readonly name: string;
  /** A figure of the board, or a measure in its own unit. */
  readonly figure: string;
  /** The windows of event time that are looked at, one after the other. */
  readonly window: RuleGrain;
  readonly filter: Filter;
  /** Of a domain by currency: which. */
  readonly currency?: string;
  readonly comparison: Comparison;
  /** In the figure's unit, percent, or a score; of `falls` how far down, without a sign. */
  readonly threshold: number;
  /** At this, or on the good side of it, it is over; the threshold unless hysteresis is wanted. */
  readonly clear: number;
  /** For how long windows have to be beyond it, microseconds; 0: one window does. */
  readonly for_us: number;
  /** How far event time runs on past a window's end before it is looked at, microseconds. */
  readonly wait_us: number;
  /** It begins to fire in windows alone that ended no longer ago than this, microseconds: a replay or a catch-up tells nobody. */
  readonly lag_us: number;
  /** After so long without anything recorded event time goes on with the clock, microseconds; null: it stands still. */
  readonly idle_us: number | null;
  /** Windows that end by then are silent, microseconds; null: none is. */
  readonly silence_until_us: number | null;
  /** The receivers; null: all of them. */
  readonly send_to: readonly string[] | null;
  /** What whoever is told should know. */
  readonly note: string | null;
}

/** What is wrong with a rule, and where in its JSON. */
export interface RuleFault {
  readonly place: string;
  readonly message: string;
}

/** A rule, or all that is wrong with it. */
type ReadRule =
  | { readonly ok: true; readonly rule: Rule }
  | { readonly ok: false; readonly faults: readonly RuleFault[] };

/** Most rules of a domain, and how long their parts may be. */
export const RULE_LIMITS = { rules: 200, name: 64, note: 500, receivers: 20 } as const;

const MINUTE_US = 60e6, DAY_US = 86_400e6;
/** What a rule does not say. */
const USUAL = { window: "5m", for: "0s", wait: "1m", lag: "15m" } as const;
/** The widths that cells keep. */
type RuleGrain = Exclude<ViewGrain, "15m">;
const GRAINS = ["1m", "5m", "1h", "1d"] as const satisfies readonly RuleGrain[];

/** What lies nearer to the usual than this, every third window does. */
const LEAST_RULED_SCORE = 1;

/** Names of rules and receivers: part of addresses, labels and headers. */
export const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
export const name = z.string().regex(NAME, {
  error: ({ input }) =>
    `expected a name of at most ${RULE_LIMITS.name} small letters, digits, - and _, got ${shown(input)}`,
});

const duration = (least_us: number, most_us: number, words: string) =>
  z.string({ error: ({ input }) => `expected ${words}, got ${shown(input)}` }).transform((text, context) => {
    const us = text === "0s" ? 0 : parse_duration(text);
    if (us !== null && us >= least_us && us <= most_us) return us;
    context.addIssue({ code: "custom", message: `expected ${words}, got ${shown(text)}` });
    return z.NEVER;
  });

const time = z.string({ error: ({ input }) => `expected an RFC 3339 time with zone, got ${shown(input)}` })
  .transform((text, context) => {
    const parsed = parse_time(text);
    if (parsed.ok) return parsed.us;
    const message = `expected an RFC 3339 time with zone such as 2026-03-01T12:00:00Z, got ${shown(text)}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

const number = z.number({ error: ({ input }) => `expected a number, got ${shown(input)}` })
  .min(-1e15, "expected at least -1e15").max(1e15, "expected at most 1e15");

const keys = z.array(z.string({ error: ({ input }) => `expected a key as text, got ${shown(input)}` }), {
  error: ({ input }) => `expected a list of keys, got ${shown(input)}`,
}).min(1, "expected at least one key");

const FORM = z.strictObject({
  name,
  figure: z.string({ error: ({ input }) => `expected the name of a figure, got ${shown(input)}` }),
  window: z.enum(GRAINS, { error: ({ input }) => `expected one of ${GRAINS.join(", ")}, got ${shown(input)}` })
    .default(USUAL.window),
  filter: z.record(z.string(), keys, {
    error: ({ input }) => `expected an object of dimensions with lists of keys, got ${shown(input)}`,
  }).default({}),
  currency: z.string().regex(/^[A-Z]{3}$/, {
    error: ({ input }) => `expected a currency's code of three upper-case letters, got ${shown(input)}`,
  }).optional(),
  above: number.optional(),
  below: number.optional(),
  rises: number.optional(),
  falls: number.optional(),
  score: number.optional(),
  clear: number.optional(),
  for: duration(0, 7 * DAY_US, "a length of time from 0s to 7d such as 10m").default(0),
  wait: duration(0, 60 * MINUTE_US, "a length of time from 0s to 1h such as 1m").default(MINUTE_US),
  lag: duration(MINUTE_US, 7 * DAY_US, "a length of time from 1m to 7d such as 15m").default(15 * MINUTE_US),
  idle: duration(MINUTE_US, DAY_US, "a length of time from 1m to 1d such as 10m").optional(),
  silence_until: time.optional(),
  send_to: z.array(name).max(RULE_LIMITS.receivers, `expected at most ${RULE_LIMITS.receivers} receivers`).optional(),
  note: z.string().max(RULE_LIMITS.note, `expected at most ${RULE_LIMITS.note} characters`).optional(),
});

/** What a rule may say, in the order in which it is told. */
const MEMBERS = Object.keys(FORM.shape);

/** The faults that a schema found, below a place; a member that is not known is told with those that are. */
export const faults_of = (
  { issues }: z.ZodError,
  at: readonly PropertyKey[],
  members: readonly string[],
): RuleFault[] =>
  issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({
        place: json_place([...at, ...issue.path, key]),
        message: `no such member; known are ${members.join(", ")}`,
      }))
      : { place: json_place([...at, ...issue.path]), message: issue.message }
  );

/** The figure of a rule: one of the board's, or a measure as it is. Throws where there is no such: rules are read first. */
export function figure_of_rule(board: DomainBoard, { figure }: Pick<Rule, "figure">): BoardFigure {
  return Object.hasOwn(board.figures, figure) || !is_measure(board, figure)
    ? declared_figure(board, figure)
    : count_of(figure);
}

const is_measure = ({ measures }: DomainBoard, name: string): boolean =>
  column_measures(measures).some((each) => each.name === name);

/** The board that a rule is of: that of its currency. */
export const board_of = (board: DomainBoard, { currency }: Pick<Rule, "currency">): DomainBoard =>
  in_currency(board, currency ?? board.by_currency);

/** Whether a rule holds a figure against a week before. */
export const is_relative = ({ comparison }: Pick<Rule, "comparison">): boolean =>
  comparison === "rises" || comparison === "falls";

/** Until when a rule is silent, by its own words and by what was said beside them; null: it is not. */
export function silent_until(...said: readonly (Pick<Rule, "silence_until_us"> | null)[]): number | null {
  const until = Math.max(...said.map((each) => each?.silence_until_us ?? -Infinity));
  return until === -Infinity ? null : until;
}

/**
 * Reads a rule of a domain, already parsed from JSON.
 * @param at where it stands, for the places of its faults
 */
export function read_rule(board: DomainBoard, json: unknown, at: readonly PropertyKey[] = []): ReadRule {
  const parsed = FORM.safeParse(json);
  if (!parsed.success) return { ok: false, faults: faults_of(parsed.error, at, MEMBERS) };
  const form = parsed.data, faults: RuleFault[] = [];
  const fault = (path: readonly PropertyKey[], message: string) =>
    faults.push({ place: json_place([...at, ...path]), message });
  const given = COMPARISONS.filter((each) => form[each] !== undefined), [comparison] = given;
  if (given.length !== 1) {
    fault([], `expected one of ${COMPARISONS.join(", ")}, got ${given.join(" and ") || "none"}`);
  }
  const threshold = comparison === undefined ? 0 : form[comparison]!, clear = form.clear ?? threshold;
  if ((comparison === "rises" || comparison === "falls") && !(threshold > 0)) {
    fault([comparison], `expected percent above 0, got ${threshold}`);
  }
  if (comparison === "score" && !(threshold >= LEAST_RULED_SCORE)) {
    fault([comparison], `expected a score of ${LEAST_RULED_SCORE} or more, got ${threshold}`);
  }
  if (comparison === "below" ? clear < threshold : clear > threshold) {
    const side = comparison === "below" ? "at least" : "at most";
    fault(["clear"], `expected ${side} ${threshold}, where it is over, got ${clear}`);
  }
  if (form.for % (STEP_S[form.window] * 1e6) !== 0) {
    fault(["for"], `expected a multiple of the window, ${form.window}`);
  }
  if (form.lag <= form.wait) fault(["lag"], "expected longer than wait: else it never fires");
  if (form.currency !== undefined && board.by_currency === undefined) {
    fault(["currency"], "expected none: amounts of this domain are of one currency");
  }
  const filter = filter_of(board, form.filter, fault);
  const { figure, window } = form;
  if (!Object.hasOwn(board.figures, figure) && !is_measure(board, figure)) {
    const measures = column_measures(board.measures).map((each) => each.name);
    const now = board.cards.some((card) => "now" in card && card.name === figure)
      ? "; how things are now is of no window"
      : "";
    const known = [...new Set([...Object.keys(board.figures), ...measures])].join(", ");
    fault(["figure"], `expected one of ${known}, got ${shown(figure)}${now}`);
  } else if (figure_of_rule(board, form).kind === "quantile" && sketched_key(board, filter, window) === null) {
    const names = sketched_dimensions(board, window).join(", ") || "no dimension";
    fault(["filter"], `expected of a percentile one key of ${names} at most`);
  }
  if (faults.length > 0) return { ok: false, faults };
  const { currency = board.by_currency } = form;
  return {
    ok: true,
    rule: {
      name: form.name,
      figure,
      window,
      filter,
      ...currency === undefined ? {} : { currency },
      comparison: comparison!,
      threshold,
      clear,
      for_us: form.for,
      wait_us: form.wait,
      lag_us: form.lag,
      idle_us: form.idle ?? null,
      silence_until_us: form.silence_until ?? null,
      send_to: form.send_to ?? null,
      note: form.note ?? null,
    },
  };
}

/** The filter of a rule; keys of a dimension whose keys are known are held against these. */
function filter_of(
  board: DomainBoard,
  form: Readonly<Record<string, readonly string[]>>,
  fault: (path: readonly PropertyKey[], message: string) => void,
): Filter {
  const dimensions = board.dimensions.map(({ name }) => name).filter((name) => name !== board.whole.dimension);
  const query = new URLSearchParams();
  for (const [parameter, keys] of Object.entries(form)) {
    const dimension = dimensions.includes(parameter) ? parameter : parameter.replace(EXCLUDED, "");
    if (!dimensions.includes(dimension)) {
      fault(
        ["filter", parameter],
        `expected one of ${dimensions.join(", ")}, or one of them after ${EXCLUDED}, got ${shown(parameter)}`,
      );
      continue;
    }
    const known = board.words.dimensions[dimension]?.keys;
    for (const [i, key] of keys.entries()) {
      if (known !== undefined && key !== UNKNOWN && !known.includes(key)) {
        fault(["filter", parameter, i], `expected one of ${known.join(", ")} or ${UNKNOWN}, got ${shown(key)}`);
      }
      query.append(parameter, key);
    }
  }
  const read = read_filter(query, dimensions);
  if (read.ok) return read.filter;
  for (const { path, detail } of read.faults) fault(["filter", path], detail);
  return [];
}

/** Windows that ended before this are closed and not looked at again, microseconds. @param clock_us how far event time has come */
export const settled_before = (clock_us: number, { wait_us }: Pick<Rule, "wait_us">): number =>
  clock_us - Math.max(LATENESS_US, wait_us);
