import { by_id, make, set_text } from "./page.js";
import { format_clock, format_count, format_day, format_decimal, format_step } from "./format.js";
import { sum } from "./series.js";

/** The charts for those who do not see them: a name for each, and their figures as a table. */

const table = by_id("table");
const money = (value) => format_decimal(value, 2);
const CELLS = [["completed", format_count], ["started", format_count], ["canceled", format_count], ["revenue", money]];

/** Both are read aloud: they change no faster. */
const PAUSE_MS = 5_000;

let told = "", told_ms = 0;

/** Names the charts, and fills the table, newest bucket first, while it is open. */
export function tell_charts(columns, step_s, zone, currency, now_ms) {
  const per = format_step(step_s);
  set_text(by_id("per_trips"), `per ${per}, by completion time`);
  set_text(by_id("per_revenue"), `${currency} per ${per}`);
  const what = `${columns.x[0]} ${step_s} ${table.open}`;
  if (what === told && now_ms - told_ms < PAUSE_MS) return;
  [told, told_ms] = [what, now_ms];
  const name = (id, label, column, format) => {
    const text = `${label} per ${per}: ${format(sum(column))} in all, at most ${format(Math.max(...column))}`;
    by_id(id).setAttribute("aria-label", text);
  };
  name("chart_trips", "Trips completed", columns.completed, format_count);
  name("chart_revenue", `Revenue in ${currency}`, columns.revenue, money);
  if (!table.open) return;
  const rows = columns.x.map((t, i) => {
    const time = `${format_day(t * 1000, zone, now_ms)}, ${format_clock(t * 1000, zone)}`;
    const head = make("th", "", i === columns.running ? `${time}, so far` : time);
    head.scope = "row";
    const cells = CELLS.map(([name, format]) => columns[name][i] === null ? "–" : format(columns[name][i]));
    return make("tr", "", head, ...cells.map((text) => make("td", "num", text)));
  });
  by_id("table_rows").replaceChildren(...rows.reverse());
}
