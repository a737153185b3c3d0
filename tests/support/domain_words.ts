/** Words of a domain, which its folder alone says: engine and page know no domain. */
const DOMAIN_WORDS: readonly (readonly [folder: string, words: RegExp])[] = [
  ["src/domains/trips/", /trip|fare|pickup|passenger/i],
  ["src/domains/payments/", /\bmerchant|charged_?back|conversion_rate|\bpayers?\b/i],
  ["src/domains/trades/", /\btrades?\b|trade_|notional|\bvenue/i],
];

/** Names that outsiders rely on, and where they have to stand for that. */
const OUTSIDE_NAMES: readonly { readonly path: string; readonly names: RegExp; readonly why: string }[] = [
  {
    path: "src/verbs/domains.ts",
    names: /\bTRIPS\b|\bTRADES\b|\/domains\/(?:trips|trades)\/mod\.ts/g,
    why: "the one place that lists the domains there are",
  },
  {
    path: "src/runtime/settings.ts",
    names: /"trips"|`trips`, `payments`, `trades`/g,
    why: "what TACHO_DOMAINS and TACHO_TOPICS are unless set, and what may be set: deployments rely on it",
  },
  {
    path: "src/database/migrations.ts",
    names: /(?:\b\d{4}_|\b)(?:trips|pickup_h3|voids_and_fares|dated_trips|trades)\b/g,
    why: "names under which databases hold the migrations that were applied to them, and whose they are",
  },
];

/**
 * What says a word of a domain outside its folder, one sentence each, sorted; an exception that nothing needs any more is a fault, too.
 * @param files texts of `src` and `static` by path from the repository
 */
export function domain_word_faults(files: Readonly<Record<string, string>>): string[] {
  const faults = Object.entries(files).flatMap(([path, text]) => {
    const names = OUTSIDE_NAMES.find((each) => each.path === path)?.names;
    const told = names === undefined ? text : text.replaceAll(names, "");
    return DOMAIN_WORDS.flatMap(([folder, words]) => {
      const word = path.startsWith(folder) ? undefined : words.exec(told)?.[0];
      return word === undefined ? [] : [`${path}: says ${word}, a word of ${folder} alone`];
    });
  });
  const idle = OUTSIDE_NAMES.filter(({ path, names }) => files[path]?.search(names) === -1).map(({ path, names }) =>
    `${path}: may say ${names.source}, and does not`
  );
  return [...faults, ...idle].sort();
}
