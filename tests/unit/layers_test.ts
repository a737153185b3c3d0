import assert from "node:assert/strict";
import { domain_word_faults } from "../support/domain_words.ts";
import { layer_faults } from "../support/layers.ts";

const ROOT = new URL("../../", import.meta.url);

/** The files of folders by path, those of a kind alone. */
function files_of(folders: readonly string[], kind: RegExp): Record<string, string> {
  const files: Record<string, string> = {};
  const read_folder = (folder: string) => {
    for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
      const path = `${folder}${entry.name}`;
      if (entry.isDirectory) read_folder(`${path}/`);
      else if (kind.test(path)) files[path] = Deno.readTextFileSync(new URL(path, ROOT));
    }
  };
  for (const folder of folders) read_folder(folder);
  return files;
}

Deno.test("src keeps its layers, doors, purity, single places and short files", () => {
  const main = Deno.readTextFileSync(new URL("main.ts", ROOT));
  assert.deepEqual(layer_faults({ ...files_of(["src/"], /\.ts$/), "main.ts": main }), []);
});

Deno.test("engine and page say no word of a domain, but for names that outsiders rely on", () => {
  const files = files_of(["src/", "static/"], /\.(?:ts|js|css|html|json|svg|webmanifest)$/);
  assert.ok(Object.keys(files).some((path) => path.startsWith("static/")));
  assert.deepEqual(domain_word_faults(files), []);
});

Deno.test("a domain's word elsewhere is found, in comments, in the page and beside a name that may stand there; so is an idle exception", () => {
  const found: readonly (readonly [path: string, text: string, faults: readonly string[]])[] = [
    ["src/http/a.ts", "/** The fare of a ride. */", ["src/http/a.ts: says fare, a word of src/domains/trips/ alone"]],
    ["static/a.js", "const trades = 1;", ["static/a.js: says trades, a word of src/domains/trades/ alone"]],
    ["src/domains/trips/a.ts", "const fare = 1;", []],
    ["src/domains/trades/a.ts", "const fare = 1;", [
      "src/domains/trades/a.ts: says fare, a word of src/domains/trips/ alone",
    ]],
    ["src/runtime/settings.ts", 'const a = "trips", trip = 1;', [
      "src/runtime/settings.ts: says trip, a word of src/domains/trips/ alone",
    ]],
    ["src/runtime/settings.ts", "const a = 1;", [
      'src/runtime/settings.ts: may say "trips"|`trips`, `payments`, `trades`, and does not',
    ]],
  ];
  for (const [path, text, faults] of found) assert.deepEqual(domain_word_faults({ [path]: text }), faults);
});

Deno.test("no task has all permissions", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  for (const [name, command] of Object.entries(tasks)) {
    assert.doesNotMatch(JSON.stringify(command), /\s-A\b|--allow-all\b/, `task ${name}`);
  }
});

const WELL = {
  "main.ts": 'import { serve } from "./src/http/mod.ts";\nserve();\n',
  "src/http/mod.ts": 'export { serve } from "./server.ts";\n',
  "src/http/server.ts":
    'import type { Row } from "../database/mod.ts";\nimport { cells } from "../kpi/mod.ts";\nimport { Hono } from "hono";\n',
  "src/database/mod.ts": 'export * from "./pg_database.ts";\n',
  "src/database/pg_database.ts":
    'import pg from "pg";\nimport text from "../../migrations/1.sql" with { type: "text" };\n',
  "src/kpi/mod.ts": 'export { cells } from "./cells.ts";\n',
  "src/kpi/cells.ts":
    "// Date.now() would be impure here\nexport const cells = (now_ms: number) => new Date(now_ms);\n",
  "src/domains/mod.ts": 'export { define } from "./domain.ts";\n',
  "src/domains/domain.ts": "export const define = 1;\n",
  "src/domains/trips/mod.ts":
    'import type { Clock } from "../../kpi/mod.ts";\nexport { city } from "./generator/mod.ts";\n',
  "src/domains/trips/generator/mod.ts": 'export { city } from "./city.ts";\n',
  "src/domains/trips/generator/city.ts": 'import { faker } from "@faker-js/faker/locale/en";\n',
  "src/runtime/config.ts": "export const environment = () => Deno.env.toObject();\n",
  "src/ingest/mod.ts": 'export * from "./kafka/mod.ts";\n',
  "src/ingest/kafka/mod.ts": 'import { Kafka } from "kafkajs";\nimport { now } from "../now.ts";\n',
  "src/verbs/domains.ts": 'import { trips } from "../domains/trips/mod.ts";\n',
  "src/ingest/now.ts": "export const now = () => Date.now();\n",
};

