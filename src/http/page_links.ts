/** What a page loads at once, so that a browser need not find it out one file after another. */

const NAMED = /<(?:script|link rel="stylesheet") [^>]*?(?:src|href)="\/static\/([^"]+)"[^>]*>/g;
const IMPORT = /^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"(\.\.?\/[^"]+)"/gm;

/**
 * A `Link` header that names what a page and its modules need at once, first what the page waits for; "" when there are no modules.
 * @param html text of the page
 * @param texts file texts by path below `static/`
 */
export function page_links(html: string, texts: Readonly<Record<string, string>>): string {
  const links: string[] = [];
  const modules = new Set<string>();
  for (const [tag, path = ""] of html.matchAll(NAMED)) {
    if (tag.includes('type="module"')) modules.add(path);
    // Of a connection that is shared by few, the page itself asks for the rest in time.
    else if (!tag.includes(" async")) {
      links.push(`</static/${path}>; rel=preload; as=${path.endsWith(".css") ? "style" : "script"}`);
    }
  }
  // A set that grows while it is walked is walked to its new end.
  for (const path of modules) {
    for (const [, name = ""] of (texts[path] ?? "").matchAll(IMPORT)) {
      modules.add(new URL(name, `http://page/${path}`).pathname.slice(1));
    }
    links.push(`</static/${path}>; rel=modulepreload`);
  }
  return links.join(", ");
}
