import { evened, weekly_demand } from "../../generator/mod.ts";

/** Who is paid: by how many beside the others, for what, how much at a time, in cents, and where. */
export interface Merchant {
  readonly name: string;
  readonly category: string;
  readonly city: string;
  readonly location: string;
  readonly cents: number;
  readonly share: number;
}

const CATEGORIES = [
  { name: "groceries", cents: 3_400, words: ["Market", "Foods", "Corner"] },
  { name: "restaurants", cents: 2_600, words: ["Kitchen", "Grill", "Noodles"] },
  { name: "fuel", cents: 4_800, words: ["Fuel", "Station"] },
  { name: "electronics", cents: 14_500, words: ["Electric", "Phones"] },
  { name: "clothing", cents: 6_900, words: ["Outfit", "Shoes"] },
  { name: "travel", cents: 31_000, words: ["Travel", "Stay"] },
  { name: "pharmacy", cents: 1_900, words: ["Pharmacy", "Care"] },
  { name: "online", cents: 5_200, words: ["Store", "Goods", "Deals"] },
] as const;
const CITIES = ["Chicago", "Boston", "Austin", "Seattle", "Denver"] as const;
const FIRST = ["North", "River", "Golden", "City", "Old Mill"] as const;
const COUNT = 40;

/** Forty of them; the n-th is paid about 1/n as often as the first (Zipf). */
export const MERCHANTS: readonly Merchant[] = Array.from({ length: COUNT }, (_, i) => {
  const category = CATEGORIES[i % CATEGORIES.length]!, city = CITIES[(i * 3) % CITIES.length]!;
  const word = category.words[Math.floor(i / CATEGORIES.length) % category.words.length]!;
  const harmonic = Array.from({ length: COUNT }, (_, n) => 1 / (n + 1)).reduce((sum, each) => sum + each);
  return {
    name: `${FIRST[Math.floor(i / CATEGORIES.length)]!} ${word}`,
    category: category.name,
    city,
    location: category.name === "online" ? "web" : `${city} ${["center", "north", "airport"][i % 3]!}`,
    cents: category.cents,
    share: 1 / (i + 1) / harmonic,
  };
});

/** By what it is paid, and how often. */
export const METHODS: readonly { readonly name: string; readonly share: number }[] = [
  { name: "credit_card", share: 0.46 },
  { name: "debit_card", share: 0.31 },
  { name: "wallet", share: 0.17 },
  { name: "bank_transfer", share: 0.06 },
];

/** Other currencies than the deployment's, and the share of payments that are in each. */
export const CURRENCIES: readonly { readonly code: string; readonly share: number }[] = [
  { code: "EUR", share: 0.09 },
  { code: "USD", share: 0.06 },
  { code: "GBP", share: 0.04 },
];

/** Most at noon and in the evening, little at night; more at the weekend. */
export const DEMAND: Float64Array = evened(weekly_demand({
  base: 0.25,
  workdays: [[12.3, 1.8, 1.3], [18.2, 2.6, 1.7]],
  weekend: [[13.5, 3.2, 1.9], [19, 2.8, 1.5]],
}));
