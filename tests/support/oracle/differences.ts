/** Sentences about what does not agree, by section. Keeps the first few of each section and counts all. */
export type Differences = {
  add(section: string, sentence: string): void;
  count(section: string): number;
  /** The first `most` sentences, then one line with the total by section when there are more. Empty means agreement. */
  list(most: number): string[];
};

const MOST_KEPT_OF_A_SECTION = 20;

/** Starts an empty collection. Sections are listed in the order of their first difference. */
export function collect_differences(): Differences {
  const sections = new Map<string, { sentences: string[]; count: number }>();

  function add(section: string, sentence: string): void {
    const kept = sections.get(section) ?? { sentences: [], count: 0 };
    sections.set(section, kept);
    kept.count++;
    if (kept.sentences.length < MOST_KEPT_OF_A_SECTION) kept.sentences.push(sentence);
  }

  function list(most: number): string[] {
    const chosen: string[] = [];
    // One of each section in turn, so that a flood in one does not hide the others.
    for (let turn = 0; turn < MOST_KEPT_OF_A_SECTION; turn++) {
      for (const { sentences } of sections.values()) {
        const sentence = sentences[turn];
        if (sentence !== undefined && chosen.length < most) chosen.push(sentence);
      }
    }
    const total = [...sections.values()].reduce((sum, { count }) => sum + count, 0);
    if (total === chosen.length) return chosen;
    const by_section = [...sections].map(([section, { count }]) => `${section} ${count}`).join(", ");
    return [...chosen, `… ${total} differences in all: ${by_section}`];
  }

  return { add, list, count: (section) => sections.get(section)?.count ?? 0 };
}

/** An instant in microseconds since the epoch as text for a sentence. */
export function instant_text(at_us: number): string {
  return Temporal.Instant.fromEpochNanoseconds(BigInt(at_us) * 1000n).toString();
}
