import assert from "node:assert/strict";

/** The colour tokens of both themes: text 4.5:1, marks 3:1, on every ground they stand on (WCAG 2.2, 1.4.3 and 1.4.11). */

const css = ["style.css", "parts.css"].map((name) =>
  Deno.readTextFileSync(new URL(`../../static/${name}`, import.meta.url))
).join("\n");
const tokens = [...css.matchAll(/--([\w-]+):light-dark\((#\w{6}),(#\w{6})\)/g)].map(([, name, light, dark]) => ({
  name,
  light,
  dark,
}));

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function colour(name: string, theme: "light" | "dark"): string {
  return tokens.find((token) => token.name === name)?.[theme] ?? assert.fail(`no token "${name}" in style.css`);
}

function contrast(one: string, other: string): number {
  const [high = 0, low = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

const TEXT: Record<string, string[]> = {
  ink: ["bg", "panel", "soft", "warn-soft", "past"],
  "ink-2": ["bg", "panel", "soft", "past"],
  "ink-3": ["bg", "panel", "soft", "past"],
  s1: ["bg", "panel", "past"],
  good: ["panel"],
  s3: ["panel"],
  bad: ["panel", "warn-soft"],
  warn: ["bg", "panel", "warn-soft"],
};
const MARKS: Record<string, string[]> = {
  s1: ["panel", "soft"],
  s2: ["panel"],
  s3: ["panel"],
  s4: ["panel"],
  good: ["bg"],
};

for (const theme of ["light", "dark"] as const) {
  Deno.test(`the ${theme} theme can be read`, () => {
    for (const [pairs, least] of [[TEXT, 4.5], [MARKS, 3]] as const) {
      for (const [name, grounds] of Object.entries(pairs)) {
        for (const ground of grounds) {
          const found = contrast(colour(name, theme), colour(ground, theme));
          assert.ok(found >= least, `${name} on ${ground}: ${found.toFixed(2)}, needs ${least}`);
        }
      }
    }
  });
}

Deno.test("the ribbon of time travel can be read in both themes", () => {
  for (const theme of ["light", "dark"] as const) {
    assert.ok(contrast("#ffffff", colour("past-bar", theme)) >= 4.5, theme);
  }
});
