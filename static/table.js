import { by_id, make } from "./page.js";
import { parse_notes } from "./marks.js";
import { format_bucket } from "./bucket_label.js";
import { compared_name } from "./marks_address.js";
import { format_count, format_day, format_decimal, format_moment, format_step } from "./format.js";

/** The figures of the charts as a real table, newest bucket first. It is read aloud: it changes no faster than every 5 s. */

const PAUSE_MS = 5_000;
const money = (value) => format_decimal(value, 2);

const caption = make("caption", "sub");
const head = make("tr");
const body = make("tbody");
const table = make("table", "", caption, make("thead", "", head), body);
const scroll = make("div", "scroll", table);
Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: "Figures as a table" });

let told = "", told_ms = 0;

/** The columns of the table, which are those of the charts: [{name, title, format, column}]. Pure. */
export function table_columns({ columns, currency, address }) {
  const lines = ["completed", "started", "canceled"].filter((name) => address.lines.includes(name));
  const made = lines.map((name) => ({ title: name, format: format_count, column: columns[name] }));
  made.push({ title: `revenue, ${currency}`, format: money, column: columns.revenue });
  if (!address.lines.includes("compared")) return made;
  const then = compared_name(address.compare);
  return [
    ...made,
    { title: `completed, ${then}`, format: format_count, column: columns.compared_completed },
    { title: `revenue, ${then}`, format: money, column: columns.compared_revenue },
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
  const { columns, address, step_s, zone, now_ms, view } = sight;
  const what = [columns.x[0], step_s, zone, view.from_s, view.to_s, address.lines, address.compare].join();
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
export function remark_of({ columns, address, zone, now_ms }, i) {
  const at_ms = columns.revised_ms[i];
  const inside = ({ at_ms: note_ms }) => note_ms >= columns.x[i] * 1000 && note_ms < columns.ends[i] * 1000;
  return [
    ...i === columns.running ? ["so far"] : [],
    ...at_ms > 0 ? [`corrected ${format_moment(at_ms, zone, now_ms)}`] : [],
    ...parse_notes(address.notes).filter(inside).map(({ text }) => text),
  ].join(" · ");
}
