/**
 * What a domain says of one stream: its story, figures, facts and what is unusual about it, drawn by the stream's page from the fields of
 * the API. A `Telling`'s text has fields in braces, as the page writes them: {amount}; {amount#} without its unit; {canceled_at~completed_at}
 * without its day when that is the other's; {tip/amount*100:0} a part of another, with decimals; {events:TYPE} how many of a type there are,
 * when there are several; {route}. What stands in brackets is left out where something in it is not known.
 */
export interface Telling {
  readonly when?: When;
  /** The few words before it. */
  readonly lead?: string;
  readonly text: string;
}

/** All of it holds. */
export interface When {
  readonly is?: Readonly<Record<string, string>>;
  readonly known?: readonly string[];
  readonly unknown?: readonly string[];
  /** Two fields that say the same, or two times of which the first is later. */
  readonly same?: readonly [string, string];
  readonly after?: readonly [string, string];
}

/** A fact: a field, with a question mark ("void_reason?") only where it is known; or two fields as one. */
export type FactWords =
  | string
  | {
    readonly field: string;
    /** With these keys of the list's mark it will come, or will not and is not spoken of. */
    readonly not_yet?: readonly string[];
    readonly not_in?: readonly string[];
  }
  | { readonly label: string; readonly pair: readonly [string, string] };

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
