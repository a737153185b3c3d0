import { imports_of, origin_of, resolve_import, without_comments, without_strings } from "./imports.ts";

/**
 * The rules of `src` as a pure function over file texts: imports point downward and enter a folder by its door, pure modules reach nothing impure, each driver
 * and the environment are met in one place, files stay short. `main.ts` stands on top and may import every door.
 */

/** The folders of `src`, lowest layer first; those of one line do not know each other. */
const LAYERS = [
  ["runtime", "kpi", "sort"],
  ["domains"],
  ["database", "mapping", "places", "flink"],
  ["event_log", "files"],
  ["projection"],
  ["ingest"],
  ["feed", "replay"],
  ["unusual", "segments"],
  ["export", "publish", "alerts", "saved"],
  ["proof"],
  ["http"],
  ["reports"],
  ["verbs"],
  ["command_line"],
];

/** Pure by folder, or by the name of the file: the functional core. */
const PURE_FOLDERS = [
  "src/kpi/",
  "src/domains/",
  "src/mapping/",
  "src/ingest/decode/",
  "src/places/",
  "src/flink/sql/",
];
const PURE_NAMES = [
  "decode",
  "envelope",
  "plan",
  "fold",
  "frame",
  "contribution",
  "window",
  "windows",
  "watermark",
  "sketch",
  "catalog",
  "machine",
  "score",
  "rule",
  "rules_file",
  "due",
  "picture",
];

