/**
 * What a domain says of one stream: its story, figures, facts and what is unusual about it, drawn by the stream's page from the fields of
 * the API. A `Telling`'s text has fields in braces, as the page writes them: {amount}; {amount#} without its unit; {canceled_at~completed_at}
 * without its day when that is the other's; {tip/amount*100:0} a part of another, with decimals; {events:TYPE} how many of a type there are,
 * when there are several; {route}. What stands in brackets is left out where something in it is not known.
 */
interface Telling {
  readonly when?: When;
  /** The few words before it. */
  readonly lead?: string;
  readonly text: string;
}

/** All of it holds. */
interface When {
  readonly is?: Readonly<Record<string, string>>;
  readonly known?: readonly string[];
  readonly unknown?: readonly string[];
  /** Two fields that say the same, or two times of which the first is later. */
  readonly same?: readonly [string, string];
  readonly after?: readonly [string, string];
}

/** A fact: a field, with a question mark ("void_reason?") only where it is known; or two fields as one. */
type FactWords =
  | string
  | {
    readonly field: string;
    /** With these keys of the list's mark it will come, or will not and is not spoken of. */
    readonly not_yet?: readonly string[];
    readonly not_in?: readonly string[];
  }
  | { readonly label: string; readonly pair: readonly [string, string] };

/** A stream in words, as its page tells it. */
export interface StreamWords {
  /** What an event is called, what it is when spoken of, and how it is marked where it ends badly or changes what was. */
  readonly events: Readonly<Record<string, readonly [label: string, noun: string, tone?: "bad" | "change"]>>;
  /** Fields by the API's names. */
  readonly fields: Readonly<Record<string, string>>;
  /** Fields that are not told where they say what another one does. */
  readonly repeats: Readonly<Record<string, string>>;
  /** The times that place it on the board, the first that is known, and what each is the time of. */
  readonly moments: readonly (readonly [field: string, noun: string])[];
  /** From where to where, and the field that a bare number is in. */
  readonly route?: { readonly from: string; readonly to: string; readonly within: string };
  /** The first that applies is its story: of `figures` and `notes`, too. */
  readonly story: readonly Telling[];
  readonly figures: readonly { readonly field: string; readonly notes: readonly Telling[] }[];
  readonly facts: readonly { readonly title: string; readonly rows: readonly FactWords[] }[];
  readonly notes: readonly (readonly Telling[])[];
  /** What an event adds to the measures of cells, in the order in which it is told; one and several. */
  readonly measures: Readonly<Record<string, string | readonly [one: string, several: string]>>;
  /** Those of them that are told in the full list alone. */
  readonly minor_measures: readonly string[];
}

/**
 * What a domain says of its board to whoever draws it: order, words, units and colours. The page knows no domain: it draws this.
 *
 * A `Template` is a text with figures in braces, written in the unit of the figure: "{voided} voided". After a question mark
 * ("{voided?} voided") the whole text is left out while the figure is 0 or not known, with a number after it ("{oldest_min?15} min") while it is no more than
 * that. {currency} is the deployment's, {step} the length
 * of a bucket, {moment} "now" or, of a board of then, "then", {per_minute} the card's figure over the minutes of the range that have passed.
 */
type Template = string;

/** A colour of the page, by its number; the same in every place and both themes. */
export type Colour = 1 | 2 | 3 | 4;

/** A card in words: what it is called, what stands beside and beneath its figure, and how that is counted. */
export interface CardWords {
  readonly name: string;
  readonly label: string;
  /** How it is counted, in sentences. */
  readonly how: string;
  /** The name of its value among the board's cards, when it is another one. */
  readonly figure?: string;
  /** Decimals, where they are not those of the figure's unit. */
  readonly digits?: number;
  /** And below a thousand. */
  readonly small_digits?: number;
  /** The figure is the part that did otherwise of those two together: its change is told in points, {share} is it in %. */
  readonly share_with?: string;
  /** Whether more is better (1), worse (-1) or neither (0); without it no change is told. */
  readonly better?: -1 | 0 | 1;
  /** The figure that a percent of it needs enough of. */
  readonly base?: string;
  /** The series column of its sparkline, over another one when there are two. */
  readonly spark?: readonly [column: string, per?: string];
  /** The figure that the others explain: it is set larger. One of a board is. */
  readonly main?: true;
  /** What stands beside the label, in a word or two: its unit, its share. */
  readonly beside?: readonly Template[];
  /** What is told under the value, beside the one comparison. */
  readonly beneath?: readonly Template[];
  /** What is added to `how` of the figures in sight: the first that applies. */
  readonly seen?: readonly Template[];
  /** What stands beneath leads to the stream that holds the greatest value of a measure. */
  readonly greatest?: { readonly measure: string; readonly title: string; readonly none: string };
  /** Instead of a figure: the first key of a dimension's breakdown, and under it that of another one. */
  readonly top?: readonly [dimension: string, beneath: string];
}

