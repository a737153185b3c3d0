import type { DomainBoard } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { figure_of_rule, read_rule, type Rule } from "./rule.ts";
import type { KeptChange } from "./store.ts";

/** What receivers are told of a change: the same each time it is sent. Pure. */

/** A message, as JSON has it. */
export interface AlertMessage {
  /** By which a receiver knows one that it has already. */
  readonly id: string;
  readonly domain: string;
  readonly rule: string;
  readonly state: string;
  readonly before: string;
  readonly why: string;
  /** In words. */
  readonly text: string;
  readonly figure: string | null;
  readonly unit: string | null;
  readonly value: number | null;
  /** A week before, of rules that hold it against that, and how far it rose or fell since, in percent or points. */
  readonly then?: number | null;
  readonly change?: number | null;
  readonly since: string | null;
  readonly window: { readonly from: string; readonly to: string } | null;
  readonly noticed: string;
  readonly note: string | null;
  /** The rule as it was written then. */
  readonly definition: unknown;
}

const number = (value: number | null): string =>
  value === null ? "not known" : value.toLocaleString("en-US", { maximumFractionDigits: 2 });

const HOW = { above: "above", below: "below", rises: "% above a week before", falls: "% below a week before" } as const;

/** A rule in words: `completed below 20`. */
export function rule_words({ figure, comparison, threshold, filter }: Rule): string {
  const of = filter.map(({ dimension, keys, excluded }) => `${dimension} ${excluded ? "not " : ""}${keys.join(", ")}`);
  const limit = comparison === "above" || comparison === "below"
    ? `${HOW[comparison]} ${number(threshold)}`
    : `${number(threshold)} ${HOW[comparison]}`;
  return `${figure}${of.length === 0 ? "" : ` (${of.join("; ")})`} ${limit}`;
}

/** The message of a change. */
export function message_of(
  board: DomainBoard,
  { domain, log_id }: { readonly domain: string; readonly log_id: string },
  { id, rule, definition, from, to, why, since_us, window, figure, then, change, noticed_us }: KeptChange,
): AlertMessage {
  const read = read_rule(board, definition), of = read.ok ? read.rule : null;
  const relative = of?.comparison === "rises" || of?.comparison === "falls";
  const since = since_us === null ? null : format_time(since_us);
  const because = {
    window: "",
    corrected: "; late events say so",
    changed: "; the rule was changed",
    removed: "; the rule was removed",
  };
  const seen = window === null ? "" : `, is ${number(figure)}${relative ? ` (${number(then)} a week before)` : ""}`;
  const words = `${of === null ? "" : `: ${rule_words(of)}`}${seen}`;
  const text = to === "resolved"
    ? `${domain} ${rule} is over${words}${because[why]}`
    : `${domain} ${rule} fires${words}${since === null ? "" : `, since ${since}`}${because[why]}`;
  return {
    id: `${log_id}.${id}`,
    domain,
    rule,
    state: to,
    before: from,
    why,
    text,
    figure: of?.figure ?? null,
    unit: of === null ? null : figure_of_rule(board, of).unit,
    value: figure,
    ...relative ? { then, change } : {},
    since,
    window: window === null ? null : { from: format_time(window.from_us), to: format_time(window.to_us) },
    noticed: format_time(noticed_us),
    note: of?.note ?? null,
    definition,
  };
}