/** The faults of a sound program with these files changed or added. */
const faults_with = (files: Record<string, string>) => layer_faults({ ...WELL, ...files });

Deno.test("layers: a sound program has no faults", () => {
  assert.deepEqual(layer_faults(WELL), []);
});

const CASES: readonly (readonly [what: string, files: Record<string, string>, fault: string])[] = [
  [
    "an import upward",
    { "src/database/a.ts": 'import { x } from "../http/mod.ts";' },
    "src/database/a.ts: imports src/http/mod.ts; src/database must not know src/http",
  ],
  [
    "a type import upward",
    { "src/kpi/a.ts": 'import type { X } from "../database/mod.ts";' },
    "src/kpi/a.ts: imports src/database/mod.ts; src/kpi must not know src/database",
  ],
  [
    "an import sideways",
    { "src/runtime/a.ts": 'import { x } from "../kpi/mod.ts";' },
    "src/runtime/a.ts: imports src/kpi/mod.ts; src/runtime must not know src/kpi",
  ],
  [
    "an import that spans lines",
    { "src/kpi/a.ts": 'import {\n  type X,\n} from "../http/mod.ts";' },
    "src/kpi/a.ts: imports src/http/mod.ts; src/kpi must not know src/http",
  ],
  [
    "a dynamic import upward",
    { "src/runtime/a.ts": 'const x = await import("../http/mod.ts");' },
    "src/runtime/a.ts: imports src/http/mod.ts; src/runtime must not know src/http",
  ],
  [
    "an import past the door",
    { "src/http/a.ts": 'import { x } from "../kpi/cells.ts";' },
    "src/http/a.ts: imports src/kpi/cells.ts; src/kpi is entered by its mod.ts",
  ],
  [
    "an import past the door from main",
    { "main.ts": 'import { x } from "./src/kpi/cells.ts";' },
    "main.ts: imports src/kpi/cells.ts; src/kpi is entered by its mod.ts",
  ],
  [
    "an import past an inner door",
    { "src/ingest/a.ts": 'import { x } from "./kafka/source.ts";' },
    "src/ingest/a.ts: imports src/ingest/kafka/source.ts; src/ingest/kafka/ is entered by its mod.ts",
  ],
  [
    "an inner door of another folder",
    { "src/http/a.ts": 'import { x } from "../domains/rides/mod.ts";' },
    "src/http/a.ts: imports src/domains/rides/mod.ts; src/domains is entered by its mod.ts",
  ],
  [
    "an import of main",
    { "src/http/a.ts": 'import { x } from "../../main.ts";' },
    "src/http/a.ts: imports main.ts, which is not in src",
  ],
  [
    "a folder without a layer",
    { "src/http/a.ts": 'import { x } from "../utils/mod.ts";' },
    "src/utils/mod.ts: src/utils has no place among the layers",
  ],
  [
    "a clock in a pure folder",
    { "src/kpi/a.ts": "const now = Date.now();" },
    "src/kpi/a.ts: is pure, yet uses Date.now",
  ],
  [
    "a clock without argument",
    { "src/domains/a.ts": "const now = new Date();" },
    "src/domains/a.ts: is pure, yet uses new Date()",
  ],
  [
    "chance in a pure file",
    { "src/ingest/plan.ts": "const x = Math.random();" },
    "src/ingest/plan.ts: is pure, yet uses Math.random",
  ],
  [
    "waiting in a pure file",
    { "src/feed/frame.ts": "const x = await y;" },
    "src/feed/frame.ts: is pure, yet uses await",
  ],
  [
    "a vendor in a pure file",
    { "src/ingest/decode.ts": 'import { Hono } from "hono";' },
    "src/ingest/decode.ts: is pure, yet imports hono",
  ],
  [
    "Node in a pure folder",
    { "src/kpi/a.ts": 'import { Buffer } from "node:buffer";' },
    "src/kpi/a.ts: is pure, yet imports node:buffer",
  ],
  [
    "faker outside a generator",
    { "src/domains/trips/fold.ts": 'import { faker } from "@faker-js/faker";' },
    "src/domains/trips/fold.ts: is pure, yet imports @faker-js/faker",
  ],
  [
    "impurity behind an import",
    { "src/ingest/plan.ts": 'import { now } from "./now.ts";' },
    "src/ingest/plan.ts: is pure, yet uses Date.now, through src/ingest/now.ts",
  ],
  [
    "impurity behind a door",
    {
      "src/event_log/mod.ts": 'export * from "./hash.ts";\nexport * from "./append.ts";\n',
      "src/event_log/hash.ts": "export const hash = 1;\n",
      "src/event_log/append.ts": "export async function append() {\n  await 1;\n}\n",
      "src/ingest/plan.ts": 'import { append, hash } from "../event_log/mod.ts";',
    },
    "src/ingest/plan.ts: is pure, yet uses await, through src/event_log/append.ts",
  ],
  [
    "a driver in two files",
    { "src/http/a.ts": 'import { Kafka } from "kafkajs/src/index.js";' },
    "kafkajs is imported by src/ingest/kafka/mod.ts and src/http/a.ts; one file may",
  ],
  [
    "the environment elsewhere",
    { "src/http/a.ts": 'const x = Deno.env.get("PORT");' },
    "src/http/a.ts: reads the environment; only src/runtime/config.ts may",
  ],
  [
    "a circle",
    {
      "src/http/a.ts": 'import type { B } from "./b.ts";',
      "src/http/b.ts": 'import { c } from "./c.ts";',
      "src/http/c.ts": 'import { a } from "./a.ts";',
    },
    "src/http/a.ts → src/http/b.ts → src/http/c.ts → src/http/a.ts: import each other in a circle",
  ],
  ["a long file", { "src/http/a.ts": "x;\n".repeat(401) }, "src/http/a.ts: 401 lines, at most 400 allowed"],
  [
    "a function that takes too much",
    {
      "src/http/a.ts":
        "export async function run(\n  a: Map<string, X>,\n  b: { c: 1; d: (e: 1, f: 2) => void },\n  g: 3,\n  h = f(1, 2, 3),\n  i?: 4,\n  j: 5,\n): Promise<void> {}",
    },
    "src/http/a.ts: run has 6 parameters, at most 5 allowed",
  ],
  [
    "a method that takes too much",
    { "src/http/a.ts": "class A {\n  #b<T>(c: T, d: 1, e: 2, f: 3, g: 4, h: 5): void {}\n}" },
    "src/http/a.ts: #b has 6 parameters, at most 5 allowed",
  ],
  [
    "an arrow that takes too much",
    { "src/http/a.ts": "const run = (a: 1, b: 2, c: 3, d: 4, e: 5, f: 6): void => {};" },
    "src/http/a.ts: run has 6 parameters, at most 5 allowed",
  ],
  ["a promise in a comment", { "src/http/a.ts": "// TO" + "DO later\n" }, "src/http/a.ts: holds a TODO"],
];

