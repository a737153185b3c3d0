/** The page's files, by path below `static/`. */
export const ASSETS: Readonly<Record<string, string>> = {};
