/**
 * Tests the tests: `deno task mutate -- FILE... [--tests part,part] [--most N] [--seed N]`. Changes one place of a file at a time, in a copy of the repository, and runs
 * the tests that reach the file: those of `tests/unit` first, then those of `tests/integration` (or all whose path has one of the parts). A change that no test notices is
 * printed. Those that nobody can see (no figure, no answer and no promise depends on them) stand in `equivalent.txt` with the reason. Exit code 1 below 95 %.
 */
import { parseArgs } from "node:util";
import { data_folder, needs } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { imports_of, origin_of, resolve_import, without_comments } from "../support/imports.ts";
import { POSTGRES_VARIABLE, start_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { plan_stages, test_environment } from "../support/test_stages.ts";
import { mutate, type Mutation, mutations_of, told } from "./mutations.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** A change that makes the tests take so much longer than they took without it is noticed: it hangs. */
const PATIENCE = { factor: 3, extra_ms: 20_000 };
const WANTED_SHARE = 0.95;

const { values, positionals } = parseArgs({
  args: Deno.args.filter((arg) => arg !== "--"),
  allowPositionals: true,
  options: { tests: { type: "string" }, most: { type: "string" }, seed: { type: "string", default: "1" } },
});
const most = values.most === undefined ? Infinity : Number(values.most);
if (positionals.length === 0 || !(most > 0) || !/^\d+$/.test(values.seed)) {
  console.error("mutate: expected files. Usage: deno task mutate -- FILE... [--tests part,part] [--most N] [--seed N]");
  Deno.exit(2);
}

/** The TypeScript files of the repository by path. */
function read_files(folders: readonly string[]): Record<string, string> {
  const files: Record<string, string> = {};
  const read = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(`${ROOT}/${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory) read(path);
      else if (name.endsWith(".ts")) files[path] = Deno.readTextFileSync(`${ROOT}/${path}`);
    }
  };
  folders.forEach(read);
  return files;
}

/** How many imports lie between each file and those that it reaches, by the names it imports. */
function distances(files: Readonly<Record<string, string>>, from: string): Map<string, number> {
  const reached = new Map([[from, 0]]);
  for (const [path, distance] of reached) {
    for (const { specifier, names } of imports_of(without_comments(files[path] ?? ""))) {
      if (!specifier.startsWith(".")) continue;
      const target = resolve_import(path, specifier);
      const origins = names === null ? [target] : names.map((name) => origin_of(files, target, name));
      for (const origin of origins) if (!reached.has(origin)) reached.set(origin, distance + 1);
    }
  }
  return reached;
}

/** The numbers up to `n` in an order that the seed gives. */
function shuffled(n: number, seed: number): number[] {
  let state = seed >>> 0 || 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

const files = read_files(["src", "tests"]);
const tests = Object.keys(files).filter((path) => path.endsWith("_test.ts"));
const reach = new Map(tests.map((test) => [test, distances(files, test)]));
const parts = values.tests?.split(",") ?? null;

/** The tests that a file's changes are held against, near ones first: all unit tests in one run, the others one by one. */
function tests_of(file: string): { readonly unit: string[]; readonly others: string[] } {
  const near = tests.filter((test) => reach.get(test)!.has(file)).sort((a, b) =>
    reach.get(a)!.get(file)! - reach.get(b)!.get(file)!
  );
  return {
    unit: near.filter((test) => test.startsWith("tests/unit/")),
    others: parts === null
      ? near.filter((test) => test.startsWith("tests/integration/"))
      : tests.filter((test) => !test.startsWith("tests/unit/") && parts.some((part) => test.includes(part))),
  };
}

const equivalent = new Set(
  Deno.readTextFileSync(`${ROOT}/tests/mutate/equivalent.txt`).split("\n").filter((line) => line.includes("  →  "))
    .map((line) => line.split("  ##  ")[0]!.trim()),
);

const copy = new GuardedFolder("mutate");
const folder = new GuardedFolder("mutate_run");
const server = needs("postgres") === null ? await start_postgres({ fsync: false }) : null;
try {
  const checkout = `${copy.path}/tacho`;
  await shell(
    "copy the repository",
    'mkdir "$2" && cd "$1" && cp -r main.ts deno.json deno.lock README.md src static migrations tests docs tools compose.yaml "$2" && cp -rl node_modules "$2"',
    ROOT,
    checkout,
  );
  const deno_folder = JSON.parse(await shell("ask Deno for its folder", '"$1" info --json', Deno.execPath())).denoDir;
  const environment = {
    ...test_environment(Deno.env.toObject(), { TMPDIR: folder.path, TACHO_TEST_DATA: data_folder() }),
    ...(server === null ? {} : { [POSTGRES_VARIABLE]: server.superuser_url }),
  };

  /** Whether these tests all pass in the copy within the time. */
  const pass = async (some: readonly string[], limit_ms: number): Promise<boolean> => {
    for (const { flags, files } of plan_stages(checkout, some, folder.path, deno_folder)) {
      const child = new Deno.Command("sh", {
        args: [
          "-c",
          'echo $$ >"$1/pid" && exec >"$1/output" 2>&1 && shift && exec "$@"',
          "sh",
          folder.path,
          Deno.execPath(),
          "test",
          "--no-check",
          "--fail-fast",
          "--quiet",
          ...flags,
          ...files,
        ],
        cwd: checkout,
        clearEnv: true,
        env: environment,
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      const timer = setTimeout(() => child.kill("SIGKILL"), limit_ms);
      const { success } = await child.status;
      clearTimeout(timer);
      if (!success) return false;
    }
    return true;
  };
  /** How long the tests take as the file is; they have to pass. */
  const took = async (some: readonly string[]): Promise<number> => {
    const began = performance.now();
    if (!await pass(some, 10 * 60_000)) {
      const output = Deno.readTextFileSync(`${folder.path}/output`).slice(-4_000);
      throw new Error(`mutate: ${some.join(", ")} fail without any change:\n${output}`);
    }
    return (performance.now() - began) * PATIENCE.factor + PATIENCE.extra_ms;
  };

  const limits = new Map<string, number>();
  const limit_of = async (some: readonly string[]): Promise<number> => {
    const key = some.join(" ");
    const limit = limits.get(key) ?? await took(some);
    limits.set(key, limit);
    return limit;
  };
  /** The path of a test that notices the change; null when none does. */
  const noticed_by = async (file: string, text: string, mutation: Mutation): Promise<string | null> => {
    const { unit, others } = tests_of(file);
    const runs = [...(unit.length === 0 ? [] : [unit]), ...others.map((test) => [test])];
    for (const run of runs) {
      const limit = await limit_of(run);
      Deno.writeTextFileSync(`${checkout}/${file}`, mutate(text, mutation));
      const passed = await pass(run, limit);
      Deno.writeTextFileSync(`${checkout}/${file}`, text);
      if (!passed) return run.length === 1 ? run[0]! : "unit tests";
    }
    return null;
  };

  let noticed = 0, seen = 0, unseen = 0;
  for (const file of positionals.map((path) => path.replace(/^\.\//, ""))) {
    const text = files[file];
    if (text === undefined) throw new Error(`mutate: expected a file of src, got ${JSON.stringify(file)}`);
    const all = mutations_of(text);
    const chosen = shuffled(all.length, Number(values.seed)).slice(0, most).sort((a, b) => a - b).map((i) => all[i]!);
    console.log(`${file}: ${chosen.length} of ${all.length} changes`);
    for (const [i, mutation] of chosen.entries()) {
      const words = `${file}: ${told(text, mutation)}`;
      if (equivalent.has(words)) {
        unseen++;
        continue;
      }
      seen++;
      const by = await noticed_by(file, text, mutation);
      if (by === null) console.log(`  not noticed: line ${mutation.line}: ${words}`);
      else noticed++;
      if (Deno.stderr.isTerminal()) {
        await Deno.stderr.write(new TextEncoder().encode(`\r  ${i + 1} of ${chosen.length}\r`));
      }
    }
  }
  const share = seen === 0 ? 1 : noticed / seen;
  console.log(
    `${noticed} of ${seen} changes noticed, ${(share * 100).toFixed(1)} %; ${unseen} that nobody can see left out`,
  );
  Deno.exitCode = share >= WANTED_SHARE ? 0 : 1;
} finally {
  await Promise.all([copy.dispose(), folder.dispose(), server?.dispose()]);
}
