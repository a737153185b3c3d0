import { want, wanted } from "./alerting.js";
import { field, form, input, open_dialog, person_field, refill, select, server_ms } from "./dialog.js";
import { format_decimal, format_moment, format_step } from "./format.js";
import { parse_limits } from "./marks.js";
import { declared, make, set_text } from "./page.js";
import { read_api } from "./troubles.js";

/** The dialog of alerts: rules and how they stand, silence, and how rules are made, also of the limits of this page. */

const HOURS = [1, 8, 24];
const CHANGES = 8;
const AGAIN_MS = 5_000;
const COMPARISONS = [["above", "above"], ["below", "below"], ["falls", "% below last week"], [
  "rises",
  "% above last week",
], ["score", "times as far from usual"]];
const NAME = "[a-z0-9][a-z0-9_\\-]{0,63}";

/** A name for a rule out of what it is of. Pure. */
export function name_of(figure, comparison, taken) {
  const name = `${figure}-${comparison}`.toLowerCase().replace(/[^a-z0-9_-]/g, "-").slice(0, 60);
  for (let i = 1;; i++) {
    const tried = i === 1 ? name : `${name}-${i}`;
    if (!taken.includes(tried)) return tried;
  }
}

/** A rule as the API takes it. `filter` is that of the page. Pure. */
export function rule_of({ name, figure, window, comparison, value, clear, lasts, filter, currency }) {
  const conditions = filter.map(({ dimension, keys, excluded }) => [`${excluded ? "not_" : ""}${dimension}`, keys]);
  return {
    name,
    figure,
    window,
    [comparison]: value,
    ...clear === "" ? {} : { clear: Number(clear) },
    ...lasts === 0 ? {} : { for: `${lasts}m` },
    ...conditions.length === 0 ? {} : { filter: Object.fromEntries(conditions) },
    ...currency === undefined ? {} : { currency },
  };
}

/** How a rule stands, in words. `tell(ms)` gives a time as text. Pure. */
export function state_words({ state, trouble, silence_until, definition }, now_ms, tell) {
  if (trouble !== null) return `cannot be looked at: ${trouble}`;
  if (state === null) return "no window was looked at yet";
  const { phase, since, figure, then } = state;
  const seen = figure === null
    ? "not known"
    : `${format_decimal(figure, Number.isInteger(figure) ? 0 : 2)}${
      then === null
        ? ""
        : `, ${format_decimal(then, Number.isInteger(then) ? 0 : 2)} ${
          definition?.score === undefined ? "a week before" : "usually"
        }`
    }`;
  const until = silence_until !== null && Date.parse(silence_until) > now_ms
    ? ` · silent until ${tell(Date.parse(silence_until))}`
    : "";
  return `${phase}${since === null ? "" : ` since ${tell(Date.parse(since))}`} · last ${seen}${until}`;
}

