import { problem, type RequestFault } from "./answers.ts";

/**
 * What every request is held against before anything else of it is looked at: its host and its address. Nothing of its body is read for
 * that. Pure.
 */

/** Longest address of a request, characters; a proxy's own limit is often 8,192. */
const MOST_ADDRESS = 16_384;
/** What a server without a token answers to: names that lead nowhere but to this machine. */
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::(\d{1,5}))?$/i;

/**
 * The problem of a request that goes no further; null of one that may.
 * @param hosts the names it may be asked by besides loopback, in lower case, without port; null: any
 */
export function refuse_request(request: Request, hosts: readonly string[] | null): Response | null {
  const { url } = request;
  const [, authority = "", address = ""] = /^[a-z]+:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
  // Deno writes the Host header into the URL, unless the request line names another host: both must hold.
  const host_header = request.headers.get("host");
  for (const given of host_header === null || host_header === "" ? [authority] : [host_header, authority]) {
    const host = host_of(given);
    if (host === null) {
      return wrong("the host", [{ path: "Host", detail: `expected a host and perhaps a port, got ${quoted(given)}` }]);
    }
    if (hosts !== null && !LOOPBACK_HOSTS.includes(host) && !hosts.includes(host)) return wrong_host(host);
  }
  if (!address.startsWith("/")) return wrong("the address", [{ path: "path", detail: "expected a path" }]);
  if (address.length > MOST_ADDRESS) {
    const detail = `expected an address of at most ${MOST_ADDRESS} characters, got ${address.length}`;
    return problem({ status: 414, title: "Address too long", detail });
  }
  const faults = address_faults(address);
  return faults.length === 0 ? null : wrong("the address", faults);
}

/** Without a port and a last dot, in lower case; null of what is no host. */
function host_of(authority: string): string | null {
  const [, host, port = "0"] = AUTHORITY.exec(authority) ?? [];
  if (host === undefined || Number(port) > 65_535) return null;
  return host.toLowerCase().replace(/\.$/, "");
}

function wrong_host(host: string): Response {
  const detail = `this server is not asked for as ${quoted(host)}: a page elsewhere could have led a browser here. ` +
    "Expected localhost, or a name of TACHO_ALLOWED_HOSTS";
  return problem({ status: 421, title: "Misdirected request", detail });
}

/** What of a path and a query cannot be read as text: broken percent-encoding, bytes that are not UTF-8, NUL. */
function address_faults(address: string): RequestFault[] {
  const [path = "", query = ""] = /^([^?#]*)\??([^#]*)/.exec(address)?.slice(1) ?? [];
  const parts = [["path", path], ...query.split("&").map((part) => [parameter_name(part), part] as const)] as const;
  return parts.flatMap(([name, part]) => {
    const text = decoded(part);
    if (text === null) return [{ path: name, detail: "expected percent-encoded UTF-8" }];
    return text.includes("\0") ? [{ path: name, detail: "expected no NUL (%00)" }] : [];
  });
}

const parameter_name = (part: string): string => {
  const name = part.split("=", 1)[0]!;
  return decoded(name) ?? name;
};

function decoded(text: string): string | null {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const wrong = (what: string, errors: readonly RequestFault[]): Response =>
  problem({ status: 400, title: "Bad request", detail: `${what} cannot be read`, errors });

/** Foreign text within a sentence, cut where it is long. */
const quoted = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
