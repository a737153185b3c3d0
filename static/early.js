// What cannot wait for modules: a stored theme, which would flash, and the board's feed, which runs while they load.
(() => {
  const on_board = location.pathname === "/";
  const params = new URLSearchParams(location.search);
  let theme = params.get("theme");
  try {
    theme ??= localStorage.getItem("tacho-theme");
    // Where the page of a trip leads back to.
    if (on_board) sessionStorage.setItem("tacho-board", location.search);
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
  if (!on_board || params.has("as_of") || params.has("as_of_position") || !globalThis.SharedWorker) return;

  const known =
    /^(range|from|to|compare|(not_)?(status|payment_method|vehicle_type|city|(pickup|dropoff)_zone|driver|passenger|pickup_h3))$/;
  const pairs = [...params].filter(([name]) => known.test(name));
  if (!params.has("range") && !params.has("from")) pairs.unshift(["range", "1h"]);
  const query = `${new URLSearchParams(pairs)}`;
  try {
    const { port } = new SharedWorker("/static/feed.js", { type: "module", name: "tacho-1" });
    port.postMessage({ query, join: true });
    // For app.js: what comes waits in the port until it is listened to.
    globalThis.early_feed = { port, query };
  } catch (error) {
    console.info("share the feed: this browser shares nothing", error);
  }
})();
