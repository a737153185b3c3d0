import type { Browser, BrowserContext } from "playwright-core";
import { GuardedFolder } from "./guarded_folder.ts";
import { find_chromium } from "./program.ts";
import { PATIENCE } from "./until.ts";

/** How long a browser may take to start, and whatever waits for something in its pages, as `until` waits; milliseconds. */
const LIMIT_MS = PATIENCE * 60_000;

/** A browser with an empty profile. `await using` closes it and removes the profile. */
export interface TestBrowser extends AsyncDisposable {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/**
 * Launches the system's Chromium, headless, with a profile of its own.
 * @param options what Playwright takes for the context: viewport, colorScheme, ...
 */
export async function launch_chromium(
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<TestBrowser> {
  const path = find_chromium();
  if (path === null) throw new Error("launch Chromium: none on PATH");
  // When it is loaded, Playwright looks below /proc whether it runs in Windows' Linux, which Deno allows only with all permissions. The variable,
  // meant for that check's own tests, leaves the look out.
  Deno.env.set("__IS_WSL_TEST__", "1");
  const { chromium } = await import("playwright-core");
  const profile = new GuardedFolder("chromium");
  const context = await chromium.launchPersistentContext(`${profile.path}/profile`, {
    ...options,
    executablePath: path,
    headless: true,
    timeout: LIMIT_MS,
    args: [
      // Root, as in containers, may not use the sandbox; QUIC and the background services would only reach for the network.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  context.setDefaultTimeout(LIMIT_MS);
  const close = async (): Promise<void> => {
    await context.close();
    await profile.dispose();
  };
  return { context, close, [Symbol.asyncDispose]: close };
}
