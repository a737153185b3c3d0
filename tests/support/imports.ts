/** One import or re-export of a TypeScript file. */
export interface Import {
  readonly specifier: string;
  /** The imported names that exist at run time: none for types; null when all are meant or the file is run for its effect. */
  readonly names: readonly string[] | null;
}

/** The imports and re-exports of a file without comments, by pattern: enough for code that `deno fmt` has laid out. */
export function imports_of(code: string): Import[] {
  const found: Import[] = [];
  for (
    const [, words = "", specifier = ""] of code.matchAll(
      /^[ \t]*(?:import|export)\b([^;"']*?)\bfrom\s*["']([^"']+)["']/gm,
    )
  ) {
    found.push({ specifier, names: value_names(words) });
  }
  for (const [, bare, dynamic] of code.matchAll(/^[ \t]*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm)) {
    found.push({ specifier: bare ?? dynamic ?? "", names: null });
  }
  return found;
}

/** The names between `import` and `from`, as their module calls them; null for a namespace. */
function value_names(words: string): string[] | null {
  if (/^\s*type\b/.test(words)) return [];
  const braced = /\{([^}]*)\}/.exec(words)?.[1] ?? "";
  const named = braced.split(",").map((part) => part.trim()).filter((part) => part !== "" && !part.startsWith("type "));
  const before = words.replace(/\{[^}]*\}/, "").replaceAll(",", "").trim();
  if (before.startsWith("*")) return null;
  return [...(before === "" ? [] : ["default"]), ...named.map((part) => part.split(/\s+as\s+/)[0] ?? part)];
}

/**
 * The module that declares a name which another module imports from `path`: followed through the re-exports of doors.
 * @param files file texts by path
 */
export function origin_of(files: Readonly<Record<string, string>>, path: string, name: string): string {
  const code = without_comments(files[path] ?? "");
  const declared = new RegExp(
    `\\bexport\\s+(?:async\\s+|abstract\\s+)*(?:function\\*?|const|let|class|enum)\\s+${name}\\b`,
  );
  if (declared.test(code) || !path.endsWith("/mod.ts")) return path;
  for (const { specifier, names } of imports_of(code)) {
    if (!specifier.startsWith(".") || (names !== null && !names.includes(name))) continue;
    const target = resolve_import(path, specifier);
    const origin = origin_of(files, target, name);
    if (names !== null || origin !== target || declared.test(without_comments(files[target] ?? ""))) return origin;
  }
  return path;
}

/** The path that a relative specifier means. */
export function resolve_import(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** The code without its comments; strings stay. */
export function without_comments(text: string): string {
  return text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, string) => string ?? " ",
  );
}

/** The code with its plain strings emptied. */
export function without_strings(code: string): string {
  return code.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, '""');
}
