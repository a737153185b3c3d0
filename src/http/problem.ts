import { respond } from "./headers.ts";

/** Problems as RFC 9457 has them: what an answer says when it is not what was asked for. */

/** One fault of a request: where it is and what was expected. */
export interface RequestFault {
  readonly path: string;
  readonly detail: string;
}

export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly RequestFault[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer that carries a problem. */
export function problem({ status, title, detail, errors = [], headers = {} }: Problem): Response {
  const body = JSON.stringify({ type: "about:blank", title, status, detail, errors });
  const own = { ...headers, "content-type": "application/problem+json", "cache-control": "no-store" };
  return respond(body, own, status);
}

/** 404: there is nothing of that name. */
export function not_found(detail: string): Response {
  return problem({ status: 404, title: "Not found", detail });
}

/** 400: the request says what cannot be. */
export function bad_request(detail: string, errors: readonly RequestFault[]): Response {
  return problem({ status: 400, title: "Bad request", detail, errors });
}
