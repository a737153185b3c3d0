import type { QuarantineFilter } from "../event_log/mod.ts";
import { UsageError } from "./shell.ts";

/** The filters of `tacho quarantine`, as the command line gives them. Times in microseconds. */
export interface FilterOptions {
  readonly reason?: string;
  readonly stage?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly codeVersion?: string;
  readonly since?: number;
  readonly until?: number;
}

/** The filter that ids and options of the command line make. */
export function filter_of(ids: readonly number[], options: FilterOptions): QuarantineFilter {
  const { reason, stage, topic, partition, codeVersion, since, until } = options;
  return {
    ...ids.length === 0 ? {} : { ids },
    ...reason === undefined ? {} : { reason },
    ...stage === undefined ? {} : { stage },
    ...topic === undefined ? {} : { topic },
    ...partition === undefined ? {} : { partition },
    ...codeVersion === undefined ? {} : { code_version: codeVersion },
    ...since === undefined ? {} : { since_us: since },
    ...until === undefined ? {} : { until_us: until },
  };
}

/** Like `filter_of`, for what changes messages: nobody means all of them by leaving everything out. Throws UsageError. */
export function deliberate_filter(
  verb: string,
  ids: readonly number[],
  options: FilterOptions & { readonly all: boolean },
): QuarantineFilter {
  const filter = filter_of(ids, options);
  const named = Object.keys(filter).length > 0;
  if (named === options.all) {
    throw new UsageError(
      named
        ? `quarantine ${verb}: expected ids and filters, or --all, got both`
        : `quarantine ${verb}: expected ids, a filter such as --topic, or --all, got none of them`,
    );
  }
  return filter;
}
