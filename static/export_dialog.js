import { make } from "./page.js";
import { breakdowns_csv, file_name, series_csv, trips_csv } from "./csv.js";
import { draw_picture } from "./picture.js";
import { open_dialog } from "./dialog.js";
import { format_window } from "./format.js";

/** Export of what is shown, also while it is paused or of another time: nothing is asked of the server. */

const csv = (text) => new Blob([text], { type: "text/csv;charset=utf-8" });
const KINDS = [
  [
    "series",
    "Chart figures",
    "CSV",
    "every bucket with all its figures and the comparison",
    (sight) => csv(series_csv(sight)),
  ],
  ["breakdowns", "Breakdowns", "CSV", "the rows of every panel", (sight) => csv(breakdowns_csv(sight))],
  ["trips", "Latest trips", "CSV", "the list as it stands, of any time", (sight) => csv(trips_csv(sight))],
  [
    "completed",
    "Chart of trips",
    "PNG",
    "with title, time, filter and legend",
    (sight, charts) => draw_picture(0, sight, charts),
  ],
  [
    "revenue",
    "Chart of revenue",
    "PNG",
    "with title, time, filter and legend",
    (sight, charts) => draw_picture(1, sight, charts),
  ],
];

/** Opens it. */
export function open({ look, charts }) {
  const { view, zone, now_ms } = look();
  const choices = KINDS.map(([what, title, kind, text, make_blob]) => {
    const button = make("button", "choice", make("b", "", title), make("span", "kind", kind), make("span", "", text));
    button.dataset.export = what;
    button.onclick = async () => {
      const sight = look();
      save(await make_blob(sight, charts), `${file_name(what, sight)}.${kind.toLowerCase()}`);
    };
    return button;
  });
  open_dialog(
    "Export",
    make("p", "sub", `${format_window(view, zone, now_ms)}, times in ${zone}`),
    make("div", "choices", ...choices),
  );
}

function save(blob, name) {
  const link = make("a");
  Object.assign(link, { href: URL.createObjectURL(blob), download: name });
  link.click();
  // The browser has taken hold of it by the time the page goes on.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
