/** What one `deno test` reported, read from its JUnit file. Pure. */
export interface TestReport {
  readonly passed: number;
  readonly failed: readonly string[];
  /** Skipped tests and steps: the name as registered. */
  readonly skipped: readonly string[];
}

/** A report without any test. */
export const NOTHING: TestReport = { passed: 0, failed: [], skipped: [] };

/**
 * Reads the JUnit XML that `deno test --junit-path` writes. A step counts with its test, except that a skipped step is listed.
 * @throws Error when the text is no such report
 */
export function read_junit(xml: string): TestReport {
  if (!xml.includes("<testsuites")) {
    throw new Error(`read JUnit report: no <testsuites> in ${JSON.stringify(xml.slice(0, 200))}`);
  }
  let passed = 0;
  const failed: string[] = [];
  const skipped: string[] = [];
  for (const [, body = ""] of xml.matchAll(/<testsuite name="[^"]*"[^>]*?(?:\/>|>(.*?)<\/testsuite>)/gs)) {
    const names = new Set<string>();
    for (
      const [, escaped = "", outcome = ""] of body.matchAll(
        /<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs,
      )
    ) {
      const name = unescape_xml(escaped);
      names.add(name);
      if (outcome.includes("<skipped")) skipped.push(name);
      else if (is_step(name, names)) continue;
      else if (/<(failure|error)\b/.test(outcome)) failed.push(name);
      else passed += 1;
    }
  }
  return { passed, failed, skipped };
}

/** Adds reports up. */
export function add_reports(a: TestReport, b: TestReport): TestReport {
  return {
    passed: a.passed + b.passed,
    failed: [...a.failed, ...b.failed],
    skipped: [...a.skipped, ...b.skipped],
  };
}

/** Steps come after the tests of their file, under `test > step > step`. */
function is_step(name: string, earlier: ReadonlySet<string>): boolean {
  for (let at = name.indexOf(" > "); at >= 0; at = name.indexOf(" > ", at + 1)) {
    if (earlier.has(name.slice(0, at))) return true;
  }
  return false;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescape_xml(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (all, decimal, hexadecimal, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hexadecimal !== undefined) return String.fromCodePoint(parseInt(hexadecimal, 16));
    return ENTITIES[name] ?? all;
  });
}