/** A line of a chart: a series column, with what it is called where that is not its name. */
export interface ChartLine {
  readonly name: string;
  readonly label?: string;
  readonly colour: Colour;
  readonly shown?: true;
  /** Of another unit than the first line: that unit. It is on a scale of its own, which no axis tells, and has one decimal. */
  readonly own?: string;
}

/** A chart. A line is a series column; one that is alone in its chart is always shown. */
export interface ChartWords {
  readonly name: string;
  readonly title: string;
  /** By which time its buckets are is said last, ", by … time": of a board by arrival the page says that instead. */
  readonly sub: Template;
  /** What a picture of it says in place of `sub`. */
  readonly picture_sub?: Template;
  readonly kind: "lines" | "bars";
  readonly lines: readonly ChartLine[];
  /** The line that is held against that of then. */
  readonly compared: string;
  /** The least value that its axis reaches. */
  readonly least: number;
}

/**
 * A chart with one line for each of the greatest keys of a dimension over the window, ranked as its breakdown is; the dimension keeps the
 * grains of windows. It is held against no other period.
 */
export interface KeyedChartWords extends Pick<ChartWords, "name" | "title" | "sub" | "picture_sub" | "least"> {
  readonly kind: "lines";
  /** The dimension. */
  readonly by: string;
  /** A sum, an extreme or a mean; where nothing is counted the latter two have a gap. */
  readonly figure: string;
  /** So many keys have a line, at most as many as a breakdown has rows. */
  readonly top: number;
  /** All other keys have one together; of figures that add up. */
  readonly others?: true;
  /** While the filter leaves one key, candles stand in place of its line: columns of the series. */
  readonly candles?: {
    readonly open: string;
    readonly high: string;
    readonly low: string;
    readonly close: string;
    readonly volume: string;
  };
}

/** What a dimension and its keys are called. */
export interface DimensionWords {
  readonly label: string;
  /** In fewer words, before a key. */
  readonly brief?: string;
  /** All its keys, where they are few and known; written with underscores for spaces. */
  readonly keys?: readonly string[];
  /** A key that is a bare number is named with this before it where it stands alone, */
  readonly bare?: string;
  /** and in a row with the value of this field before it. */
  readonly within?: string;
}

/**
 * A column of the list: a key that can be filtered by, or a number. A list of more than five has the width of the page; of it phones have
 * the first column and the last.
 */
type ListColumn =
  & {
    readonly label: string;
    /** Narrow screens do without it. */
    readonly minor?: true;
  }
  & (
    | { readonly key: string }
    | {
      readonly number: string;
      readonly digits: number;
      /** Without a number the mark's words stand here. */
      readonly or_mark?: true;
    }
  );

/** The list of the newest streams: its columns, and how each row is marked. */
export interface ListWords {
  readonly title: string;
  /** The field that says when, milliseconds. */
  readonly time: string;
  /** The dimension that each row is marked by, and the shape of the mark by its key; a filled circle else. */
  readonly mark: string;
  readonly marks: Readonly<Record<string, "half" | "ring" | "cross">>;
  /** With this key of the mark a row is over: what it does not say will not come. */
  readonly over: string;
  readonly columns: readonly ListColumn[];
}

/** A board in words: what its page shows, in which order. */
export interface BoardWords {
  /** Several streams; one is the domain's noun. */
  readonly many: string;
  /** The address of a stream's page below the domain's own, before its id. */
  readonly path: string;
  readonly cards: readonly CardWords[];
  readonly charts: readonly (ChartWords | KeyedChartWords)[];
  /** The dimensions that have a panel. */
  readonly panels: readonly string[];
  readonly dimensions: Readonly<Record<string, DimensionWords>>;
  /** A first event, without its ids and its time: what an empty board says how to send. */
  readonly first_event: Readonly<Record<string, string | number>>;
  /** The dimension that the editor of filters begins with. */
  readonly first_filter: string;
  readonly list: ListWords;
  /** How breakdowns are counted, and what is computed from states. */
  readonly breakdowns_how: string;
  readonly computed_how: string;
  /** One stream on its own page; what is left out follows from the fields. */
  readonly stream?: Partial<StreamWords>;
}
