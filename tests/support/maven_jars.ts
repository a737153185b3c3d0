import { find_program, folder_names } from "./program.ts";
import { shell } from "./shell.ts";

/** Programs in Java that tests run, by their jars: from the user's cache, where Maven puts them the first time. */
export interface MavenJars {
  /** What they are, in errors, and the name of their folder in the cache. */
  readonly name: string;
  /** The cache is keyed by it. */
  readonly version: string;
  /** The variable that names another folder. */
  readonly variable: string;
  /** How the name of a jar begins that is there when all are. */
  readonly main: string;
  /** The model by which Maven fetches them. */
  readonly pom: string;
}

/** A dependency of a POM. */
export const dependency = (group: string, artifact: string, version: string): string =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;

/** A POM that has nothing but dependencies. */
export const pom_of = (artifact: string, dependencies: readonly string[]): string =>
  `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tacho</groupId><artifactId>${artifact}</artifactId><version>1</version>
  <dependencies>
    ${dependencies.join("\n    ")}
  </dependencies>
</project>
`;

/** The folder that jars are looked for in: what their variable names, or one in the user's cache. */
export function jars_folder({ name, version, variable }: MavenJars): string {
  const given = Deno.env.get(variable);
  if (given !== undefined && given !== "") return given;
  const cache = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? ""}/.cache`;
  return `${cache}/tacho/${name.toLowerCase()}-${version}/jars`;
}

const are_there = (jars: MavenJars): boolean =>
  folder_names(jars_folder(jars)).some((name) => name.startsWith(jars.main));

/** Why a program cannot be started here, in one line; null when it can. Jars that Maven can still fetch count as there. */
export function jars_absence(jars: MavenJars): string | null {
  if (find_program(["java"]) === null) return "no java on PATH";
  if (are_there(jars) || find_program(["mvn"]) !== null) return null;
  return `no ${jars.name} jars in ${jars_folder(jars)}, and no mvn on PATH to fetch them`;
}

/** The folder with the jars, fetched by Maven when they are not there yet. */
export async function ensure_jars(jars: MavenJars): Promise<string> {
  const folder = jars_folder(jars), action = `fetch the ${jars.name} jars with Maven`;
  if (!are_there(jars)) await shell(action, FETCH, folder, jars.pom);
  if (!are_there(jars)) throw new Error(`${action}: no ${jars.main}*.jar in "${folder}" afterwards`);
  return folder;
}

// Into a folder beside the real one, then renamed: a fetch that was cut off leaves no half cache.
const FETCH = `set -e
parent=$(dirname "$1")
mkdir -p "$parent"
work=$(mktemp -d "$parent/fetching_XXXXXX")
trap 'rm -rf "$work"' EXIT
printf %s "$2" >"$work/pom.xml"
cd "$work"
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \\
  -DincludeScope=runtime -DoutputDirectory="$work/jars"
rm -rf "$1"
mv "$work/jars" "$1"`;
