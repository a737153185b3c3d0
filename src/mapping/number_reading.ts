import { plain_decimal } from "../domains/mod.ts";
import { RecordFault, text_of } from "./field.ts";

/** How a mapping's texts write numbers. */
interface NumberStyle {
  /** What stands before the decimals; null: nobody said, so that it is a point, and a comma that could be either is refused. */
  readonly decimal: "." | "," | null;
  /** The code of the only currency whose sign or code an amount may have; null: it may have any. */
  readonly currency: string | null;
}

/** Reads numbers from values, which may be numbers or text. All but `known` throw RecordFault. */
export interface NumberReading {
  /** The number, or amount, that a value is or that its text says; null when it is none. */
  readonly known: (value: unknown) => number | null;
  readonly number: (value: unknown, field: string) => number;
  /**
   * The number as an id has it: one text however it is written (`2.0`, `2`), a whole number with all its digits, any other one as the
   * double that files of numbers have.
   */
  readonly number_text: (value: unknown, field: string) => string;
  /**
   * An amount as decimal text with six decimals, rounded to them by its digits.
   * @param per how many of the field's unit make one of the currency: 100 for cents
   */
  readonly money: (value: unknown, field: string, per: number) => string;
  /** A code such as `5.0`, which a spreadsheet made of 5, without what the spreadsheet added. */
  readonly code: (value: unknown, field: string) => string;
}

// A point that may lack between two runs of digits (`\d+\.?\d*`) takes minutes for a hundred thousand digits and a letter.
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
/** An amount as the log's contract has it: its digits stand. */
const EXACT = /^((?:0|[1-9]\d{0,12}))(?:\.(\d{1,6}))?$/;
const WHOLE = /^[+-]?\d+$/;

/** Longer text is no number with a sign, a currency or thousands. */
const LONGEST = 60;
const is_minus = (character: string | undefined): boolean => character === "-" || character === "\u2212";
const SPACES = /[\s\u2009\u202f]/g;