/** Opens the dialog; the parts are those of the tools. */
export function open_alerts({ look }) {
  document.querySelector("dialog[open]")?.close();
  const said =
    "Rules are looked at by the server, by event time and whether or not this page is open. Whoever is to be told stands in the file of TACHO_ALERTS.";
  const list = make("ul", "set rules"),
    changes = make("ul", "set rules"),
    fault = Object.assign(make("p", "fault"), { role: "alert" });
  const person = person_field();
  const maker = make("div"), consent = make("p", "line");
  for (const [what, text] of [["notify", "Notify me on this device"], ["sound", "Sound"]]) {
    const button = make("button", "plain", text);
    button.ariaPressed = `${wanted(what)}`;
    button.onclick = async () => button.ariaPressed = `${await want(what, button.ariaPressed !== "true")}`;
    consent.append(button);
  }
  const dialog = open_dialog(
    "Alerts",
    make("p", "sub", said),
    list,
    maker,
    fault,
    make("p", "line", person.element),
    consent,
    changes,
  );
  dialog.classList.add("alerts");
  const sight = look();
  let taken = [];
  const tell = (ms) => format_moment(ms, sight.zone, sight.now_ms);

  /** Asks the API; what it refuses is said. Resolves with its answer, or null. */
  async function ask(path, body) {
    const { said = null, failed } = await read_api(`alerts${path}`, body);
    set_text(fault, failed === undefined ? "" : `${failed}.`);
    return said;
  }

  /** Changes something in a person's name, and shows what is there then. */
  async function change(path, body) {
    const by = person.named();
    if (by === null) return false;
    const done = await ask(path, { ...body, by });
    if (done !== null) await show();
    return done !== null;
  }

  async function show() {
    const alerts = await ask("");
    if (alerts === null) return;
    const { rules, writable } = alerts;
    taken = rules.map(({ name }) => name);
    refill(list, ...rules.map((rule) => line_of(rule, writable)));
    if (rules.length === 0) list.append(make("li", "", make("span", "", "No rules yet")));
    changes.replaceChildren(
      ...alerts.changes.slice(0, CHANGES).map(({ rule, from, to, why, noticed }) =>
        make(
          "li",
          "",
          make(
            "span",
            "",
            `${rule}: ${from} → ${to}`,
            make(
              "small",
              "",
              `${tell(Date.parse(noticed))}${
                {
                  window: "",
                  corrected: ", as late events say",
                  changed: ", the rule was changed",
                  removed: ", the rule was removed",
                }[why]
              }`,
            ),
          ),
        )
      ),
    );
    if (writable && !maker.hasChildNodes()) maker.append(...made_of(alerts));
  }

  function line_of(rule, writable) {
    const { name, words, state, origin, changed_by, changed_at, silence_until } = rule;
    const of_whom = origin === "file" ? "in the file" : `by ${changed_by}, ${tell(Date.parse(changed_at))}`;
    const text = make(
      "span",
      state?.phase ?? "",
      make("b", "", name),
      ` ${words ?? ""}`,
      make("small", "", `${state_words(rule, sight.now_ms, tell)} · ${of_whom}`),
    );
    const line = make("li", "", text);
    if (!writable) return line;
    const acts = make("div", "acts");
    line.append(acts);
    const button = (words, run) => {
      const made = Object.assign(make("button", "plain", words), { ariaLabel: `${words}: ${name}`, onclick: run });
      acts.append(made);
    };
    const path = `/rules/${encodeURIComponent(name)}`;
    if (silence_until !== null && Date.parse(silence_until) > sight.now_ms) {
      button("End silence", () => change(`${path}/silence`, { until: null }));
    } else {for (const hours of HOURS) {
        button(
          `Silence ${hours} h`,
          () =>
            change(`${path}/silence`, { until: new Date(server_ms(sight.board) + hours * 3_600_000).toISOString() }),
        );
      }}
    if (origin === "page") button("Remove", () => change(`${path}/remove`, {}));
    return line;
  }

  /** The form of a rule, and the limits of this page that can become one. */
  function made_of({ figures, windows }) {
    const { address: { filter, limits }, step_s, currencies, currency } = look();
    const window_of = windows.find((each) => each.step_s === step_s)?.name ?? "5m";
    const names = figures.map(({ name }) => name);
    const figure = select(
      figures.map((
        { name, unit },
      ) => [name, unit === "money" ? `${name}, ${currency}` : unit === "percent" ? `${name}, %` : name]),
      names[0],
    );
    const comparison = select(COMPARISONS, "above"),
      window = select(windows.map(({ name, step_s }) => [name, format_step(step_s)]), window_of);
    const value = input({ type: "number", step: "any", required: true }),
      clear = input({ type: "number", step: "any", placeholder: "the same" });
    const lasts = input({ type: "number", min: 0, max: 10_080, step: 1, value: 0 });
    const name = input({
      type: "text",
      pattern: NAME,
      maxLength: 64,
      required: true,
      title: "small letters, digits, - and _",
    });
    const rename = () => name.value = name_of(figure.value, comparison.value, taken);
    figure.onchange = comparison.onchange = rename;
    rename();
    const shared = { filter, ...currencies === undefined ? {} : { currency } };
    const add = form(
      async () => {
        const rule = rule_of({
          ...shared,
          ...{ name: name.value, figure: figure.value, window: window.value, comparison: comparison.value },
          ...{ value: Number(value.value), clear: clear.value, lasts: Number(lasts.value) },
        });
        if (!await change("/rules", { rule, fresh: true })) return;
        value.value = "";
        rename();
      },
      "Make rule",
      field("Figure", figure),
      field("Is", comparison),
      field("Than", value),
      field("In windows of", window),
      field("For minutes", lasts),
      field("Over again at", clear),
      field("Name", name),
    );
    add.classList.add("rule");
    const of_limits = parse_limits(limits, declared).filter((limit) => names.includes(limit.name)).map((limit) => {
      const side = limit.sign === ">" ? "above" : "below";
      const words = `${limit.name} ${side} ${limit.value}`;
      const button = make("button", "plain", "Make it an alert");
      button.ariaLabel = `Make it an alert: ${words}`;
      button.onclick = () =>
        change("/rules", {
          fresh: true,
          rule: rule_of({
            ...shared,
            ...{ name: name_of(limit.name, side, taken), figure: limit.name, window: window_of, comparison: side },
            ...{ value: limit.value, clear: "", lasts: 0 },
          }),
        }).then((done) => done && button.remove());
      return make("li", "", make("span", "", `Limit of this page: ${words} per ${format_step(step_s)}`), button);
    });
    const of_what = filter.length === 0
      ? ""
      : `Of the page's filter: ${
        filter.map(({ dimension, keys, excluded }) => `${dimension} ${excluded ? "not " : ""}${keys.join(", ")}`).join(
          "; ",
        )
      }.`;
    return [make("ul", "set rules", ...of_limits), add, make("p", "sub", of_what)];
  }

  show();
  const again = setInterval(() => {
    if (!dialog.isConnected) clearInterval(again);
    // What has the focus stays.
    else if (!list.contains(document.activeElement)) show();
  }, AGAIN_MS);
}
