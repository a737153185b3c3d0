// Not a module, so that it runs before the first paint and a stored theme does not flash.
(() => {
  let theme = new URLSearchParams(location.search).get("theme");
  try {
    theme ??= localStorage.getItem("tacho-theme");
  } catch {
    theme ??= null; // Storage may be closed to pages: the system's theme is fine.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