/** Digits in thousands or not, and decimals; thousands in the Indian way too (`1,00,000`). All separators of one number are the same. */
const GROUPED = {
  ".": /^([1-9]\d{0,2}(?:([, '])\d{3})(?:\2\d{3})*|[1-9]\d?(?:,\d{2})+,\d{3}|\d+)?(?:\.(\d*))?$/,
  ",": /^([1-9]\d{0,2}(?:([. '])\d{3})(?:\2\d{3})*|[1-9]\d?(?:\.\d{2})+\.\d{3}|\d+)?(?:,(\d*))?$/,
} as const;
/** What is a thousand and more, or one and a little more. Beside a currency it is thousands: no amount has three decimals. */
const EITHER = /^[1-9]\d{0,2},\d{3}$/;

/** The digits that a text without sign and currency says, with a point; null when it says none. */
function ungrouped(text: string, decimal: "." | ","): string | null {
  const match = GROUPED[decimal].exec(text);
  if (match === null) return null;
  const [, whole = "", , fraction = ""] = match;
  return whole + fraction === "" ? null : `${whole.replace(/\D/g, "") || "0"}.${fraction || "0"}`;
}

/** A dash in the place of decimals that are none: `5.-`, `€ 5,–`. It is no minus. */
const DASH_FOR_NONE = /(\d[.,])[-\u2012-\u2015\u2212]{1,2}(?!\d)/;

/** Signs and codes of currencies at the beginning and at the end of an amount. */
const MARK_FIRST = /^(?:\p{L}{0,3}\p{Sc}|\p{L}{2,3}(?![\p{L}]))/u;
const MARK_LAST = /(?:\p{L}{0,3}\p{Sc}|(?<!\p{L})\p{L}{2,3})$/u;

/** Whether what stands beside an amount means the currency: its code, its sign, or its sign behind the beginning of its code (`US$`). */
function means(currency: string): (mark: string) => boolean {
  const format = new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  const sign = format.formatToParts(1).find(({ type }) => type === "currency")?.value.toUpperCase() ?? currency;
  return (mark) => {
    const upper = mark.toUpperCase();
    return upper === currency || upper === sign ||
      (upper.endsWith(sign) && currency.startsWith(upper.slice(0, -sign.length)));
  };
}

type Said = { readonly digits: string } | { readonly digits: null; readonly hint?: string | undefined };

/** Makes the reading of numbers in a style. */
export function number_reading({ decimal, currency }: NumberStyle): NumberReading {
  const is_ours = currency === null ? () => true : means(currency);

  /** What a text says that is no plain number: a sign, thousands, a decimal comma, parentheses for a negative one, and a currency where one may be. */
  function written(text: string, with_currency: boolean): Said {
    if (text.length > LONGEST) return { digits: null };
    let rest = text.replace(DASH_FOR_NONE, "$1"), signs = 0, marks = 0, negative = false;
    for (;;) {
      rest = rest.trim();
      const first = rest[0], last = rest.at(-1);
      const mark = (MARK_FIRST.exec(rest) ?? MARK_LAST.exec(rest))?.[0];
      const in_parentheses = first === "(" && last === ")";
      if (first === "+" || is_minus(first) || is_minus(last) || in_parentheses) {
        signs++;
        negative = first !== "+";
        rest = in_parentheses
          ? rest.slice(1, -1)
          : first === "+" || is_minus(first)
          ? rest.slice(1)
          : rest.slice(0, -1);
      } else if (mark !== undefined && with_currency) {
        // Letters alone, such as those of NaN, are no amount of another currency.
        const hint = /\d/.test(text) ? `amounts of this deployment are in ${currency}` : undefined;
        if (!is_ours(mark)) return { digits: null, hint };
        marks++;
        rest = rest.startsWith(mark) ? rest.slice(mark.length) : rest.slice(0, -mark.length);
      } else break;
    }
    if (signs > 1 || marks > 1) return { digits: null };
    const plain = rest.replace(SPACES, " ").replaceAll("\u2019", "'");
    if (decimal === null && marks === 0 && EITHER.test(plain)) {
      const hint = 'its comma may be one of thousands ("decimal": "." or --decimal point) or of decimals ' +
        '("decimal": "," or --decimal comma)';
      return { digits: null, hint };
    }
    const [own, other] = decimal === "," ? [",", "."] as const : [".", ","] as const;
    const digits = ungrouped(plain, own);
    if (digits !== null) return { digits: negative ? `-${digits}` : digits };
    if (ungrouped(plain, other) === null) return { digits: null };
    const [mark, option] = other === "," ? ["comma", "comma"] : ["point", "point"];
    return {
      digits: null,
      hint: `it looks like a decimal ${mark}: "decimal": "${other}" or --decimal ${option} reads it`,
    };
  }

  /** What a value says, as text that `Number` reads. */
  function said(value: unknown, with_currency: boolean): Said {
    if (typeof value === "boolean" || value instanceof Date) return { digits: null };
    const text = text_of(value)?.trim();
    if (text === undefined) return { digits: null };
    // What is a number already has a point, whatever the texts of its record have.
    const is_plain = DECIMAL.test(text) && (decimal !== "," || typeof value !== "string" || WHOLE.test(text));
    return is_plain ? { digits: text } : written(text, with_currency);
  }

  const finite = ({ digits }: Said): number | null => {
    const number = digits === null ? NaN : Number(digits);
    return Number.isFinite(number) ? number : null;
  };
  const refused = (value: unknown, field: string, expected: string, outcome: Said) =>
    new RecordFault(field, expected, value, outcome.digits === null ? outcome.hint : undefined);

  function number(value: unknown, field: string): number {
    if (typeof value === "number" && Number.isFinite(value)) return value;
    const outcome = said(value, false);
    const read = finite(outcome);
    if (read === null) throw refused(value, field, "a number", outcome);
    return read;
  }

  function number_text(value: unknown, field: string): string {
    const read = number(value, field);
    const text = said(value, false).digits!;
    return plain_decimal(WHOLE.test(text) ? text.replace("+", "") : String(read))!;
  }

  function money(value: unknown, field: string, per: number): string {
    const text = typeof value === "string" && decimal === "," ? "" : text_of(value)?.trim() ?? "";
    const exact = per === 1 ? EXACT.exec(text) : null;
    if (exact !== null) return `${exact[1]}.${(exact[2] ?? "").padEnd(6, "0")}`;
    const outcome = said(value, true);
    const read = finite(outcome);
    if (read === null) throw refused(value, field, "an amount", outcome);
    const micros = read / per * 1e6;
    // Unless it is close to half a micro, the double is rounded as its digits are, in half the time.
    const clear = micros >= 0 && micros < 1e12 && Math.abs(micros - Math.floor(micros) - 0.5) > 1e-3;
    const amount = clear ? (read / per).toFixed(6) : rounded_to_micros(outcome.digits!, per);
    if (amount !== null) return amount;
    throw new RecordFault(field, "an amount of at most 1e12", value);
  }

  const added = decimal === "," ? /[.,]0+$/ : /\.0+$/;
  return {
    known: (value) => typeof value === "number" && Number.isFinite(value) ? value : finite(said(value, true)),
    number,
    number_text,
    money,
    code: (value, field) => read_text(value, field).replace(added, ""),
  };
}

/** Digits beyond which nothing is an amount. */
const MOST_WHOLE_DIGITS = 21;

/** The amount that a finite number's text says, with six decimals; half a micro counts as one, away from zero. Null for more than 21 digits. */
function rounded_to_micros(text: string, per: number): string | null {
  const places = Math.log10(per);
  const [number, shift] = Number.isInteger(places) ? [text, places] : [String(Number(text) / per), 0];
  if (!DECIMAL.test(number)) return null;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(
    number,
  )!;
  const digits = plain_decimal(`${whole || "0"}.${fraction || "0"}e${Number(exponent) - shift}`)!;
  const [units = "", decimals = ""] = digits.split(".");
  if (units.length > MOST_WHOLE_DIGITS) return null;
  const micros = BigInt(units + decimals.slice(0, 6).padEnd(6, "0")) + (decimals.charAt(6) >= "5" ? 1n : 0n);
  const padded = String(micros).padStart(7, "0");
  return `${sign === "-" && micros > 0n ? "-" : ""}${padded.slice(0, -6)}.${padded.slice(-6)}`;
}

/** The text of a value, trimmed. Throws RecordFault for lists and objects. */
export function read_text(value: unknown, field: string): string {
  const text = text_of(value);
  if (text === null) throw new RecordFault(field, "text or a number", value);
  return text.trim();
}