/** Packages that pure modules may use, and where: they neither read a clock nor draw at random by themselves. */
const PURE_PACKAGES: readonly (readonly [name: string, folder: RegExp])[] = [
  ["zod", /^src\//],
  ["h3-js", /^src\//],
  // For hashes, which are the same whenever they are made.
  ["node:crypto", /^src\/mapping\/identity\.ts$/],
  // For text out of bytes.
  ["node:buffer", /^src\/ingest\/decode\/plain_event\.ts$/],
  ["papaparse", /^src\/mapping\/csv_line\.ts$/],
  ["@faker-js/faker", /^src\/domains\/[a-z_]+\/generator/],
];

const IMPURE = [
  /\bDeno\b/,
  /\bprocess\./,
  /\bDate\.now\b/,
  /\bnew Date\(\s*\)/,
  /\bperformance\./,
  /\bMath\.random\b/,
  /\bcrypto\./,
  /\b(?:setTimeout|setInterval|queueMicrotask|fetch)\(/,
  /\bconsole\./,
  /\bawait\b/,
];

/** Drivers that one file alone may import. */
const DRIVERS = ["kafkajs", "nodemailer", "pg", "pg-copy-streams", "@electric-sql/pglite"];

const ENVIRONMENT = /\bDeno\.env\b|\bprocess\.env\b/;
const ENVIRONMENT_READER = "src/runtime/config.ts";
/** An idea is one file that reads from top to bottom, and some need so many. */
const LINES = 400;
/** A caller can tell so many arguments apart by their place; more are named, in an object. */
const PARAMETERS = 5;
/** What a reader can hold of a folder at once; more files want rooms with names of their own. */
const FILES = 15;

/**
 * Checks the program's files; gives one sentence a violation, sorted, none when all is well.
 * @param files the text of `main.ts` and of every TypeScript file below `src`, by path from the repository
 */
export function layer_faults(files: Readonly<Record<string, string>>): string[] {
  const faults = new Set<string>();
  const imported_by = new Map<string, string[]>();
  for (const [path, text] of Object.entries(files)) {
    const code = without_comments(text);
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    if (lines > LINES) faults.add(`${path}: ${lines} lines, at most ${LINES} allowed`);
    for (const { name, count } of long_signatures(without_strings(code))) {
      faults.add(`${path}: ${name} has ${count} parameters, at most ${PARAMETERS} allowed`);
    }
    if (/\b(?:TODO|FIXME)\b/.test(text)) faults.add(`${path}: holds a TODO`);
    if (ENVIRONMENT.test(without_strings(code)) && path !== ENVIRONMENT_READER) {
      faults.add(`${path}: reads the environment; only ${ENVIRONMENT_READER} may`);
    }
    for (const { specifier } of imports_of(code)) {
      const driver = DRIVERS.find((name) => is_package(specifier, name));
      if (driver !== undefined) imported_by.set(driver, [...imported_by.get(driver) ?? [], path]);
      const fault = specifier.startsWith(".") ? direction_fault(path, resolve_import(path, specifier)) : null;
      if (fault !== null) faults.add(fault);
    }
    if (is_pure(path)) { for (const fault of purity_faults(path, files)) faults.add(fault); }
  }
  const folders = Map.groupBy(Object.keys(files), (path) => path.slice(0, path.lastIndexOf("/")));
  for (const [folder, paths] of folders) {
    if (paths.length > FILES) faults.add(`${folder}: ${paths.length} files, at most ${FILES} allowed without rooms`);
  }
  for (const circle of circles(files)) faults.add(`${circle.join(" → ")}: import each other in a circle`);
  for (const [driver, paths] of imported_by) {
    const apart = [...new Set(paths)];
    if (apart.length > 1) faults.add(`${driver} is imported by ${apart.join(" and ")}; one file may`);
  }
  return [...faults].sort();
}

/** Functions and methods that take more parameters than a reader tells apart. */
function long_signatures(code: string): { readonly name: string; readonly count: number }[] {
  const named =
    /(?:function\*?\s+|^[ \t]+(?:static |async |\*)*(?=#?\w+(?:<[^()]*>)?\()|const )(#?\w+)(?:<[^()]*>)?(?: = (?:async )?)?\(/gm;
  return [...code.matchAll(named)].flatMap((match) => {
    let depth = 1, commas = 0, at = match.index + match[0].length, begun = at;
    const from = at;
    for (; at < code.length && depth > 0; at++) {
      const sign = code[at]!;
      if ("([{<".includes(sign)) depth++;
      else if (")]}".includes(sign) || (sign === ">" && !"=-".includes(code[at - 1]!))) depth--;
      else if (sign === "," && depth === 1) {
        commas++;
        begun = at + 1;
      }
    }
    const given = code.slice(from, at - 1), last = code.slice(begun, at - 1).trim() === "" ? 0 : 1;
    // What follows tells a definition from a call.
    const defines = /^\s*(?::|\{|=>)/.test(code.slice(at, at + 20)) && given.includes(":");
    const count = commas + last;
    return defines && count > PARAMETERS ? [{ name: match[1]!, count }] : [];
  });
}

/** Circles of imports, types included: the way from a file back to it. */
function circles(files: Readonly<Record<string, string>>): string[][] {
  const imports = new Map(
    Object.entries(files).map(([path, text]) => {
      const own = imports_of(without_comments(text)).filter(({ specifier }) => specifier.startsWith("."));
      return [path, own.map(({ specifier }) => resolve_import(path, specifier))] as const;
    }),
  );
  const done = new Set<string>(), found: string[][] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) return void found.push([...way.slice(at), path]);
    if (done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of [...imports.keys()].sort()) visit(path, []);
  return found;
}

/** Why this import between two files of the program is wrong, or null. */
function direction_fault(from: string, to: string): string | null {
  if (!to.endsWith(".ts")) return null;
  if (!to.startsWith("src/")) return `${from}: imports ${to}, which is not in src`;
  const importer = folder_of(from);
  const imported = folder_of(to);
  if (imported !== null && layer_of(imported) < 0) return `${to}: src/${imported} has no place among the layers`;
  if (importer === imported) return door_fault(from, to);
  if (imported === null) return `${from}: imports ${to}, which is in no folder of src`;
  // What composes the program chooses among domains and adapters, so it may enter their own doors.
  const composes = importer === null || importer === "verbs";
  const enters = to === `src/${imported}/mod.ts` || (composes && to.endsWith("/mod.ts"));
  if (!enters) return `${from}: imports ${to}; src/${imported} is entered by its mod.ts`;
  if (importer === null) return null;
  if (layer_of(importer) > layer_of(imported)) return null;
  return `${from}: imports ${to}; src/${importer} must not know src/${imported}`;
}

/** Inside one folder of `src`: a folder below it is entered by its door as well, except from within. */
function door_fault(from: string, to: string): string | null {
  const below = to.split("/").slice(0, -1);
  for (let depth = 3; depth <= below.length; depth++) {
    const folder = `${below.slice(0, depth).join("/")}/`;
    if (!from.startsWith(folder) && to !== `${folder}mod.ts`) {
      return `${from}: imports ${to}; ${folder} is entered by its mod.ts`;
    }
  }
  return null;
}

/** What is impure in a pure module or in what it imports, types aside. Through a door it is the module of the imported name that counts, not its neighbours. */
function purity_faults(start: string, files: Readonly<Record<string, string>>): string[] {
  const faults: string[] = [];
  const seen = new Set([start]);
  for (const path of seen) {
    const text = files[path];
    if (text === undefined) continue;
    const code = without_comments(text);
    const through = path === start ? "" : `, through ${path}`;
    const found = IMPURE.map((pattern) => pattern.exec(without_strings(code))?.[0]).filter((match) =>
      match !== undefined
    );
    for (const match of found) faults.push(`${start}: is pure, yet uses ${match}${through}`);
    for (const { specifier, names } of imports_of(code)) {
      if (names?.length === 0) continue;
      if (specifier.startsWith(".")) {
        const target = resolve_import(path, specifier);
        for (const origin of names?.map((name) => origin_of(files, target, name)) ?? [target]) seen.add(origin);
      } else if (!PURE_PACKAGES.some(([name, where]) => is_package(specifier, name) && where.test(path))) {
        faults.push(`${start}: is pure, yet imports ${specifier}${through}`);
      }
    }
  }
  return faults;
}

function is_package(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}

function is_pure(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1, -".ts".length);
  return PURE_FOLDERS.some((folder) => path.startsWith(folder)) ||
    (path.startsWith("src/") && PURE_NAMES.includes(name));
}

/** The folder of `src` a file is in; null for `main.ts` and files that lie in `src` itself. */
function folder_of(path: string): string | null {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? null;
}

function layer_of(folder: string): number {
  return LAYERS.findIndex((layer) => layer.includes(folder));
}
