import { compared_name, shows_compared } from "./address.js";
import { format_clock, format_count, format_day, format_decimal, format_moment, zone_offset_s } from "./format.js";
import { shown_keys } from "./keyed.js";
import { parse_notes } from "./marks.js";
import { make, plain } from "./page.js";
import { follow_fingers } from "./touch.js";

/** What the cursor points at, in words, by pointer and by keys. A focused chart is a slider over time: its value is read aloud. */

const LEAP = 10;
const DAY_S = 86_400;

/** How the values of a chart's lines are written: of money with decimals. Pure. */
export function format_of({ money }) {
  return money ? (value) => format_decimal(value, 2) : format_count;
}

/** The lines of a chart that are in sight: [{name, column, token}]. Pure. */
export function shown_lines(chart, sight) {
  if (chart.by) return shown_keys(chart, sight);
  const { lines } = chart;
  const shown = lines.length === 1 ? lines : lines.filter(({ name }) => sight.lines.includes(name));
  return shown.map(({ name, label = name, colour, own }) => ({
    name: label,
    column: name,
    token: `--s${colour}`,
    ...own ? { format: (value) => `${format_decimal(value, 1)} ${own}` } : {},
  }));
}

/** The rows of a bucket's readout on a chart: [{name, token, text}]. */
function rows_of(sight, which, i) {
  const { declared, columns, currency, address } = sight;
  const chart = declared.charts[which];
  const told = (name, token, column, format = format_of(chart)) => ({
    name,
    token,
    text: column[i] === null ? "–" : format(column[i]),
  });
  const rows = shown_lines(chart, sight).map(({ name, column, token, format }) =>
    told(chart.money && !chart.by ? currency : name, token, columns[column], format)
  );
  if (chart.compared && shows_compared(sight)) {
    rows.push(told(compared_name(address.compare), "--ink-3", columns[`compared_${chart.compared}`]));
  }
  return rows;
}

function head_of({ columns, zone, now_ms, rolling }, i) {
  const [from_s, to_s] = [columns.x[i], columns.ends[i]];
  const day = format_day(from_s * 1000, zone, now_ms);
  const bucket = rolling
    ? `${rolling}, to ${format_clock(to_s * 1000, zone)}`
    : format_bucket(from_s, to_s, zone, now_ms);
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
    const newest = Math.max(
      first,
      columns[sight.declared.series[0]].findLastIndex((value, at) => value !== null && at <= last),
    );
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

  places.forEach((place, which) => {
    follow_fingers(place, {
      chart: () => charts()[which],
      look,
      on_zoom,
      point(px) {
        if (px === null) return leave();
        for (const u of charts()) u.setCursor({ left: px, top: 1 }, true, false);
      },
    });
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

/** "10:30 – 10:35"; a day or more: "Sun 8 Mar"; where clocks go back, with the offset, for the same times come twice. Pure. */
export function format_bucket(from_s, to_s, zone, now_ms) {
  const clock = (s) => format_clock(s * 1000, zone);
  const day = format_day(from_s * 1000, zone, now_ms);
  if (to_s - from_s > DAY_S / 2) {
    // Days are the business zone's: elsewhere they do not begin at midnight.
    return clock(from_s) === "00:00"
      ? day
      : `${day}, ${clock(from_s)} – ${format_day(to_s * 1000, zone, now_ms)}, ${clock(to_s)}`;
  }
  return `${clock(from_s)} – ${clock(to_s)}${comes_twice(from_s, zone) ? ` (${format_offset(from_s, zone)})` : ""}`;
}

/** Whether the clock shows the same time once more, shortly before or after. Pure. */
export function comes_twice(t_s, zone) {
  const offset_s = zone_offset_s(t_s, zone);
  return [-7_200, 7_200].some((away_s) => {
    const change_s = zone_offset_s(t_s + away_s, zone) - offset_s;
    return change_s !== 0 && zone_offset_s(t_s - change_s, zone) - offset_s === change_s;
  });
}

/** "UTC−05:00". */
export function format_offset(t_s, zone) {
  const offset_s = zone_offset_s(t_s, zone);
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const size = Math.abs(offset_s);
  return `UTC${offset_s < 0 ? "−" : "+"}${two(size / 3_600)}:${two(size % 3_600 / 60)}`;
}
