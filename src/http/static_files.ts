import { createHash } from "node:crypto";
import { declaration_of, type DomainBoard, type NamedBase, stream_declaration, with_names } from "../domains/mod.ts";
import { accepts, framed_by, headers_of, matches_etag, not_found, respond } from "./answers.ts";

/** Static files out of memory: they come with the program as text, whether it runs, is bundled or compiled. */

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  json: "application/json",
  webmanifest: "application/manifest+json",
};

interface Asset {
  readonly headers: Headers;
  readonly gzip_headers: Headers;
  readonly etag: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
}

/** Serves assets by path (below `static/`), whichever version it begins with (`@…/app.js`). */
export type StaticFiles = (request: Request, path: string) => Response;

/** Text that is as good as never the same for other content. */
const tag_of = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("base64url").slice(0, 22);

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Where a page has what is declared of it, so that it is drawn and its address understood before anything is asked. */
const DECLARED = '<template id="declared"></template>';
type MakePage = (html: string, board: DomainBoard, base: string, domains: readonly NamedBase[]) => string;
const PAGES: Readonly<Record<string, MakePage>> = {
  "index.html": board_page,
  "stream/index.html": (html, board, base) =>
    html.replace(DECLARED, () => told(with_names(stream_declaration(board, base), board))),
};

/** What is declared, as JSON in HTML: without what would end or change it there. */
const told = (declared: unknown): string =>
  DECLARED.replace("><", () => `>${JSON.stringify(declared).replaceAll("&", "\\u0026").replaceAll("<", "\\u003c")}<`);

