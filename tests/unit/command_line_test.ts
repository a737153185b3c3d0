import assert from "node:assert/strict";
import { program } from "../../src/command_line/mod.ts";

/** What `--help` says of every verb. */

type Command = typeof program;

/** Every command that does something, with its path. */
function verbs(command: Command, path: readonly string[] = []): (readonly [path: string, command: Command])[] {
  const below = command.commands.flatMap((each) => verbs(each, [...path, each.name()]));
  return below.length > 0 ? below : [[path.join(" "), command]];
}

/** The help of a command, as it is printed. */
function help_of(command: Command): string {
  let text = "";
  // Colours hang on the environment, which this test has no right to.
  command.configureOutput({ writeOut: (each) => text += each, getOutHasColors: () => false });
  command.outputHelp();
  return text;
}

Deno.test("help of every verb has an example and the exit codes, and of every option whether it is required or what holds without it", () => {
  const all = verbs(program);
  assert.ok(all.length >= 16, all.map(([path]) => path).join(", "));
  for (const [path, command] of all) {
    const help = command.createHelp();
    for (const option of command.options) {
      const told = help.optionDescription(option);
      assert.match(told, /\brequired\)|default: \S|unless given/, `${path} ${option.flags}: ${told}`);
      assert.doesNotMatch(told, /undefined|null|Infinity|\[\]/, `${path} ${option.flags}: ${told}`);
      if (/<(?:time|length|n|share|factor|zone)>/.test(option.flags)) {
        assert.match(told, /\((?:an?|max) |such as|one of/, `${path} ${option.flags}: ${told}`);
      }
    }
    const printed = help_of(command);
    assert.match(printed, new RegExp(`\nExample:\n  tacho ${path.split(" ")[0]}`), path);
    assert.match(printed, /Exit codes: 0 done, 1 failed, 2 wrong usage or configuration\./, path);
  }
});

Deno.test("a wrong option is told with what came and how it is written", () => {
  const written: readonly (readonly [option: string, text: string, expected: RegExp])[] = [
    ["--first", "1.5", /^Expected a whole number from 1 on\.$/],
    ["--step", "5", /^Expected a length of time such as 30s/],
    ["--zone", "Mars", /^Expected an IANA time zone/],
    ["--most-refused", "10", /^Expected a share from 0% to 100%/],
    ["--most-refused", "101%", /^Expected a share from 0% to 100%/],
    ["--speed", "fast", /^Expected a number of times such as 60x, or max\.$/],
    ["--speed", "", /^Expected a number of times/],
  ];
  const replay = program.commands.find((each) => each.name() === "replay")!;
  for (const [name, text, expected] of written) {
    const { parseArg } = replay.options.find(({ long }) => long === name)!;
    assert.throws(() => parseArg!(text, undefined), (error) => error instanceof Error && expected.test(error.message));
  }
});
