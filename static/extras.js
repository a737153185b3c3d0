import { misleads } from "./state.js";

/** What boards show that are not plain: filtered, of then, without figures, with tools of the charts. */

/** Brings and shows what this board needs. */
export function show_extras(page, phase) {
  const { address: { as_of, filter, kiosk, limits, notes }, shown, parts } = page;
  document.body.classList.toggle("past", as_of !== null);
  document.body.classList.toggle("filtered", filter.length > 0);
  const show = (name, is_needed, run) => (parts[name] || is_needed) && page.need(name, run);
  const blank = !["ready", "loading", "changing"].includes(phase);
  show("bases", parts.troubles || misleads(shown), () => {});
  show("blank", blank, ({ show_blank }) => show_blank(page, phase));
  show("filtered", filter.length > 0 || shown.computed?.failed, ({ show_filter }) => show_filter(page));
  show("time_travel", as_of !== null, ({ show_ribbon }) => show_ribbon(page));
  const marked = kiosk || limits.length + notes.length > 0;
  if (page.sight !== null) show("chart_tools", marked, ({ show_tools }) => show_tools(page));
}
