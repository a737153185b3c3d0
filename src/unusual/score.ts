/**
 * How far what is seen lies from what is usual, and what of it is told. Usual is the median of what the same stretch of the week had before, its
 * spread the median distance from that (MAD, as a standard deviation); both bear it that several of the weeks before were unusual themselves.
 *
 * Counts vary by chance as Poisson's do: they are held against each other by twice their roots, where chance has a spread of 1 whatever is
 * expected, so that a key with three an hour is not called unusual for having eight. No spread is taken for less than that, nor for less than 3 %
 * of what is expected: nobody's weeks are more alike. Pure.
 */

/** From this score on, up or down, something is called unusual. */
export const LEAST_SCORE = 5;
/** So many weeks before are looked at, at most, and at least for it to be by the hour of the week. */
export const WEEKS = { most: 8, least: 4 } as const;
/** The MAD of a normal distribution is so much of its standard deviation's inverse. */
const OF_NORMAL = 1.4826;
const LEAST_SPREAD = 0.03;

/** The median of values, which are put in order; NaN of nothing. */
export function median(values: Float64Array): number {
  if (values.length > 16) values.sort();
  else {
    // Thousands of eights at a time: calling a sort takes longer than sorting.
    for (let i = 1; i < values.length; i++) {
      const value = values[i]!;
      let at = i;
      for (; at > 0 && values[at - 1]! > value; at--) values[at] = values[at - 1]!;
      values[at] = value;
    }
  }
  const half = values.length >> 1;
  return values.length % 2 === 1 ? values[half]! : (values[half - 1]! + values[half]!) / 2;
}

/** The median distance from a value, as a standard deviation; that of a few is widened, for it is too small more often than not. */
function spread_about(values: Float64Array, middle: number): number {
  const many = values.length, apart = median(values.map((each) => Math.abs(each - middle)));
  return OF_NORMAL * apart * (many > 1 ? many / (many - 0.8) : 1);
}

/** The median of few is itself not exact: by so much spreads are wider. */
const widening = (many: number): number => Math.sqrt(1 + Math.PI / 2 / many);

/** Twice the root of a count. */
const root = (count: number): number => 2 * Math.sqrt(Math.max(count, 0) + 3 / 8);

/**
 * How many spreads a count lies above what is usual, below 0 under it.
 * @param past what it was before, at least one; put in order
 * @param least what is nearer counts as 0
 */
export function score_of_count(
  count: number,
  past: Float64Array,
  least = 0,
): { readonly expected: number; readonly score: number } {
  const expected = median(past), middle = root(expected);
  const apart = root(count) - middle, wider = widening(past.length);
  if (Math.abs(apart) < least * wider) return { expected, score: 0 };
  const spread = Math.max(1, LEAST_SPREAD * Math.sqrt(Math.max(expected, 0)), spread_about(past.map(root), middle));
  return { expected, score: apart / spread / wider };
}

/**
 * The same where only stretches of other times of the day are known: how far a count lies beyond the most or the least of them, as a spread of chance.
 * What is usual at one time of the day is unusual at none then; 0 within.
 */
function score_beyond(count: number, past: Float64Array): { readonly expected: number; readonly score: number } {
  const expected = Math.min(
    Math.max(count, past.reduce((a, b) => Math.min(a, b))),
    past.reduce((a, b) => Math.max(a, b)),
  );
  return { expected, score: (root(count) - root(expected)) / Math.max(1, LEAST_SPREAD * Math.sqrt(expected)) };
}

/**
 * The same of any figure.
 * @param base how many of what is counted are under it, usually: by chance alone it varies by the root of that
 */
export function score_of_figure(
  value: number,
  past: Float64Array,
  base: number,
): { readonly expected: number; readonly score: number } {
  const expected = median(past);
  const floor = Math.abs(expected) * Math.max(LEAST_SPREAD, 1 / Math.sqrt(Math.max(base, 1)));
  const widest = Math.max(floor, spread_about(past, expected)) * widening(past.length);
  return { expected, score: widest > 0 ? (value - expected) / widest : 0 };
}

/** Cells of five minutes that are looked at: an hour that is closed, and those that event time has come to and that are not. */
export const CLOSED = 12;
export const OPEN = 2;

/** What stretches had before: the cells [from, to) in weeks before, or all stretches of a day that are as long. */
export interface Past {
  readonly by: "weeks" | "day";
  readonly of: (from: number, to: number) => Float64Array;
}

/** The counts of a key: of the cells looked at, and, for a stretch of them, what such stretches had before. */
export interface Line {
  readonly figure: string;
  readonly dimension: string;
  readonly key: string;
  /** Running totals: before the first of `CLOSED + OPEN` cells (0), and after each. */
  readonly seen: Float64Array;
  /** Null: too little is known of before. */
  readonly past: Past | null;
}

