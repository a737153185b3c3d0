import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { bad_request, problem } from "./answers.ts";
import type { Database } from "../database/mod.ts";
import { shown } from "../domains/mod.ts";
import { Bodies } from "./bodies.ts";

/**
 * One endpoint: what it takes and gives, said once, for the check of requests and for the OpenAPI document. Those that readers change something by,
 * such as rules, views and notes, take JSON by POST from this server's own page, or from a program.
 */

/** What the server knows of a request besides itself. */
export interface Bindings {
  /** Whom the connection comes from. */
  readonly address: string;
}

/** The app, as routes are added to it. */
export type App = OpenAPIHono<{ Bindings: Bindings }>;

type Shape = z.ZodRawShape;

/** What one endpoint takes, and how it answers. */
interface Endpoint<Query extends Shape, Path extends Shape> {
  /** As OpenAPI writes it: `/metrics/{entity}`. */
  readonly path: string;
  readonly summary: string;
  readonly query: Query;
  readonly params: Path;
  /** What it takes in, by content type; one that takes a body is asked by POST, all others by GET. */
  readonly body?: Readonly<Record<string, { readonly schema: z.ZodType }>>;
  readonly answer: { readonly type: string; readonly schema: z.ZodType };
  /** Statuses besides 200 and 400, with what they mean. */
  readonly others?: Readonly<Record<number, string>>;
  readonly respond: (
    input: z.output<z.ZodObject<Query>> & z.output<z.ZodObject<Path>>,
    request: Request,
    bindings: Bindings,
  ) => Response | Promise<Response>;
}

const PROBLEM = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), detail: z.string() })),
}).openapi("Problem");

/** Adds an endpoint to the app and to its document. Parameters it does not know are refused, so that a misspelt filter is not taken for none. */
export function add_endpoint<Query extends Shape, Path extends Shape>(app: App, endpoint: Endpoint<Query, Path>): void {
  const { path, summary, body, answer, others = {} } = endpoint;
  const method = body === undefined ? "get" : "post";
  const query = z.strictObject(endpoint.query);
  const params = z.object(endpoint.params);
  const refused = (description: string) => ({
    description,
    content: { "application/problem+json": { schema: PROBLEM } },
  });
  app.openAPIRegistry.registerPath({
    method,
    path,
    summary,
    request: { query, params, ...(body === undefined ? {} : { body: { required: true, content: { ...body } } }) },
    responses: {
      200: { description: "What was asked for", content: { [answer.type]: { schema: answer.schema } } },
      ...body === undefined ? { 410: refused("It takes events that are archived; `detail` says where they are") } : {},
      400: refused(`A parameter${body === undefined ? "" : " or the body"} is wrong; \`errors\` names each`),
      ...Object.fromEntries(Object.entries(others).map(([status, meaning]) => [status, refused(meaning)])),
    },
  });
  app[method](path.replaceAll(/\{(\w+)\}/g, ":$1"), async (context) => {
    const given = query.safeParse(query_values(endpoint.query, new URL(context.req.url).searchParams));
    const named = params.safeParse(context.req.param());
    if (given.success && named.success) {
      return await endpoint.respond({ ...given.data, ...named.data }, context.req.raw, context.env);
    }
    const issues = [...given.error?.issues ?? [], ...named.error?.issues ?? []];
    // Of a parameter that may be repeated the name is said, not which of its values.
    const errors = issues.map((issue) => ({ path: String(issue.path[0] ?? ""), detail: issue.message }));
    return bad_request(`read ${path}: ${errors.length} parameter(s) are wrong`, errors);
  });
}

/** The values of a query by name: text, or a list where the parameter may be repeated; one that may not is refused as a list. */
export function query_values(shape: Shape, given: URLSearchParams): Record<string, string | string[]> {
  const values = [...new Set(given.keys())].map((name) => {
    const all = given.getAll(name);
    return [name, all.length === 1 && !is_repeatable(shape[name]) ? all[0]! : all] as const;
  });
  return Object.fromEntries(values);
}

function is_repeatable(schema: Shape[string] | undefined): boolean {
  return schema instanceof z.ZodArray || schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodArray;
}

/** What bodies of changes are bounded by. */
const LIMITS = { most_bytes: 65_536, most_ms: 10_000, bodies: 16, bodies_of_address: 8, bytes: 1 << 20 };

/** The bodies of changes that are under way. */
export const change_bodies = (): Bodies => new Bodies(LIMITS);

/** Who makes a change, as they say. */
export const BY = z.string({ error: "expected who changes it, as text" }).trim()
  .min(1, "expected who changes it").max(100, "expected at most 100 characters");

/** A change: what it takes, and what it does. */
interface ReadersChange<Body> {
  /** As OpenAPI writes it; its parameters are texts. */
  readonly path: string;
  readonly summary: string;
  readonly schema: z.ZodType<Body>;
  readonly answer: z.ZodType;
  /** Statuses of its own besides 200 and 400, with what they mean. */
  readonly others: Readonly<Record<number, string>>;
  readonly work: (database: Database, body: Body, params: Readonly<Record<string, string>>) => Promise<Response>;
}

/** Adds a change. @param database what is written to; null: this program only reads */
export function add_change<Body>(
  app: App,
  { database, bodies }: { readonly database: Database | null; readonly bodies: Bodies },
  { path, summary, schema, answer, others, work }: ReadersChange<Body>,
): void {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  add_endpoint(app, {
    path,
    summary,
    query: {},
    params: Object.fromEntries(names.map((name) => [name, z.string()])),
    body: { "application/json": { schema } },
    answer: { type: "application/json", schema: answer },
    others: {
      401: "Not authorized",
      403: "This server only reads, or another site's page asked",
      413: `More than ${LIMITS.most_bytes} bytes`,
      415: "Another content type than application/json",
      ...others,
    },
    respond: (params, request, { address }) => {
      if (database === null) {
        const detail = "this server only reads: ask the one that writes the log";
        return problem({ status: 403, title: "Reads only", detail });
      }
      return refuse_page(request) ?? bodies.take(request, address, async (bytes) => {
        const body = read_body(schema, bytes);
        return body instanceof Response ? body : await work(database, body, params);
      });
    },
  });
}

/** Browsers say whose page asks; of another site's they send JSON only when they were told that they may, which nobody does here. */
function refuse_page(request: Request): Response | null {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    const detail = `expected content-type application/json, got ${shown(type)}`;
    return problem({ status: 415, title: "Unsupported media type", detail });
  }
  const site = request.headers.get("sec-fetch-site") ?? "same-origin", origin = request.headers.get("origin");
  // A proxy may leave out the port; of another one of this host `Sec-Fetch-Site` says that it is.
  const { hostname } = new URL(`http://${request.headers.get("host") ?? new URL(request.url).host}`);
  const foreign = origin !== null && (!URL.canParse(origin) || new URL(origin).hostname !== hostname);
  if (!foreign && (site === "same-origin" || site === "none")) return null;
  return problem({
    status: 403,
    title: "Forbidden",
    detail: "this is changed by this server's own page, or by programs",
  });
}

/** What a change is answered with that what is there already does not allow. */
export const conflict = (detail: string): Response => problem({ status: 409, title: "Conflict", detail });

/** The body of a request, or the problem that says what is wrong with it. */
function read_body<Body>(schema: z.ZodType<Body>, bytes: Uint8Array): Body | Response {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    return bad_request(`expected the body to be JSON in UTF-8, got ${bytes.length} bytes: ${error.message}`, []);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  return bad_request(
    "the body is wrong",
    parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), detail: message })),
  );
}
