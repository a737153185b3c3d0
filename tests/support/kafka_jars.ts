import { dependency, ensure_jars, type MavenJars, pom_of } from "./maven_jars.ts";

const VERSION = "4.3.1";

/** The jars of a broker (46 files, 44 MB). A binding for SLF4J 2 would keep it from logging: it is built against 1.7. */
export const KAFKA_JARS: MavenJars = {
  name: "Kafka",
  version: VERSION,
  variable: "TACHO_TEST_KAFKA_JARS",
  main: "kafka_2.13-",
  pom: pom_of("test-broker", [
    dependency("org.apache.kafka", "kafka_2.13", VERSION),
    dependency("org.slf4j", "slf4j-simple", "1.7.36"),
  ]),
};

if (import.meta.main) console.log(await ensure_jars(KAFKA_JARS));
