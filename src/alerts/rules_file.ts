import { z } from "zod";
import { type DomainBoard, json_place, shown } from "../domains/mod.ts";
import { faults_of, NAME, read_rule, type Rule, RULE_LIMITS, type RuleFault } from "./rule.ts";

/**
 * The file of TACHO_ALERTS: rules by the name of their domain, and receivers by name. Strict: what is not known is a fault, all of them are found at
 * once, each with its place. Pure.
 */

/** Who is told of alerts. */
interface WebhookForm {
  readonly kind: "webhook";
  /** What follows the host may be a secret. */
  readonly url: string;
  /** File with the key that requests are signed with; null: that of TACHO_ALERT_SECRET, or none. */
  readonly secret_file: string | null;
}
/** People, told by e-mail through the server of TACHO_SMTP_URL. */
interface EmailForm {
  readonly kind: "email";
  readonly to: readonly string[];
  readonly from: string;
}
type ReceiverForm = WebhookForm | EmailForm;

const MOST_ADDRESSES = 20;

/** What such a file says. */
export interface RulesFile {
  /** The rules as they were written, by the name of their domain: `read_rule` reads them. */
  readonly rules: ReadonlyMap<string, readonly unknown[]>;
  readonly receivers: ReadonlyMap<string, ReceiverForm>;
}

/** The largest file, bytes. */
export const MOST_FILE_BYTES = 1 << 20;

/** A server that is told, and the file with the key of its requests. */
export const WEBHOOK = z.strictObject({
  webhook: z.string().regex(/^https?:\/\/[^\s/?#@]+[^\s#@]*$/, { error: "expected https://host/path" }),
  secret_file: z.string().min(1, "expected a path").optional(),
});

/** An address as mail has it, and nothing that could begin another header. */
const ADDRESS = /^[^\s@<>,;:"()[\]\\\p{Cc}]{1,64}@[A-Za-z0-9.-]{1,255}$/u;
const address = z.string({ error: "expected an e-mail address" })
  .regex(ADDRESS, { error: ({ input }) => `expected an e-mail address, got ${shown(input)}` });
const EMAIL = z.strictObject({
  email: z.array(address, { error: "expected a list of e-mail addresses" }).min(1, "expected at least one address")
    .max(MOST_ADDRESSES, `expected at most ${MOST_ADDRESSES} addresses`),
  from: address,
});

const FILE = z.strictObject({
  rules: z.record(z.string(), z.array(z.unknown(), { error: "expected a list of rules" }), {
    error: ({ input }) => `expected an object of domains with lists of rules, got ${shown(input)}`,
  }).default({}),
  receivers: z.record(z.string(), z.unknown(), {
    error: ({ input }) => `expected an object of receivers by name, got ${shown(input)}`,
  }).default({}),
});

/** What a receiver may say. */
const MEMBERS = [...Object.keys(WEBHOOK.shape), ...Object.keys(EMAIL.shape)];

/** A receiver of either kind: what it is meant for is told by its member. */
function read_receiver(form: unknown): ReceiverForm | { readonly error: z.ZodError } {
  if (typeof form === "object" && form !== null && Object.hasOwn(form, "email")) {
    const { data, error } = EMAIL.safeParse(form);
    return error === undefined ? { kind: "email", to: data.email, from: data.from } : { error };
  }
  const { data, error } = WEBHOOK.safeParse(form);
  return error === undefined
    ? { kind: "webhook", url: data.webhook, secret_file: data.secret_file ?? null }
    : { error };
}

/** What a text says as JSON of a form, or all that is wrong with it. */
export function read_json<Shape extends z.ZodRawShape>(
  text: string,
  form: z.ZodObject<Shape>,
):
  | { readonly ok: true; readonly data: z.output<z.ZodObject<Shape>> }
  | { readonly ok: false; readonly faults: readonly RuleFault[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // JSON.parse says where.
    const message = `expected JSON: ${error instanceof Error ? error.message.slice(0, 200) : "it is none"}`;
    return { ok: false, faults: [{ place: "file", message }] };
  }
  const parsed = form.safeParse(json);
  if (parsed.success) return { ok: true, data: parsed.data as z.output<z.ZodObject<Shape>> };
  const faults = faults_of(parsed.error, [], Object.keys(form.shape));
  return { ok: false, faults: faults.map((each) => each.place === "" ? { ...each, place: "file" } : each) };
}

/** What a file says, or all that is wrong with it but its rules. @param domains the names of those that there are */
export function read_rules_file(
  text: string,
  domains: readonly string[],
):
  | { readonly ok: true; readonly file: RulesFile }
  | { readonly ok: false; readonly faults: readonly RuleFault[] } {
  const said = read_json(text, FILE);
  if (!said.ok) return said;
  const { rules, receivers } = said.data, faults: RuleFault[] = [], read = new Map<string, ReceiverForm>();
  for (const [domain, list] of Object.entries(rules)) {
    const place = json_place(["rules", domain]);
    if (!domains.includes(domain)) {
      faults.push({ place, message: `expected one of ${domains.join(", ")}, got ${shown(domain)}` });
    }
    if (list.length > RULE_LIMITS.rules) {
      faults.push({ place, message: `expected at most ${RULE_LIMITS.rules} rules, got ${list.length}` });
    }
  }
  for (const [name, form] of Object.entries(receivers)) {
    if (!NAME.test(name)) {
      const message = `expected a name of at most ${RULE_LIMITS.name} small letters, digits, - and _`;
      faults.push({ place: json_place(["receivers", name]), message });
    }
    const found = read_receiver(form);
    if ("error" in found) faults.push(...faults_of(found.error, ["receivers", name], MEMBERS));
    else read.set(name, found);
  }
  if (read.size > RULE_LIMITS.receivers) {
    faults.push({ place: "receivers", message: `expected at most ${RULE_LIMITS.receivers}, got ${read.size}` });
  }
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, file: { rules: new Map(Object.entries(rules)), receivers: read } };
}

/**
 * The rules of a domain in a file, held against its declaration.
 * @param receivers the names of those that there are
 */
export function read_alerts_of(
  board: DomainBoard,
  domain: string,
  { rules, receivers }: RulesFile,
):
  | { readonly ok: true; readonly rules: readonly Rule[] }
  | { readonly ok: false; readonly faults: readonly RuleFault[] } {
  const read: Rule[] = [], faults: RuleFault[] = [];
  for (const [i, json] of (rules.get(domain) ?? []).entries()) {
    const at = ["rules", domain, i], found = read_rule(board, json, at);
    if (!found.ok) faults.push(...found.faults);
    else {
      const { rule } = found;
      if (read.some(({ name }) => name === rule.name)) {
        faults.push({ place: json_place([...at, "name"]), message: `there is a rule ${shown(rule.name)} before it` });
      }
      faults.push(...unknown_receivers(rule, [...receivers.keys()], at));
      read.push(rule);
    }
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, rules: read };
}

/** The receivers that a rule names and that there are not. */
export const unknown_receivers = (
  { send_to }: Rule,
  receivers: readonly string[],
  at: readonly PropertyKey[] = [],
): RuleFault[] =>
  (send_to ?? []).flatMap((name, i) =>
    receivers.includes(name) ? [] : {
      place: json_place([...at, "send_to", i]),
      message: `expected one of ${receivers.join(", ") || "no receivers"}, got ${shown(name)}`,
    }
  );
