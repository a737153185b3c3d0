import { make, plain } from "./page.js";
import { parse_notes } from "./marks.js";
import { format_bucket } from "./bucket_label.js";
import { compared_name } from "./marks_address.js";
import { format_count, format_day, format_decimal, format_moment } from "./format.js";

/** What the cursor points at, in words, by pointer and by keys. A focused chart is a slider over time: its value is read aloud. */

const money = (value) => format_decimal(value, 2);
const UPPER = [["completed", "--s1"], ["started", "--s3"], ["canceled", "--s4"]];
const LEAP = 10;

/** The rows of a bucket's readout on chart `which`: [{name, token, text}], and what is said of the bucket. */
function rows_of({ columns, currency, address }, which, i) {
  const told = (name, token, column, format) => ({ name, token, text: column[i] === null ? "–" : format(column[i]) });
  const rows = which === 1
    ? [told(currency, "--s2", columns.revenue, money)]
    : UPPER.filter(([name]) => address.lines.includes(name)).map(([name, token]) =>
      told(name, token, columns[name], format_count)
    );
  if (address.lines.includes("compared")) {
    const [column, format] = which === 1
      ? [columns.compared_revenue, money]
      : [columns.compared_completed, format_count];
    rows.push(told(compared_name(address.compare), "--ink-3", column, format));
  }
  return rows;
}

function head_of({ columns, zone, now_ms }, i) {
  const [from_s, to_s] = [columns.x[i], columns.ends[i]];
  const day = format_day(from_s * 1000, zone, now_ms);
  const bucket = format_bucket(from_s, to_s, zone, now_ms);
  const other = day !== format_day(now_ms, zone, now_ms) && !bucket.startsWith(day);
  return `${other ? `${day}, ` : ""}${bucket}${i === columns.running ? " · so far" : ""}`;
}

function foot_of({ columns, zone, now_ms, address }, i) {
  const [from_ms, to_ms] = [columns.x[i] * 1000, columns.ends[i] * 1000];
  const said = parse_notes(address.notes).filter(({ at_ms }) => at_ms >= from_ms && at_ms < to_ms).map(({ text }) =>
    text
  );
  if (columns.revised_ms[i] > 0) {
    said.unshift(`corrected ${format_moment(columns.revised_ms[i], zone, now_ms).replace(/:\d\d$/, "")}`);
  }
  return said;
}

/** Binds keys and shows readouts. `charts()` are the uPlots over `places`, `look()` what they show, `on_zoom({from_s, to_s})` hears of Enter. */
export function make_readout({ places, charts, look, on_zoom }) {
  const tips = new WeakMap();
  /** The start of the bucket that keys went to, and of the one where a stretch began; null while the pointer leads. */
  let at_s = null, anchor_s = null;

  function show_tip(u, which, i) {
    if (!tips.has(u)) {
      tips.set(u, make("div", "tip"));
      u.over.append(tips.get(u));
    }
    const tip = tips.get(u), sight = look();
    tip.hidden = i === null || sight.columns.x[i] === undefined;
    if (tip.hidden) return;
    const lines = rows_of(sight, which, i).map(({ name, token, text }) => {
      const swatch = make("i");
      swatch.style.background = `var(${token})`;
      return make("p", "", swatch, make("b", "", text), ` ${name}`);
    });
    const feet = foot_of(sight, i).map((text) => make("p", "foot", text));
    tip.replaceChildren(make("p", "", head_of(sight, i)), ...lines, ...feet);
    const x = u.valToPos(u.data[0][i], "x");
    tip.style.left = `${x > u.over.clientWidth / 2 ? Math.max(0, x - tip.offsetWidth - 12) : x + 12}px`;
  }

  function tell(which, i) {
    const sight = look();
    const place = places[which];
    const figures = rows_of(sight, which, i).map(({ name, text }) => `${name} ${text}`);
    place.ariaValueMax = sight.columns.x.length - 1;
    place.ariaValueNow = i;
    place.ariaValueText = plain([head_of(sight, i), ...figures, ...foot_of(sight, i)].join(", "));
  }

  function point(i) {
    const { columns } = look();
    at_s = columns.x[i];
    for (const u of charts()) {
      const left = u.valToPos(u.data[0][i], "x");
      u.setCursor({ left, top: 1 }, true, false);
      const from = anchor_s === null ? -1 : columns.x.indexOf(anchor_s);
      const [first, last] = [Math.min(from, i), Math.max(from, i)];
      const [start, end] = from < 0 ? [0, 0] : [u.valToPos(columns.x[first], "x"), u.valToPos(columns.ends[last], "x")];
      u.setSelect({ left: start, width: end - start, top: 0, height: u.over.clientHeight }, false);
    }
    places.forEach((_place, which) => tell(which, i));
  }

  function leave() {
    at_s = anchor_s = null;
    for (const u of charts()) {
      u.setCursor({ left: -10, top: -10 }, true, false);
      u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    }
  }

  /** The buckets that the charts show: a part of all after a zoom. */
  function stretch() {
    const { columns: { x, ends }, view } = look();
    return [x.findIndex((t) => t >= view.from_s), ends.findLastIndex((t) => t <= view.to_s)];
  }

  function on_key(event) {
    const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
    const sight = look();
    if (ctrlKey || metaKey || altKey || sight === null) return;
    const [first, last] = stretch();
    const { columns } = sight;
    const i = at_s === null ? -1 : columns.x.indexOf(at_s);
    // Without a cursor, any move begins at the newest known bucket.
    const newest = Math.max(first, columns.completed.findLastIndex((value, at) => value !== null && at <= last));
    const to =
      { ArrowLeft: i - 1, ArrowRight: i + 1, PageUp: i - LEAP, PageDown: i + LEAP, Home: first, End: last }[key];
    if (key === "Enter" && anchor_s !== null && i >= 0) {
      const [from, until] = [Math.min(i, columns.x.indexOf(anchor_s)), Math.max(i, columns.x.indexOf(anchor_s))];
      const chosen = { from_s: columns.x[from], to_s: columns.ends[until] };
      leave();
      on_zoom(chosen);
    } else if (key === "Escape" && i >= 0) leave();
    else if (to === undefined) return;
    else {
      anchor_s = shiftKey && i >= 0 ? anchor_s ?? at_s : null;
      point(Math.min(last, Math.max(first, i < 0 && key !== "Home" && key !== "End" ? newest : to)));
    }
    // The page has other plans with these keys.
    event.preventDefault();
    event.stopPropagation();
  }

  places.forEach((place) => {
    place.onkeydown = on_key;
    place.onblur = () => at_s !== null && leave();
    place.onpointermove = ({ isTrusted }) => isTrusted && (at_s = anchor_s = null);
  });

  return {
    /** Follows a chart's cursor. */
    follow(u, which) {
      show_tip(u, which, u.cursor.left < 0 ? null : u.cursor.idx);
    },
    /** Goes closer to the whole buckets under a drag. */
    choose(u) {
      const { left, width } = u.select;
      if (width < 6) return;
      u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      const [from, to] = [left, left + width].map((px) => u.posToVal(px, "x"));
      const { x, ends } = look().columns;
      on_zoom({ from_s: x.findLast((t) => t <= from) ?? x[0], to_s: ends.find((t) => t >= to) ?? ends.at(-1) });
    },
    /** Shows other figures at the same place; a cursor that keys moved stays at its time. */
    refresh() {
      const i = at_s === null ? -1 : look().columns.x.indexOf(at_s);
      if (i >= 0) point(i);
      else charts().forEach((u, which) => this.follow(u, which));
    },
  };
}
