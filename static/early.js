// What cannot wait for modules: a stored theme, which would flash, and the board's feed.
(() => {
  const [, base] = /^(.*)\/$/.exec(location.pathname) ?? [];
  const on_board = base !== undefined;
  const params = new URLSearchParams(location.search);
  let theme = params.get("theme");
  try {
    theme ??= localStorage.getItem("tacho-theme");
    // Where the page of a stream leads back to.
    if (on_board) sessionStorage.setItem(`tacho-board${base}`, location.search);
  } catch {
    theme ??= null; // Storage may be closed to pages: the system's theme is fine.
  }
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (on_board && params.get("kiosk") === "1") {
    root.dataset.kiosk = "1";
    const link = document.createElement("link");
    document.head.append(Object.assign(link, { rel: "stylesheet", href: "/static/kiosk.css", blocking: "render" }));
  }
  // Other addresses are understood by modules.
  if (!on_board || location.search !== "" || !globalThis.SharedWorker) return;
  const query = `${base && `${base}?`}range=1h`;
  try {
    const { port } = new SharedWorker("/static/feed.js", { type: "module", name: "tacho-2" });
    port.postMessage({ query, join: true });
    // Until the worker runs a stream of the page's own brings the first figures.
    const first = new EventSource(`${base}/api/v1/feed?range=1h`);
    const hello = new Promise((resolve) => {
      first.onerror = resolve;
      first.addEventListener("hello", resolve);
    });
    hello.then(() => first.close());
    // For app.js: what comes waits in the port until it is listened to.
    globalThis.early_feed = { port, query, hello };
  } catch (error) {
    console.info("share the feed: this browser shares nothing", error);
  }
})();
