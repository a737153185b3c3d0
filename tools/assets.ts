/**
 * `deno task assets`: writes src/http/assets.ts, which names every file of `static/`. Imports of text are what run, bundle and compile
 * read alike, and none of them takes a folder; a test holds the list to what is there.
 */

const STATIC = new URL("../static/", import.meta.url);

function files_below(folder: URL, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? files_below(new URL(`${name}/`, folder), `${prefix}${name}/`) : [`${prefix}${name}`]
  ).sort();
}

/** The text of src/http/assets.ts for the files that are there now. */
export function assets_text(): string {
  const files = files_below(STATIC).map((path) => ({ path, name: path.replace(/\W/g, "_") }));
  const imports = files.map(({ path, name }) => `import ${name} from "../../static/${path}" with { type: "text" };`);
  return `${imports.join("\n")}

/**
 * The page's files, by path below \`static/\`: made by \`deno task assets\`. They enter the program as text by import attributes, so that it
 * reads them alike whether it runs, is bundled or compiled.
 */
export const ASSETS: Readonly<Record<string, string>> = {
${files.map(({ path, name }) => `  "${path}": ${name},`).join("\n")}
};
`;
}

if (import.meta.main) Deno.writeTextFileSync(new URL("../src/http/assets.ts", import.meta.url), assets_text());
