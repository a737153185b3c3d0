import { make } from "./page.js";
import { format_limits, LIMITED, parse_limits } from "./marks.js";
import { LINES } from "./marks_address.js";
import { name_limit } from "./limits.js";
import { format_step } from "./format.js";
import { field, form, input, list_of, open_dialog, select } from "./dialog.js";

/** The editor of limits. */

/** Opens it. */
export function open({ look, go }) {
  const { step_s, currency, address } = look();
  const name_of = (limit) => name_limit(limit, step_s, currency);
  const line = select(LIMITED.map((name) => [name, name === "revenue" ? `revenue, ${currency}` : name]), "completed");
  const side = select([[">", "above"], ["<", "below"]], ">");
  const value = input({ type: "number", min: 0, max: 1e12, step: "any", required: true, autofocus: true });
  const list = list_of(name_of, put);

  // A limit is written and read, so that what is shown is what the address holds.
  function put(limits) {
    const texts = format_limits(limits);
    const { lines } = look().address;
    const limited = parse_limits(texts).map(({ name }) => name);
    // A limit of a hidden line would be seen nowhere.
    go({
      limits: format_limits(list.show(parse_limits(texts))),
      lines: LINES.filter((name) => lines.includes(name) || limited.includes(name)),
    });
  }

  const add = form(
    () => {
      const rounded = Math.round(Number(value.value) * 1e4) / 1e4;
      put([...list.shown(), { name: line.value, sign: side.value, value: rounded }]);
      value.value = "";
      value.focus();
    },
    "Set limit",
    field("Line", line),
    field("Mark when", side),
    field(`Per ${format_step(step_s)}`, value),
  );
  const said =
    "Buckets past a limit are ringed, and a line above the charts says since when. Limits are part of this page's address.";
  open_dialog("Limits", make("p", "sub", said), list.element, add);
  list.show(parse_limits(address.limits));
}
