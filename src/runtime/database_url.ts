const HOW_TO_ESCAPE =
  "in user name, password and name write / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, % as %25 and space as %20";

/** What is wrong with the URL of a PostgreSQL server, of which nothing is quoted, for it holds a password; null when nothing is. */
export function fault_of_url(text: string): string | null {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text) ?? [];
  if (rest === undefined) return "expected postgres://…";
  // An @ past the host is the end of a password that another character cut short: what follows that would pass for host, port or name.
  const host_ends = rest.search(/[/?#]/);
  const cut = host_ends >= 0 && rest.slice(host_ends).includes("@");
  if (cut || /[#\s]/.test(rest)) return `it holds a character that has to be escaped: ${HOW_TO_ESCAPE}`;
  try {
    const { username, password, hostname, pathname } = new URL(text.replace("@/", "@nobody/"));
    for (const part of [username, password, hostname, pathname]) decodeURIComponent(part);
    return null;
  } catch {
    return `expected postgres://user:password@host:5432/name; ${HOW_TO_ESCAPE}`;
  }
}
