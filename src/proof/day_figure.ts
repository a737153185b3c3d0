import type { Domain, DomainBoard, SummedFigure } from "../domains/mod.ts";
import { declared_figure, figure_text } from "../feed/mod.ts";
import { CellChanges, column_measures, type Contribution, type Days, is_extreme, parted } from "../kpi/mod.ts";

/** A figure of a day, as it is asked for. */
export interface WantedFigure {
  readonly figure: string;
  /** `YYYY-MM-DD`, in the business time zone. */
  readonly day: string;
  /** The key that counts, by dimension; of others any. */
  readonly filter: Readonly<Record<string, string>>;
  /** Of a domain by currency: whose amounts. */
  readonly currency?: string;
}

/** It cannot be told: no such figure, dimension or day. Wrong usage, or a wrong receipt. */
export class FigureUnknown extends Error {
  override readonly name = "FigureUnknown";
}

/** The declaration of a figure that adds up. Throws FigureUnknown. */
export function summed_figure(board: DomainBoard, name: string): SummedFigure {
  const summed = Object.keys(board.figures).filter((each) => "measure" in declared_figure(board, each));
  if (summed.includes(name)) return declared_figure(board, name) as SummedFigure;
  throw new FigureUnknown(`expected a figure that adds up (${summed.join(", ")}), got ${JSON.stringify(name)}`);
}

/** Adds a figure of a day up from what streams contribute, as the cells are. */
export class DayFigure {
  readonly #figure: SummedFigure;
  readonly #changes: CellChanges;
  readonly #places: readonly (readonly [place: number, key: string])[];
  #added = 0;

  /** Throws FigureUnknown. */
  constructor(readonly domain: Domain, readonly days: Days, readonly wanted: WantedFigure) {
    const { dimensions, measures, by_currency, board } = domain, { figure, filter, currency, day } = wanted;
    this.#figure = summed_figure(board, figure);
    this.#places = Object.entries(filter).map(([dimension, key]) => {
      const place = dimensions.findIndex(({ name, column }) => name === dimension && column !== null);
      if (place >= 0) return [place, key] as const;
      const known = dimensions.filter(({ column }) => column !== null).map(({ name }) => name).join(", ");
      throw new FigureUnknown(`expected a dimension (${known}), got ${JSON.stringify(dimension)}`);
    });
    if ((by_currency === undefined) !== (currency === undefined)) {
      throw new FigureUnknown(by_currency === undefined ? `${domain.name} have one currency` : "expected a currency");
    }
    this.day_us(day);
    const { dimension } = board.whole;
    this.#changes = new CellChanges({
      dimensions: [{ name: dimension, column: null, grains: ["1d"] }],
      measures,
    }, days);
  }

  /** When the day begins and ends, microseconds. Throws FigureUnknown. */
  day_us(day: string) {
    try {
      const named = /^\d{4}-\d\d-\d\d$/.test(day) ? this.days.day_named(day) : null;
      if (named !== null) return named;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    throw new FigureUnknown(`expected a day such as 2026-03-01, got ${JSON.stringify(day)}`);
  }

  /** Adds what a stream contributes to the day: nothing where the filter does not count it. */
  add(contribution: Contribution): void {
    const { wanted: { currency, day }, domain: { by_currency } } = this, { start_us, end_us } = this.day_us(day);
    for (const [place, wanted] of this.#places) {
      const key = contribution.keys[place]!;
      if ((by_currency === undefined ? key : parted(key).key) !== wanted) return;
    }
    if (by_currency !== undefined && parted(contribution.keys[0]!).currency !== currency) return;
    const facts = contribution.facts.map((fact) =>
      fact !== null && fact.at_us >= start_us && fact.at_us < end_us ? fact : null
    );
    if (facts.some((fact) => fact !== null)) this.#changes.replace(null, { keys: ["all"], facts }, ++this.#added);
  }

  /** The figure as decimal text; null where it is a mean over nothing, or the extreme of nothing. */
  value(): string | null {
    const measures = column_measures(this.domain.measures), [cell] = this.#changes.cells();
    const totals = measures.map(({ name, kind }, m) => {
      if (!is_extreme(kind)) return [name, cell === undefined ? 0n : BigInt(cell.change.sum(m))] as const;
      const extreme = cell?.change.added?.[m] ?? null;
      return [name, extreme === null ? null : BigInt(extreme)] as const;
    });
    return figure_text(this.#figure, Object.fromEntries(totals), 0);
  }
}
