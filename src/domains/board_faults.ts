import type { CellShape } from "../kpi/mod.ts";
import type { BoardDeclaration } from "./board.ts";

/** What a board may not declare: each fault is thrown with what was expected and what came, before anything is made of it. */

/** Throws where what is declared of a board is not of what it needs. */
export function require_board(given: Declared & { readonly facts: readonly Adding[] }): void {
  require_map(given);
  require_unusual(given);
  require_segments(given, given.facts);
  require_unusual_items(given, given.facts);
}

interface Declared extends CellShape {
  readonly name: string;
  readonly board: Omit<BoardDeclaration, "lines">;
}

/** A fact, by the measures that it adds to. */
type Adding = { readonly adds: Readonly<Record<string, unknown>> };

/** Throws what was expected of something that a domain declares, and what came. */
const refusal = (what: string, domain: string) => (expected: string, got: string): never => {
  throw new Error(`declare the ${what} of ${domain}: expected ${expected}, got ${JSON.stringify(got)}`);
};

/** Throws where segments are of keys without a column, or by figures that are not of one fact. */
function require_segments(
  { name, dimensions, board: { segments, figures } }: Declared,
  facts: readonly Adding[],
): void {
  const { of = [], count = "", value = "" } = segments ?? {};
  const refuse = refusal("segments", name);
  const measures = [count, value].map((each) => {
    const figure = figures[each];
    return figure?.kind === "total" ? figure.measure : each;
  });
  const adding = facts.filter(({ adds }) => measures.some((measure) => measure in adds));
  const of_one = adding.length === 1 && measures.every((measure) => measure in adding[0]!.adds);
  if (segments !== undefined && !of_one) refuse("sums that one fact adds to", `${count}, ${value}`);
  const column_of = (of: string) => dimensions.find((each) => each.name === of)?.column ?? null;
  for (const each of of) if (column_of(each) === null) refuse("a dimension whose keys are read from a column", each);
}

/** Throws where something is watched for the unusual that is no count, or by what keeps no windows. */
export function require_unusual(
  { name, dimensions, measures, board: { unusual = [], figures, now, whole } }: Declared,
): void {
  const refuse = refusal("unusual", name);
  for (const { figure, by } of unusual) {
    const declared = figures[figure];
    const counted = declared?.kind === "total" && measures.find((each) => each.name === declared.measure)?.kind;
    if (counted !== "count") refuse("a figure that is a count", figure);
    for (const dimension of [whole.dimension, ...by]) {
      const { grains = [] } = dimensions.find((each) => each.name === dimension) ?? {};
      const kept = grains.includes("5m") && grains.includes("1d");
      if (!kept || dimension === now.dimension) {
        refuse("a dimension that keeps 5m and 1d, and is not that of now", dimension);
      }
    }
  }
}

/** Throws where streams are held against their kind by what is no sum of one fact, or kinds are of keys without a column. */
function require_unusual_items(
  { name, dimensions, measures, board: { unusual_items = [], figures } }: Declared,
  facts: readonly Adding[],
): void {
  const refuse = refusal("unusual items", name);
  for (const { figure, of } of unusual_items) {
    const declared = figures[figure], measure = declared !== undefined && "measure" in declared ? declared.measure : "";
    const is_sum = measures.some((each) => each.name === measure && each.kind === "sum");
    const adding = facts.filter(({ adds }) => measure in adds);
    if (!is_sum || declared?.unit === "percent" || adding.length !== 1) {
      refuse("a figure of a sum that one fact adds to", figure);
    }
    if (of.length === 0) refuse("a dimension", "none");
    if (Object.hasOwn(figures, "unusual")) refuse("no figure of the name that the list of these has", "unusual");
    for (const each of of) {
      const { column = null, totals } = dimensions.find(({ name }) => name === each) ?? {};
      // Of very many keys none has streams enough.
      if (column === null || totals !== undefined) refuse("a dimension of few keys, read from a column", each);
    }
  }
}

/** Throws where a map is declared of what is no place, or of a figure that does not add up. */
function require_map({ name, dimensions, measures, board: { map, figures } }: Declared): void {
  if (map === undefined) return;
  const refuse = refusal("map", name);
  for (const { dimension } of map.places) {
    const { grains = [], column = null } = dimensions.find((each) => each.name === dimension) ?? {};
    if (column === null || !grains.some((grain) => grain !== "all")) {
      refuse("a dimension that keeps windows", dimension);
    }
  }
  if (map.figures.length === 0) refuse("a figure", "none");
  for (const each of map.figures) {
    const figure = figures[each];
    const kind = figure !== undefined && "measure" in figure
      ? measures.find((measure) => measure.name === figure.measure)?.kind
      : undefined;
    if (kind !== "count" && kind !== "sum") refuse("a sum of a measure, or a mean of one", each);
  }
}
