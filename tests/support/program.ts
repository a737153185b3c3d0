/**
 * The full path of the first of these programs that is found on PATH, or else in one of the further folders; null when none is.
 * @param names program names in order of preference
 * @param folders folders to look in after PATH
 */
export function find_program(names: readonly string[], folders: readonly string[] = []): string | null {
  const path = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder.startsWith("/"));
  for (const name of names) {
    for (const folder of [...path, ...folders]) {
      if (is_file(`${folder}/${name}`)) return `${folder}/${name}`;
    }
  }
  return null;
}

/** The folder that holds `initdb` and `postgres`: from PATH, or the newest of Debian's; null when there is none. */
export function find_postgres(): string | null {
  const debian = folder_names("/usr/lib/postgresql")
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => `/usr/lib/postgresql/${version}/bin`);
  const initdb = find_program(["initdb"], debian);
  const folder = initdb?.slice(0, -"/initdb".length) ?? null;
  return folder !== null && is_file(`${folder}/postgres`) ? folder : null;
}

/** The path of PgBouncer, which Debian keeps where only root looks; null when there is none. */
export function find_pgbouncer(): string | null {
  return find_program(["pgbouncer"], ["/usr/sbin"]);
}

/** The path of nginx, which Debian keeps where only root looks; null when there is none. */
export function find_nginx(): string | null {
  return find_program(["nginx"], ["/usr/sbin"]);
}

/**
 * The path of the system's Chromium or Chrome; null when there is none. First comes its shell without a window, as Debian and Chrome for Testing name
 * it: the same engine, with less of a browser's own interface around it to draw.
 */
export function find_chromium(): string | null {
  return find_program([
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
  ]);
}

/** The path of the system's Firefox; null when there is none. */
export function find_firefox(): string | null {
  return find_program(["firefox-esr", "firefox"]);
}

/** Whether the path names a file. Folders and absent paths give false; a refused permission throws. */
export function is_file(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (is_absence(error)) return false;
    throw error;
  }
}

/** The names in a folder, sorted; empty when it is absent. */
export function folder_names(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
  } catch (error) {
    if (is_absence(error)) return [];
    throw error;
  }
}

// A PATH may name folders that this user cannot enter, or files where a folder should be: nothing to be found there either.
function is_absence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied;
}
