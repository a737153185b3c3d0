/** Headers of every answer: the page runs its own scripts only, is framed by nobody else than `framed_by` lets, and tells nobody where it was. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
    "form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** The headers of an answer, those of every answer among them: made once where many answers carry the same. */
export function headers_of(own: Readonly<Record<string, string>>): Headers {
  return new Headers({ ...SECURITY_HEADERS, ...own });
}

/** The headers of a page, which those of some origins may show in a frame. */
export function framed_by(origins: readonly string[], page: Headers): Headers {
  const policy = SECURITY_HEADERS["content-security-policy"]!;
  const framed = new Headers(page), ancestors = `frame-ancestors ${origins.join(" ")}`;
  framed.set("content-security-policy", policy.replace("frame-ancestors 'none'", ancestors));
  return framed;
}

/**
 * Makes an answer: every one is made here, and so has the headers of every answer. To add them to one that is made costs as much again as all
 * else of a small answer.
 * @param own its headers besides; what `headers_of` made is taken as it is
 */
export function respond(
  body: BodyInit | null,
  own: Headers | Readonly<Record<string, string>> = {},
  status = 200,
): Response {
  return new Response(body, { status, headers: own instanceof Headers ? own : headers_of(own) });
}

/** Whether an If-None-Match header names this entity tag. Compared weakly, as RFC 9110 has it for reads. */
export function matches_etag(if_none_match: string | null, etag: string): boolean {
  if (if_none_match === null) return false;
  const plain = (tag: string): string => tag.trim().replace(/^W\//, "");
  return if_none_match.split(",").some((tag) => tag.trim() === "*" || plain(tag) === plain(etag));
}

/** Whether a client takes an encoding, by its Accept-Encoding header. */
export function accepts(accept_encoding: string | null, encoding: string): boolean {
  return (accept_encoding ?? "").split(",").some((part) => {
    const [name, ...parameters] = part.split(";").map((word) => word.trim().toLowerCase());
    return (name === encoding || name === "*") && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** Problems as RFC 9457 has them: what an answer says when it is not what was asked for. */

/** One fault of a request: where it is and what was expected. */
export interface RequestFault {
  readonly path: string;
  readonly detail: string;
}

interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly RequestFault[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Members of its own. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** The answer that carries a problem. */
export function problem({ status, title, detail, errors = [], headers = {}, members = {} }: Problem): Response {
  const body = JSON.stringify({ type: "about:blank", title, status, detail, errors, ...members });
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
