import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { bad_request } from "./answers.ts";

/** One endpoint: what it takes and gives, said once, for the check of requests and for the OpenAPI document. */

/** What the server knows of a request besides itself. */
export interface Bindings {
  /** Whom the connection comes from. */
  readonly address: string;
}

export type App = OpenAPIHono<{ Bindings: Bindings }>;

type Shape = z.ZodRawShape;

export interface Endpoint<Query extends Shape, Path extends Shape> {
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
function query_values(shape: Shape, given: URLSearchParams): Record<string, string | string[]> {
  const values = [...new Set(given.keys())].map((name) => {
    const all = given.getAll(name);
    return [name, all.length === 1 && !is_repeatable(shape[name]) ? all[0]! : all] as const;
  });
  return Object.fromEntries(values);
}

function is_repeatable(schema: Shape[string] | undefined): boolean {
  return schema instanceof z.ZodArray || schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodArray;
}
