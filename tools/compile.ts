/**
 * `deno task compile`: makes the standalone binary dist/tacho out of the bundle that `deno task bundle` made, with PGlite's files inside.
 * The program's permissions are baked in. `deno compile` takes Deno's runtime from DENORT_BIN, else from Deno's cache, else from Deno's own
 * site; where that cannot be reached this ends with one line that says what to do, and exit code 1.
 */

const PERMISSIONS = [
  "--allow-net",
  "--allow-env",
  "--allow-sys=statfs",
  "--allow-read",
  "--allow-write=.tacho",
  "--allow-run=xdg-open,open,explorer",
];
/**
 * As task `start` has it: a backlog of 120,000 messages took 595 MiB with it, 869 MiB with a young space of twice that size and an old one that grows
 * as it likes, to four times what lives in it.
 */
const SPACES = "--v8-flags=--min-semi-space-size=32,--max-semi-space-size=64,--heap-growing-percent=100";
const BESIDE = ["dist/pglite.data", "dist/pglite.wasm", "dist/initdb.wasm"];
/** The bundle needs nothing more: without these flags the whole of node_modules would go into the binary. */
const ALONE = ["--no-config", "--no-lock", "--no-npm", "--no-remote", "--no-check"];

const UNREACHABLE = /Setting up base binary/;

const { code, stderr } = await new Deno.Command("deno", {
  args: [
    "compile",
    "--quiet",
    ...ALONE,
    ...PERMISSIONS,
    SPACES,
    ...BESIDE.flatMap((file) => ["--include", file]),
    "--output",
    "dist/tacho",
    "dist/tacho.js",
  ],
  stdin: "null",
  stdout: "inherit",
  stderr: "piped",
}).output();
const said = new TextDecoder().decode(stderr).trim();
if (code === 0) {
  console.log("dist/tacho");
} else if (UNREACHABLE.test(said)) {
  const archive = `denort-${Deno.build.target}.zip`, release = `release/v${Deno.version.deno}`;
  console.error(
    `compile: Deno's runtime for standalone binaries cannot be fetched; without a network name a denort of Deno ${Deno.version.deno} in DENORT_BIN, ` +
      `or put ${archive} (https://dl.deno.land/${release}/${archive}) into dl/${release}/ of Deno's cache (\`deno info\` says where); ` +
      "dist/tacho.js runs with deno as it is",
  );
} else {
  console.error(said);
}
Deno.exit(code === 0 ? 0 : 1);
