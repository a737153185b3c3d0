import { dependency, ensure_jars, type MavenJars, pom_of } from "./maven_jars.ts";

const VERSION = "2.3.0";

const FLINK = [
  ...["clients", "runtime", "streaming-java", "runtime-web", "table-planner-loader", "table-runtime"],
  ...["table-api-java-bridge", "sql-client", "sql-gateway", "connector-base", "connector-files", "json"],
];

/** The jars of a Flink cluster with its SQL gateway, and of what its jobs read and write (62 files, 160 MB). */
export const FLINK_JARS: MavenJars = {
  name: "Flink",
  version: VERSION,
  variable: "TACHO_TEST_FLINK_JARS",
  main: "flink-sql-gateway-2",
  pom: pom_of("test-flink", [
    ...FLINK.map((name) => dependency("org.apache.flink", `flink-${name}`, VERSION)),
    dependency("org.apache.flink", "flink-sql-connector-kafka", "5.0.0-2.2"),
    dependency("org.apache.flink", "flink-connector-jdbc-core", "4.0.0-2.0"),
    dependency("org.apache.flink", "flink-connector-jdbc-postgres", "4.0.0-2.0"),
    dependency("org.postgresql", "postgresql", "42.7.14"),
    dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
    dependency("org.apache.logging.log4j", "log4j-core", "2.24.3"),
  ]),
};

if (import.meta.main) console.log(await ensure_jars(FLINK_JARS));
