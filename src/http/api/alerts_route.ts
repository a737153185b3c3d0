import { z } from "@hono/zod-openapi";
import {
  type AlertsStanding,
  PHASES,
  put_rule,
  read_changes,
  read_deliveries,
  read_rule,
  read_rules,
  read_states,
  remove_rule,
  RULE_LIMITS,
  rule_words,
  type RuleOutcome,
  silence_rule,
  silent_until,
  unknown_receivers,
} from "../../alerts/mod.ts";
import type { Database } from "../../database/mod.ts";
import { type DomainBoard, shown } from "../../domains/mod.ts";
import { STEP_S } from "../../feed/mod.ts";
import { format_time, time_or_null } from "../../kpi/mod.ts";
import { bad_request, not_found, respond } from "../answers.ts";
import { add_change, add_endpoint, type App, BY, change_bodies, conflict } from "../endpoint.ts";
import { instant, limit } from "../parameters.ts";
import { read_only } from "../reading.ts";

/** What the alerts of a domain are told from, and changed in. */
export interface AlertsSource {
  readonly database: Database;
  readonly board: DomainBoard;
  readonly alerts: {
    readonly standing: () => AlertsStanding;
    readonly receivers: readonly string[];
    readonly changed: () => void;
    /** What rules are written to; null: this program only reads. */
    readonly database: Database | null;
  };
}

const time = z.string().nullable();
const STATE = z.object({
  phase: z.enum(PHASES),
  since: time.describe("When the first of the windows begins that were beyond the threshold without a break"),
  looked_through: z.string().describe("The end of the last window that was looked at"),
  figure: z.number().nullable().describe("Of that window; null: not known"),
  then: z.number().nullable().describe(
    "A week before, or what is usual at that time of the week, where the rule holds it against that",
  ),
});
const ALERTS = z.object({
  rules: z.array(z.object({
    name: z.string(),
    words: z.string().nullable().describe("The rule in words; null: this program cannot read it"),
    definition: z.unknown(),
    origin: z.enum(["file", "page"]),
    changed_by: z.string(),
    changed_at: z.string(),
    silence_until: time,
    state: STATE.nullable().describe("Null: no window was looked at yet"),
    trouble: z.string().nullable().describe("Why it cannot be looked at"),
  })),
  changes: z.array(z.object({
    id: z.number(),
    rule: z.string(),
    from: z.enum(PHASES),
    to: z.enum(PHASES),
    why: z.enum(["window", "corrected", "changed", "removed"]),
    since: time,
    window: z.object({ from: z.string(), to: z.string() }).nullable(),
    figure: z.number().nullable(),
    then: z.number().nullable(),
    noticed: z.string(),
  })).describe("The newest changes of state, the newest first"),
  receivers: z.array(z.object({
    name: z.string(),
    waiting: z.number().describe("Messages that it has not taken yet"),
    given_up: z.number(),
    trouble: z.string().nullable(),
  })),
  figures: z.array(z.object({ name: z.string(), unit: z.string() })).describe("What rules can be over, measures aside"),
  windows: z.array(z.object({ name: z.string(), step_s: z.number() })),
  writable: z.boolean().describe("Whether rules can be made and silenced here"),
}).openapi("Alerts");

const PUT = z.strictObject({
  rule: z.record(z.string(), z.unknown()),
  by: BY,
  fresh: z.boolean().default(false).describe("Whether a rule of that name is left as it is"),
});
const REMOVE = z.strictObject({ by: BY });
const SILENCE = z.strictObject({ until: instant.nullable(), by: BY });
const DONE = z.object({ name: z.string() });

