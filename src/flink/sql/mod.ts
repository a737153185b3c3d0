/**
 * A domain's declaration as Apache Flink SQL (2.3): what outgrows one log runs there, and fills the same tables. Pure, and knows no domain.
 *
 * Decision: SQL alone, no function in Java: nothing has to be built for a cluster and put on it. Price: each field of a state is kept with the
 * time and id that it is told apart by, and what only code can do (cells of places) is refused.
 */
export { flink_sql, type FlinkPlaces, uncompiled_of } from "./compile.ts";
