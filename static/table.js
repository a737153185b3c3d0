import { by_id, make } from "./page.js";
import { compared_name, shows_compared } from "./address.js";
import { format_count, format_day, format_moment, format_step } from "./format.js";
import { notes_of } from "./marks.js";
import { format_bucket, format_of, shown_lines } from "./readout.js";

/** The figures of the charts as a real table, newest bucket first. It is read aloud: it changes no faster than every 5 s. */

const PAUSE_MS = 5_000;

const caption = make("caption", "sub");
const head = make("tr");
const body = make("tbody");
const table = make("table", "", caption, make("thead", "", head), body);
const scroll = make("div", "scroll", table);
Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: "Figures as a table" });

let told = "", told_ms = 0;

/** The columns of the table, which are those of the charts: [{title, format, column}]. Pure. */
export function table_columns(sight) {
  const { declared: { charts }, columns, currency, address } = sight;
  const made = charts.flatMap((chart) =>
    shown_lines(chart, sight).map(({ name, column, format = format_of(chart) }) => ({
      title: `${chart.by ? `${chart.title}: ` : ""}${name}${
        chart.money && format !== format_count ? `, ${currency}` : ""
      }`,
      format,
      column: columns[column],
    }))
  );
  if (!shows_compared(sight)) return made;
  const then = compared_name(address.compare);
  return [
    ...made,
    ...charts.filter(({ compared }) => compared).map((chart) => ({
      title: `${chart.compared}, ${then}`,
      format: format_of(chart),
      column: columns[`compared_${chart.compared}`],
    })),
  ];
}

/** Opens the table, or closes it. */
export function open({ look }) {
  const button = document.querySelector("[data-tool=table]");
  const opens = !scroll.isConnected;
  button.ariaExpanded = opens;
  if (!opens) return scroll.remove();
  told = "";
  by_id("chart_tools").after(scroll);
  show(look());
  scroll.focus();
}

/** Fills the table, while it is open. */
export function show(sight) {
  if (!scroll.isConnected) return;
  const { columns, address, lines, step_s, zone, now_ms, view } = sight;
  const what = [columns.x[0], step_s, zone, view.from_s, view.to_s, lines, address.compare].join();
  if (what === told && now_ms - told_ms < PAUSE_MS) return;
  [told, told_ms] = [what, now_ms];
  const shown = table_columns(sight);
  caption.textContent = `Figures of the charts per ${format_step(step_s)}, newest first; times in ${zone}`;
  head.replaceChildren(...["from – to", ...shown.map(({ title }) => title), "remark"].map((title, i) => {
    const cell = make("th", i === 0 || i > shown.length ? "" : "num", title);
    cell.scope = "col";
    return cell;
  }));
  const rows = columns.x.flatMap((t, i) => {
    if (t < view.from_s || t >= view.to_s) return [];
    const day = format_day(t * 1000, zone, now_ms);
    const bucket = format_bucket(t, columns.ends[i], zone, now_ms);
    const name = make("th", "", bucket.startsWith(day) ? bucket : `${day}, ${bucket}`);
    name.scope = "row";
    const cells = shown.map(({ column, format }) => make("td", "num", column[i] === null ? "–" : format(column[i])));
    return [make("tr", "", name, ...cells, make("td", "remark", remark_of(sight, i)))];
  });
  body.replaceChildren(...rows.reverse());
}

/** What is to be said of a bucket. */
export function remark_of(sight, i) {
  const { columns, zone, now_ms } = sight;
  const at_ms = columns.revised_ms[i];
  const inside = ({ at_ms: note_ms }) => note_ms >= columns.x[i] * 1000 && note_ms < columns.ends[i] * 1000;
  return [
    ...i === columns.running ? ["so far"] : [],
    ...at_ms > 0 ? [`corrected ${format_moment(at_ms, zone, now_ms)}`] : [],
    ...notes_of(sight).filter(inside).map(({ text }) => text),
  ].join(" · ");
}
