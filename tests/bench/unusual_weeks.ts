import { DOMAINS } from "../../src/verbs/domains.ts";
import { count_days, judge_days } from "../support/unusual_weeks.ts";

/**
 * What of planted trouble is told, and how much is told that is none: eight weeks of each domain after eight weeks of history, with trouble and calm.
 * `deno task unusual_weeks [domain] [streams a second]`; ends with one JSON line.
 */

const [only, given] = Deno.args, rate = Number(given ?? 0.2), HISTORY = 56, DAYS = 112;
const rounded = (share: number) => Math.round(share * 1_000) / 1_000;
const told: Record<string, unknown> = {};
for (const domain of DOMAINS) {
  if (domain.generator === null || (only !== undefined && only !== domain.name)) continue;
  for (const anomalies of [true, false]) {
    const counted = count_days(domain, { seed: 1, rate, days: DAYS, anomalies });
    const { episodes, kinds, looks } = judge_days(counted, HISTORY, DAYS);
    const wrong = episodes.filter(({ of }) => of.length === 0).length;
    const figures = {
      ...{ events: counted.events, keys: counted.of.size, looks, told: episodes.length, wrong },
      ...anomalies ? { precision: rounded(1 - wrong / episodes.length) } : {},
      kinds: Object.fromEntries(
        [...kinds].map(([kind, { planted, told }]) => [kind, { planted, told, recall: rounded(told / planted) }]),
      ),
    };
    console.log(`${domain.name}, ${anomalies ? "planted trouble" : "calm"}: ${JSON.stringify(figures)}`);
    told[`${domain.name}_${anomalies ? "planted" : "calm"}`] = figures;
  }
}
console.log(JSON.stringify({ rate, ...told }));
