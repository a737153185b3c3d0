/**
 * Changes of one place in a file that its tests should notice: the faults that slip into a program by a slip of the hand. Pure, by pattern: enough for code that
 * `deno fmt` has laid out. Words, comments and types are left alone; SQL in templates is not.
 */

/** One change: `was` stands at `at` in the file and becomes `becomes`. */
export interface Mutation {
  readonly at: number;
  readonly was: string;
  readonly becomes: string;
  /** From 1. */
  readonly line: number;
}

/** A pattern and what a match of it becomes; null where it is to stay. */
type Rule = readonly [pattern: RegExp, becomes: (match: RegExpExecArray) => string | null];

const swap = (...pairs: readonly (readonly [string, string])[]): Rule[] =>
  pairs.flatMap(([a, b]) => [[a, b], [b, a]] as const).map(([from, to]): Rule => [
    new RegExp(from.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "g"),
    () => to,
  ]);

const CODE: readonly Rule[] = [
  ...swap(
    [" === ", " !== "],
    [" < ", " <= "],
    [" > ", " >= "],
    [" && ", " || "],
    [" + ", " - "],
    ["Math.max(", "Math.min("],
    [".some(", ".every("],
    [".at(-1)", ".at(0)"],
    [" += ", " -= "],
  ),
  [/ \* /g, () => " / "],
  [/\btrue\b/g, () => "false"],
  [/\bfalse\b/g, () => "true"],
  // A whole number, not a part of a name, of another number or of a type.
  [/(?<![\w.$#"]|\| )\d[\d_]*(?![\w.$"]| \|)/g, ([number]) => String(Number(number!.replaceAll("_", "")) + 1)],
  [/\bif \((.*)\) (?=\S)/g, () => "if (false) "],
  // The first of what an array is spread from.
  [/\.\.\.[\w.?!#]+(?: \?\? \[\])?, /g, () => ""],
  // A statement that is a call, an assignment or a step.
  [/(?<=\n +)(?:await )?[\w.#![\]]+\([^\n]*\);(?=\n)/g, () => ";"],
  [
    /(?<=\n +)(?:this\.)?[\w.#[\]!]+ (?:\?\?|[-+*|&])?= [^\n]*;(?=\n)/g,
    ({ 0: all }) => /^(?:const|let) /.test(all) ? null : ";",
  ],
  [/(?<=\n +)[\w.#]+(?:\+\+|--);(?=\n)/g, () => ";"],
  [/\.sort\([^()]*\)/g, () => ""],
];

const SQL: readonly Rule[] = [
  ...swap(["max(", "min("], ["greatest(", "least("], [" < ", " <= "], [" > ", " >= "], [" desc", " asc"]),
  [/ + 1\b/g, () => " + 2"],
  [/\band [a-z_.]+ = [^\s,)`]+/g, () => "and true"],
];

/** Every change of a file that is looked at, in order of place; each is tried alone. */
export function mutations_of(text: string): Mutation[] {
  const { code, templates } = masked(text);
  const found: Mutation[] = [];
  const add = (rules: readonly Rule[], within: string) => {
    for (const [pattern, becomes] of rules) {
      for (const match of within.matchAll(pattern)) {
        const replaced = becomes(match as RegExpExecArray);
        if (replaced === null || match[0].trim() === "") continue;
        const at = match.index;
        found.push({
          at,
          was: text.slice(at, at + match[0].length),
          becomes: replaced,
          line: text.slice(0, at).split("\n").length,
        });
      }
    }
  };
  add(CODE, code);
  add(SQL, templates);
  const seen = new Set<string>();
  return found.sort((a, b) => a.at - b.at).filter(({ at, was, becomes }) => {
    const key = `${at} ${was} ${becomes}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** The text with one change made. */
export function mutate(text: string, { at, was, becomes }: Mutation): string {
  return text.slice(0, at) + becomes + text.slice(at + was.length);
}

/** A change in words: its line as it was and as it becomes. */
export function told(text: string, mutation: Mutation): string {
  const line_of = (whole: string) => whole.split("\n")[mutation.line - 1]!.trim();
  return `${line_of(text)}  →  ${line_of(mutate(text, mutation)) || "(nothing)"}`;
}

/** The code without strings, comments, imports and type declarations, and the templates without code; what is left out is blank, places stay. */
function masked(text: string): { readonly code: string; readonly templates: string } {
  const blank = (part: string) => part.replace(/[^\n]/g, " ");
  let templates = "";
  const code = text.replace(
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*|[^"'`/]+|\//g,
    (part) => {
      const is_template = part.startsWith("`");
      templates += is_template ? part : blank(part);
      return is_template || /^["']|^\/[/*]/.test(part) ? blank(part) : part;
    },
  );
  return {
    code: code.replace(
      /^(?:import|export) [^;]*? from [^;]*;$|^import [^;]*;$|^(?:export )?(?:interface|type) [\s\S]*?^\}?;?$/gm,
      blank,
    ),
    templates,
  };
}
