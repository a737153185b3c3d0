import assert from "node:assert/strict";
import { SETTINGS } from "../../src/runtime/mod.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));

/** The lines of one service in compose.yaml. */
function service(name: string): string {
  const lines = read("compose.yaml").split("\n");
  const from = lines.indexOf(`  ${name}:`);
  assert.notEqual(from, -1, `compose.yaml has no service ${name}`);
  const length = lines.slice(from + 1).findIndex((line) => /^ {0,2}[^\s#]/.test(line));
  return lines.slice(from, from + 1 + length).join("\n");
}

Deno.test("compose: every service tells its health, and tacho waits for the other two", () => {
  for (const name of ["postgres", "kafka", "tacho"]) assert.match(service(name), /^ {4}healthcheck:$/m, name);
  assert.match(
    service("tacho"),
    /postgres:\n {8}condition: service_healthy\n {6}kafka:\n {8}condition: service_healthy/,
  );
  assert.match(service("tacho"), /\/readyz/);
});

Deno.test("compose: tacho is given settings that exist, and cannot start without a token", () => {
  const block = /environment:\n((?: {6}.*\n)+)/.exec(service("tacho"))?.[1] ?? "";
  const given = [...block.matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name]) => name);
  const known = Object.values(SETTINGS).map(({ variable }): string => variable);
  assert.deepEqual(given.filter((name) => name === undefined || !known.includes(name)), []);
  assert.match(block, /TACHO_TOKEN: \$\{TACHO_TOKEN:\?/);
});

Deno.test("the image and CI use the same Deno", () => {
  const image = /^FROM denoland\/deno:(\S+)$/m.exec(read("Dockerfile"))?.[1];
  const ci = /deno_version=(\S+)/.exec(read(".ci/run"))?.[1];
  assert.equal(image, ci);
});