/** A stretch in which a key has more or less than usual: cells [from, to). */
export interface Finding extends Pick<Line, "figure" | "dimension" | "key"> {
  readonly from: number;
  readonly to: number;
  readonly seen: number;
  readonly expected: number;
  readonly score: number;
}

/** Running totals of counts: 0, and what the first of them come to. */
export function running_totals(counts: Float64Array): Float64Array {
  const totals = new Float64Array(counts.length + 1);
  for (let i = 0; i < counts.length; i++) totals[i + 1] = totals[i]! + counts[i]!;
  return totals;
}

/** A line over a stretch; of what is nearer than `least` the score is 0. */
function seen_in({ figure, dimension, key, seen, past }: Line, from: number, to: number, least = 0): Finding | null {
  if (past === null) return null;
  const total = seen[to]! - seen[from]!, before = past.of(from, to);
  const scored = past.by === "weeks" ? score_of_count(total, before, least) : score_beyond(total, before);
  return { figure, dimension, key, from, to, seen: total, ...scored };
}

/**
 * The stretch up to now, of five minutes to an hour, that lies furthest from what is usual, if any does so far enough. What is not closed yet is
 * held against whole cells and can only be too much: late events are missing in it.
 */
export function furthest(line: Line, least = LEAST_SCORE): Finding | null {
  let found: Finding | null = null, most = least;
  for (let to = CLOSED; to <= CLOSED + OPEN; to++) {
    for (let from = to - 1; from >= to - CLOSED; from--) {
      const each = seen_in(line, from, to, most);
      if (each === null) return null;
      if (Math.abs(each.score) < most || (to > CLOSED && each.score < 0)) continue;
      found = each;
      most = Math.abs(each.score);
    }
  }
  return found;
}

/** A finding that is told, and what else shows in it. */
export interface Item extends Finding {
  /** How much of the whole's difference is its own, 0 to 1; null: the whole does not differ so. */
  readonly share: number | null;
  /** Keys of other dimensions that have more of the difference than of the whole, the most first. */
  readonly explained_by: readonly (Pick<Finding, "dimension" | "key" | "seen" | "expected"> & {
    readonly share: number;
  })[];
}

const difference = ({ seen, expected }: Pick<Finding, "seen" | "expected">): number => seen - expected;
/** What of a difference another one has to be, so that it is no other matter. */
const SAME_MATTER = 0.5;
/** A key explains a difference that it has so much of, and so many times as much as it has of the whole. */
const EXPLAINS = { share: 0.25, times: 1.5, most: 4 } as const;

/**
 * What is told of findings: what lies furthest from the usual first. One matter shows in several dimensions, and is told once, by the key in which it
 * shows most; keys of one dimension are matters of their own.
 * @param lines those that they were found in
 * @param whole the dimension that has all
 */
export function told_of(findings: readonly Finding[], lines: readonly Line[], whole: string): Item[] {
  const told: Finding[] = [];
  for (const each of findings.toSorted((a, b) => Math.abs(b.score) - Math.abs(a.score))) {
    const known = told.some((other) =>
      other.figure === each.figure && other.score > 0 === each.score > 0 && other.dimension !== each.dimension &&
      Math.abs(difference(other)) >= SAME_MATTER * Math.abs(difference(each))
    );
    if (!known) told.push(each);
  }
  return told.map((finding) => explained(finding, lines, whole));
}

function explained(finding: Finding, lines: readonly Line[], whole: string): Item {
  const own = lines.filter(({ figure }) => figure === finding.figure);
  const all = own.find(({ dimension }) => dimension === whole);
  const total = all === undefined ? null : seen_in(all, finding.from, finding.to);
  if (total === null || difference(total) * finding.score <= 0) return { ...finding, share: null, explained_by: [] };
  const share_of = (of: Finding): number => Math.min(Math.max(difference(of) / difference(total), 0), 1);
  const explaining = own.filter(({ dimension }) => dimension !== whole && dimension !== finding.dimension)
    .flatMap((line) => seen_in(line, finding.from, finding.to) ?? [])
    .map(({ dimension, key, seen, expected, ...more }) => (
      { dimension, key, seen, expected, share: share_of({ dimension, key, seen, expected, ...more }) }
    ))
    .filter(({ share, expected }) => share >= EXPLAINS.share && share * total.expected >= EXPLAINS.times * expected)
    .sort((a, b) => b.share - a.share).slice(0, EXPLAINS.most);
  return { ...finding, share: share_of(finding), explained_by: explaining };
}
