import { find_program, folder_names } from "./program.ts";
import { shell } from "./shell.ts";

/** The broker's version; the cache is keyed by it. */
export const KAFKA_VERSION = "4.3.1";

/** The folder the jars are looked for in: `TACHO_TEST_KAFKA_JARS`, or the user's cache. */
export function kafka_jars_folder(): string {
  const given = Deno.env.get("TACHO_TEST_KAFKA_JARS");
  if (given !== undefined && given !== "") return given;
  const cache = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? ""}/.cache`;
  return `${cache}/tacho/kafka-${KAFKA_VERSION}/jars`;
}

/** Why a broker cannot be started here, in one line; null when it can. Jars that Maven can still fetch count as there. */
export function kafka_absence(): string | null {
  if (find_program(["java"]) === null) return "no java on PATH";
  if (has_broker(kafka_jars_folder()) || find_program(["mvn"]) !== null) return null;
  return `no Kafka jars in ${kafka_jars_folder()}, and no mvn on PATH to fetch them`;
}

/** The folder with the broker's jars, fetched by Maven when they are not there yet (46 files, 44 MB). */
export async function ensure_kafka_jars(): Promise<string> {
  const folder = kafka_jars_folder();
  if (!has_broker(folder)) await shell("fetch the Kafka jars with Maven", FETCH, folder, POM);
  if (!has_broker(folder)) {
    throw new Error(`fetch the Kafka jars with Maven: no kafka_2.13-*.jar in "${folder}" afterwards`);
  }
  return folder;
}

function has_broker(folder: string): boolean {
  return folder_names(folder).some((name) => name.startsWith("kafka_2.13-"));
}

// A binding for SLF4J 2 would keep the broker from logging: it is built against 1.7.
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tacho</groupId><artifactId>test-broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

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

if (import.meta.main) console.log(await ensure_kafka_jars());
