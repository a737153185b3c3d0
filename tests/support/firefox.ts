import type { Page } from "puppeteer-core";
import { find_firefox } from "./program.ts";
import { ServerProcess } from "./server_process.ts";
import { PATIENCE, until } from "./until.ts";

/** Firefox with an empty profile, spoken to by WebDriver BiDi. `await using` closes it and removes the profile. */
export interface TestFirefox extends AsyncDisposable {
  /** What the consoles of its pages had to complain of. */
  readonly complaints: string[];
  /** Opens an address in a tab of its own. */
  open(url: string, width?: number, height?: number): Promise<Page>;
}

/** Launches the system's Firefox, headless. */
export async function launch_firefox(): Promise<TestFirefox> {
  const path = find_firefox();
  if (path === null) throw new Error("launch Firefox: none on PATH");
  const server = new ServerProcess("firefox");
  const { folder } = server, complaints: string[] = [];
  try {
    // Settings that the programs of others look for at home would be written there.
    server.spawn([
      "env",
      `HOME=${folder}`,
      path,
      "--headless",
      "--no-remote",
      "--profile",
      folder,
      "--remote-debugging-port=0",
    ]);
    const address = await until("Firefox says where it listens", () => {
      if (!server.running) throw new Error(`it ended: ${server.read_log().slice(-2_000)}`);
      return /^WebDriver BiDi listening on (ws:\S+)$/m.exec(server.read_log())?.[1];
    });
    const { default: puppeteer } = await import("puppeteer-core");
    const browser = await puppeteer.connect({ browserWSEndpoint: `${address}/session`, protocol: "webDriverBiDi" });
    return {
      complaints,
      async open(url, width = 1440, height = 900) {
        const page = await browser.newPage();
        page.on("console", (message) => {
          if (["error", "warn"].includes(message.type())) complaints.push(message.text());
        });
        page.on("pageerror", (error) => complaints.push(String(error)));
        // As `until` waits.
        page.setDefaultTimeout(PATIENCE * 60_000);
        await page.setViewport({ width, height });
        await page.goto(url);
        return page;
      },
      async [Symbol.asyncDispose]() {
        await browser.disconnect();
        await server.dispose();
      },
    };
  } catch (error) {
    await server.dispose();
    throw error;
  }
}