/** Adds `/api/v1/alerts`: the rules, how they stand and what they did; and how rules are made, removed and silenced. */
export function add_alerts_routes(app: App, source: AlertsSource): void {
  add_endpoint(app, {
    path: "/api/v1/alerts",
    summary: "The rules of alerts, how each stands, and their newest changes",
    query: { limit: limit(500, 50) },
    params: {},
    answer: { type: "application/json", schema: ALERTS },
    respond: async ({ limit }) => {
      const body = await read_only(source.database, async (reading) => {
        const rules = await read_rules(reading), states = await read_states(reading);
        return told(source, rules, states, {
          changes: await read_changes(reading, limit),
          deliveries: await read_deliveries(reading),
        });
      });
      return respond(JSON.stringify(body), { "content-type": "application/json", "cache-control": "no-store" });
    },
  });
  const others = {
    404: "There is no such rule",
    409: "The rule is one of a file, there is one of that name, or there are as many as there may be",
  };
  const bodies = change_bodies(), { database } = source.alerts;
  /** Adds what changes rules. */
  const add_rule_change = <Body>(
    path: string,
    summary: string,
    schema: z.ZodType<Body>,
    work: (database: Database, body: Body, name: string) => Promise<Response | Done>,
  ) =>
    add_change(app, { database, bodies }, {
      path,
      summary,
      schema,
      answer: DONE,
      others,
      work: async (database, body, { name = "" }) => {
        const done = await work(database, body, name);
        if (done instanceof Response) return done;
        if (done.outcome === "done") source.alerts.changed();
        return answer_of(done);
      },
    });
  add_rule_change(
    "/api/v1/alerts/rules",
    "Make a rule, or another one of its name: as docs/alerts.md has it, and who makes it",
    PUT,
    async (database, { rule, by, fresh }) => {
      const read = read_rule(source.board, rule);
      const faults = read.ok ? unknown_receivers(read.rule, source.alerts.receivers) : read.faults;
      if (!read.ok || faults.length > 0) {
        return bad_request("the rule is wrong", faults.map(({ place, message }) => ({ path: place, detail: message })));
      }
      const written = { name: read.rule.name, definition: rule };
      const how = { by, most: RULE_LIMITS.rules, fresh };
      return { name: written.name, outcome: await database.transaction((tx) => put_rule(tx, written, how)) };
    },
  );
  add_rule_change(
    "/api/v1/alerts/rules/{name}/remove",
    "Remove a rule that was made here",
    REMOVE,
    async (database, _, name) => ({ name, outcome: await database.transaction((tx) => remove_rule(tx, name)) }),
  );
  add_rule_change(
    "/api/v1/alerts/rules/{name}/silence",
    "Silence a rule for windows that end by a time, or end that with null",
    SILENCE,
    async (database, { until, by }, name) => ({
      name,
      outcome: await database.transaction((tx) => silence_rule(tx, name, until, by)),
    }),
  );
}

function told(
  { board, alerts }: AlertsSource,
  rules: Awaited<ReturnType<typeof read_rules>>,
  states: Awaited<ReturnType<typeof read_states>>,
  { changes, deliveries }: {
    readonly changes: Awaited<ReturnType<typeof read_changes>>;
    readonly deliveries: Awaited<ReturnType<typeof read_deliveries>>;
  },
): z.output<typeof ALERTS> {
  const { troubles } = alerts.standing();
  return {
    rules: rules.map(({ name, definition, origin, changed_by, changed_us, silence_until_us }) => {
      const read = read_rule(board, definition), state = states.find(({ rule }) => rule === name);
      return {
        name,
        words: read.ok ? rule_words(read.rule) : null,
        definition,
        origin,
        changed_by,
        changed_at: format_time(changed_us),
        silence_until: time_or_null(silent_until({ silence_until_us }, read.ok ? read.rule : null)),
        state: state === undefined ? null : {
          phase: state.course.state.phase,
          since: time_or_null(state.course.state.since_us),
          looked_through: format_time(state.course.through_us),
          figure: state.figure,
          then: state.then,
        },
        trouble: troubles.get(name) ?? null,
      };
    }),
    changes: changes.map(({ id, rule, from, to, why, since_us, window, figure, then, noticed_us }) => ({
      ...{ id, rule, from, to, why, since: time_or_null(since_us) },
      window: window === null ? null : { from: format_time(window.from_us), to: format_time(window.to_us) },
      ...{ figure, then, noticed: format_time(noticed_us) },
    })),
    receivers: [...new Set([...alerts.receivers, ...deliveries.map(({ receiver }) => receiver)])].sort().map((name) => {
      const { waiting = 0, given_up = 0, trouble = null } = deliveries.find(({ receiver }) => receiver === name) ?? {};
      return { name, waiting, given_up, trouble };
    }),
    figures: Object.entries(board.figures).map(([name, { unit }]) => ({ name, unit })),
    windows: Object.entries(STEP_S).map(([name, step_s]) => ({ name, step_s })),
    writable: alerts.database !== null,
  };
}

/** What became of a change of a rule. */
interface Done {
  readonly name: string;
  readonly outcome: RuleOutcome;
}

function answer_of({ outcome, name }: Done): Response {
  if (outcome === "absent") return not_found(`no rule ${shown(name)}`);
  if (outcome === "of a file") {
    return conflict(
      `the rule ${shown(name)} is one of TACHO_ALERTS: change it there; it can be silenced here`,
    );
  }
  if (outcome === "exists") return conflict(`there is a rule ${shown(name)}: take another name`);
  if (outcome === "too many") {
    return conflict(`there are ${RULE_LIMITS.rules} rules, as many as there may be`);
  }
  return respond(JSON.stringify({ name }), { "content-type": "application/json", "cache-control": "no-store" });
}
