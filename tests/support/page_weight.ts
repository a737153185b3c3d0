/** Which of the page's files a browser loads before anything is pressed, and what they weigh. */

const STATIC = new URL("../../static/", import.meta.url);

const text_of = (path: string): string => Deno.readTextFileSync(new URL(path, STATIC));

/** The path below `static/` that a module names, from the folder of the module. */
function resolved(name: string, from: string): string {
  return new URL(name, `http://page/static/${from}`).pathname.replace(/^\/static\//, "");
}

/** What a module imports: at once, and, named anywhere else in it, when it is needed. Paths below `static/`. */
export function imports_of(path: string): { readonly eager: string[]; readonly lazy: string[] } {
  const text = text_of(path);
  const names = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, name = ""]) => resolved(name, path));
  const eager = names(/^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"/gm);
  // Parts are needed by their name, other modules by their path.
  const parts = [...text.matchAll(/\b(?:need|show)\(\s*"(\w+)"/g)].map(([, name = ""]) => `${name}.js`);
  return { eager, lazy: [...parts, ...names(/"(\.\.?\/[^"]+\.js)"/g)].filter((name) => !eager.includes(name)) };
}

/** Every file of the folder that the page itself is made of, the sign-in page and licences left out. */
export function page_files(folder = "", found: string[] = []): string[] {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, STATIC))) {
    if (isDirectory) page_files(`${folder}${name}/`, found);
    else if (!name.endsWith(".txt") && !folder.startsWith("login/")) found.push(`${folder}${name}`);
  }
  return found.sort();
}

/** What `index.html` and the modules that it starts load at once: scripts, styles, preloads, static imports. */
export function eager_files(start = "index.html"): string[] {
  const html = text_of(start);
  const found = new Set([start]);
  const add = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    if (path.endsWith(".js") && !path.startsWith("vendor/")) imports_of(path).eager.forEach(add);
  };
  for (const [, path = ""] of html.matchAll(/(?:src|href)="\/static\/([^"]+)"/g)) add(path);
  return [...found].sort();
}

/** What the worker that `early.js` starts loads at once: the page waits for it too. */
export function worker_files(): string[] {
  const names = [...text_of("early.js").matchAll(/new SharedWorker\("\/static\/([^"]+)"/g)].map(([, name = ""]) =>
    name
  );
  return names.flatMap((name) => [name, ...imports_of(name).eager]);
}

/** Bytes of files, as they are and packed one by one as the server packs them. */
export async function weight_of(paths: readonly string[]): Promise<{ readonly raw: number; readonly gzip: number }> {
  let raw = 0, gzip = 0;
  for (const path of paths) {
    const bytes = Deno.readFileSync(new URL(path, STATIC));
    raw += bytes.byteLength;
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    gzip += (await new Response(stream).arrayBuffer()).byteLength;
  }
  return { raw, gzip };
}
