import assert from "node:assert/strict";

/** The lines of one chart can be told apart also by those who see fewer colours: by what is left of the colours, not by chance of their names. */

const css = Deno.readTextFileSync(new URL("../../static/style.css", import.meta.url));

/** What each kind of sight makes of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1). */
const SIGHTS: Record<string, number[][]> = {
  full: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
/** CIE76 difference of colours that thin lines need; 2.3 is just seen on large areas. */
const LEAST = 20;

function colour(name: string, theme: 0 | 1): number[] {
  const found = new RegExp(`--${name}:light-dark\\((#\\w{6}),(#\\w{6})\\)`).exec(css)?.[theme + 1];
  assert.ok(found, `no token ${name}`);
  return [1, 3, 5].map((at) => {
    const part = parseInt(found.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
}

const seen = (rows: number[][], rgb: number[]) =>
  rows.map((row) => Math.min(1, Math.max(0, row.reduce((sum, factor, i) => sum + factor * (rgb[i] ?? 0), 0))));

function lab(rgb: number[]): number[] {
  const xyz = seen([[0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505], [0.2126, 0.7152, 0.0722], [
    0.0193 / 1.089,
    0.1192 / 1.089,
    0.9505 / 1.089,
  ]], rgb);
  const [x = 0, y = 0, z = 0] = xyz.map((t) => t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

for (const [theme, name] of [[0, "light"], [1, "dark"]] as const) {
  Deno.test(`the lines of the ${name} theme are told apart by every kind of sight`, () => {
    // The comparison is dashed.
    const lines = ["s1", "s3", "s4"];
    for (const [sight, rows] of Object.entries(SIGHTS)) {
      lines.forEach((one, i) =>
        lines.slice(i + 1).forEach((other) => {
          const [a, b] = [one, other].map((token) => lab(seen(rows, colour(token, theme))));
          const apart = Math.hypot(...a!.map((part, at) => part - b![at]!));
          assert.ok(apart >= LEAST, `${one} and ${other} with ${sight}: ${apart.toFixed(1)}, needs ${LEAST}`);
        })
      );
    }
  });
}