for (const [what, files, fault] of CASES) {
  Deno.test(`layers: ${what} is found`, () => {
    assert.deepEqual(faults_with(files), [fault]);
  });
}

Deno.test("layers: a folder of more than 15 files wants rooms", () => {
  const of = (files: number) =>
    Object.fromEntries(Array.from({ length: files }, (_, i) => [`src/kpi/part_${i}.ts`, "export const part = 1;\n"]));
  assert.deepEqual(layer_faults(of(15)), []);
  assert.deepEqual(layer_faults(of(16)), ["src/kpi: 16 files, at most 15 allowed without rooms"]);
});

Deno.test("layers: exactly 400 lines, types, and pure names behind a door with impure neighbours are fine", () => {
  assert.deepEqual(
    faults_with({
      "src/http/a.ts": "x;\n".repeat(400),
      "src/http/b.ts": "function f(a: 1, b: 2, c: 3, d: 4, e: 5,) {}\n  f(1, 2, 3, 4, { a: 5 }, 6);\n",
      "src/event_log/mod.ts": 'export * from "./append.ts";\nexport * from "./hash.ts";\n',
      "src/event_log/hash.ts": "export function hash() {}\n",
      "src/event_log/append.ts": "await 1;\n",
      "src/feed/frame.ts": 'import { hash as h } from "../event_log/mod.ts";\n',
      "src/ingest/plan.ts":
        'import type { X } from "./now.ts";\nimport { type Y, type Z } from "../event_log/mod.ts";\n',
    }),
    [],
  );
});
