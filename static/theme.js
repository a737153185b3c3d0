// Not a module, so that it runs before the first paint and a stored theme does not flash.
(() => {
  const params = new URLSearchParams(location.search);
  let theme = params.get("theme");
  try {
    theme ??= localStorage.getItem("tacho-theme");
  } catch {
    theme ??= null; // Storage may be closed to pages: the system's theme is fine.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (params.get("kiosk") !== "1") return;
  document.documentElement.dataset.kiosk = "1";
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: "/static/kiosk.css" });
  link.setAttribute("blocking", "render");
  document.head.append(link);
})();
