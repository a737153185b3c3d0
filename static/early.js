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
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (!on_board || params.has("as_of") || params.has("as_of_position")) return;

  const known =
    /^(range|from|to|compare|(not_)?(status|payment_method|vehicle_type|city|(pickup|dropoff)_zone|driver|passenger|pickup_h3))$/;
  const pairs = [...params].filter(([name]) => known.test(name));
  if (!params.has("range") && !params.has("from")) pairs.unshift(["range", "1h"]);
  const url = `/api/v1/feed?${new URLSearchParams(pairs)}`;
  const frames = [], taken = new AbortController();
  let source = new EventSource(url);

  function drop() {
    source?.close();
    source = null;
  }

  // A page that lets so many frames come is not coming.
  const keep = (event) => frames.push(event) > 100 && drop();
  for (const name of ["hello", "kpi", "trip", "hb", "reset", "bye"]) {
    source.addEventListener(name, keep, { signal: taken.signal });
  }
  source.onerror = drop;

  /** For feed.js: the stream of a URL as it has run so far, once. Null when it is another's: then none is left open. */
  globalThis.take_early_feed = (asked) => {
    if (asked !== url) drop();
    const mine = source;
    source = null;
    taken.abort();
    // By then who takes it listens.
    queueMicrotask(() => frames.splice(0).forEach((frame) => mine?.dispatchEvent(frame)));
    return mine;
  };
})();