/** A path below `static/` that begins with a version, and that of its file. */
const VERSIONED = /^@[^/]*\/(.*)$/s;
/** Where HTML names a file. */
const FILE = /(?<=(?:src|href)=")\/static\//g;

const stylesheet = (name: string): string => `<link rel="stylesheet" href="/static/${name}">`;
const STYLES = {
  charts: stylesheet("charts.css"),
  list: stylesheet("wide_list.css"),
  domains: stylesheet("domains.css"),
};

/** The tool of the charts that the one of a map stands before. */
const TOOL = '<button data-tool="limits">';

/** A board's page: what is declared of it, the styles that this needs, and in the header its name or the way to the others. */
function board_page(html: string, board: DomainBoard, base: string, domains: readonly NamedBase[]): string {
  const several = domains.length > 1;
  const declared = { ...with_names(declaration_of(board, base), board), ...several ? { domains } : {} };
  const { cards, charts, list } = declared;
  const styles = [
    charts.length > 2 || charts.some((chart) => "by" in chart) || cards.some((card) => "top" in card)
      ? STYLES.charts
      : "",
    list.columns.length > 5 ? STYLES.list : "",
    several ? STYLES.domains : "",
  ].join("");
  const links = domains.map((each) =>
    `<a href="${each.base}/" data-domain="${each.name}"${
      each.base === base ? ' aria-current="page"' : ""
    }>${each.name}<small></small></a>`
  );
  const own = domains.find((each) => each.base === base)?.name;
  const name = several
    ? `</h1><nav class="domains" aria-label="Domains">${links.join("")}</nav>`
    : own === undefined
    ? "</h1>"
    : `<span class="sub">${own}</span></h1>`;
  const tool = declared.map === undefined
    ? TOOL
    : `<button data-tool="map" aria-expanded="false">Map</button>\n${TOOL}`;
  return html.replace(TOOL, tool).replace(DECLARED, () => told(declared)).replace("</head>", () => `${styles}</head>`)
    .replace("</h1>", () => name);
}

/** The parts of a board that a frame may show, by their names in addresses: as address.js reads them. */
function parts_of(board: DomainBoard, base: string): readonly string[] {
  const { charts, panels } = declaration_of(board, base);
  return ["cards", "list", ...charts.map(({ name }) => name), ...panels];
}

/**
 * Prepares assets: types, entity tags, links and gzip once, so that a request costs nothing. Throws on a file type that it does not know.
 * @param files file texts by path
 * @param boards what the pages draw, by the base of their addresses: "" or "/payments", whose page is below "payments/"
 * @param domains all domains that are served, or will be: their names are on the page
 * @param embed_in origins whose pages may show a part of a board in a frame: what has `embed` in its address
 */
export async function make_static_files(
  files: Readonly<Record<string, string>>,
  boards: Readonly<Record<string, DomainBoard>>,
  domains: readonly NamedBase[] = [],
  embed_in: readonly string[] = [],
): Promise<StaticFiles> {
  const assets = new Map<string, Asset>(), version = tag_of(JSON.stringify(Object.entries(files).sort()));
  // What pages name, and the modules that those import from beside them, have addresses that no other build has.
  const root = `/static/@${version}/`, versioned = (html: string) => html.replace(FILE, root);
  const parts = new Map(
    Object.entries(boards).map(([base, board]) => [`${base}/index.html`.slice(1), parts_of(board, base)]),
  );
  const pages = Object.entries(boards).flatMap(([base, board]) =>
    Object.entries(PAGES).map(([path, make]) => {
      const file = files[path] ?? "";
      return [
        `${base}/${path}`.slice(1),
        versioned(make(file, board, base, domains)),
        page_links(file, files, root),
      ] as const;
    })
  );
  const others = Object.entries(files).filter(([path]) => !Object.hasOwn(PAGES, path));
  const served = [
    ...pages,
    ...others.map(([path, text]) =>
      path.endsWith(".html")
        ? [path, versioned(text), page_links(text, files, root)] as const
        : [path, text, ""] as const
    ),
  ];
  for (const [path, text, links] of served) {
    const type = TYPES[path.slice(path.lastIndexOf(".") + 1)];
    if (type === undefined) throw new Error(`prepare ${JSON.stringify(path)}: no content type known for such a file`);
    const plain = new TextEncoder().encode(text);
    const content = { etag: `"${tag_of(plain)}"`, plain, gzip: await gzip(plain) };
    const kept = (caching: string): Asset => {
      const headers = {
        etag: content.etag,
        "cache-control": caching,
        vary: "accept-encoding",
        "content-type": type,
        ...(links === "" ? {} : { link: links }),
      };
      const gzip_headers = headers_of({ ...headers, "content-encoding": "gzip" });
      return { ...content, headers: headers_of(headers), gzip_headers };
    };
    // Of a name without a version a browser asks each time, and is told "not modified" until the build changes.
    assets.set(path, kept("no-cache"));
    if (!path.endsWith(".html")) assets.set(`@${version}/${path}`, kept("max-age=31536000, immutable"));
  }
  return (request, path) => {
    // A page of another build is given what there is, which it does not keep.
    const asset = assets.get(path) ?? assets.get(VERSIONED.exec(path)?.[1] ?? "");
    const { pathname, searchParams } = new URL(request.url);
    if (asset === undefined) return not_found(`no page ${JSON.stringify(pathname)}`);
    // Whole, so that no browser keeps the headers of the one for the other.
    if (embed_in.length > 0 && parts.get(path)?.includes(searchParams.get("embed") ?? "")) {
      return respond(asset.plain, framed_by(embed_in, asset.headers));
    }
    if (matches_etag(request.headers.get("if-none-match"), asset.etag)) return respond(null, asset.headers, 304);
    if (!accepts(request.headers.get("accept-encoding"), "gzip")) return respond(asset.plain, asset.headers);
    return respond(asset.gzip, asset.gzip_headers);
  };
}

const NAMED = /<(?:script|link rel="stylesheet") [^>]*?(?:src|href)="\/static\/([^"]+)"[^>]*>/g;
const IMPORT = /^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"(\.\.?\/[^"]+)"/gm;

/**
 * A `Link` header that names what a page and its modules need at once, first what the page waits for, so that a browser need not find it out one
 * file after another; "" when there are no modules.
 * @param html text of the page
 * @param texts file texts by path below `static/`
 * @param root where the page has them
 */
function page_links(html: string, texts: Readonly<Record<string, string>>, root: string): string {
  const links: string[] = [];
  const modules = new Set<string>();
  for (const [tag, path = ""] of html.matchAll(NAMED)) {
    if (tag.includes('type="module"')) modules.add(path);
    // Of a connection that is shared by few, the page itself asks for the rest in time.
    else if (!tag.includes(" async")) {
      links.push(`<${root}${path}>; rel=preload; as=${path.endsWith(".css") ? "style" : "script"}`);
    }
  }
  // A set that grows while it is walked is walked to its new end.
  for (const path of modules) {
    for (const [, name = ""] of (texts[path] ?? "").matchAll(IMPORT)) {
      modules.add(new URL(name, `http://page/${path}`).pathname.slice(1));
    }
    links.push(`<${root}${path}>; rel=modulepreload`);
  }
  return links.join(", ");
}
