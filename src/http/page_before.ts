import type { NamedBase } from "../domains/mod.ts";
import type { Clock } from "../runtime/mod.ts";
import { respond } from "./answers.ts";
import { type ReadinessSource, told } from "./operation_routes.ts";

/** How often the browser looks again, seconds. */
const LOOK_S = 5;

const as_html = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/**
 * The page of a domain whose log is not open: says why, leads to the other domains, and gives way to the board by itself.
 * @param all every domain of the program
 */
export async function page_before(
  { name, readiness }: ReadinessSource,
  request: Request,
  all: readonly NamedBase[],
  shared: { readonly token: string | null; readonly clock: Clock },
): Promise<Response> {
  const why = (await readiness()).flatMap(({ reason }) => reason === null ? [] : [told(reason, request, shared)]);
  const links = all.filter((each) => each.name !== name).map((each) =>
    `<a class="link" href="${each.base}/">${each.name}</a>`
  );
  const html = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="icon" href="data:,">
    <title>${name}: not open</title>
    <link rel="stylesheet" href="/static/style.css">
    <link rel="stylesheet" href="/static/login/login.css">
  </head>
  <body>
    <main class="login panel">
      <h1>tacho ${name}</h1>
      The log is not open. This is tried again, and the board comes by itself.
      <p role="status">${why.map(as_html).join("<br>")}</p>
      ${links.join(" ")}
    </main>
  </body>
</html>
`;
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    refresh: `${LOOK_S}`,
    "retry-after": `${LOOK_S}`,
  };
  return respond(html, headers, 503);
}
