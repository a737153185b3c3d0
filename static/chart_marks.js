import { dots_of } from "./beyond.js";
import { colour, type_px } from "./charts.js";
import { format_clock, format_day, format_short } from "./format.js";
import { format_notes, is_past, notes_of, parse_limits, tell_limits } from "./marks.js";
import { by_id, declared, make, plain, set_text } from "./page.js";
import { shown_lines } from "./readout.js";

/** Over the charts: limits and notes of the reader, with a sentence and a list of them, and since when something is unusual. */

const sentence = make("p", "limits_state");
sentence.role = "status";
const list = make("ul", "notes");
list.ariaLabel = "Notes";

/** What is drawn, and what of it the reader put there. */
let sight = null, read = null, limits = [], notes = [], parts = null;
/** The limits of the lines that chart `i` shows, with those lines: per bucket, so that none are drawn where points are of more. */
const in_chart = (i) =>
  (sight.rolling ? [] : limits).flatMap((limit) => {
    const line = shown_lines(declared.charts[i], sight).find(({ column }) => column === limit.name);
    return line === undefined ? [] : [{ ...limit, line }];
  });

/** What is unusual in what chart `i` shows; the first shows what has no line of its own. */
const unusual_in = (i) => {
  const at = (figure) => declared.charts.findIndex(({ lines }) => lines.some(({ name }) => name === figure));
  return sight.unusual.filter(({ figure }) => Math.max(0, at(figure)) === i);
};

/** Puts the sentence and the list on the page, and the lines on the charts. */
export function start(given) {
  parts = given;
  document.querySelector(".context").after(sentence);
  by_id("chart_tools").before(list);
}

/** What the charts ask for, see `mark_with` of charts.js. */
const marks = {
  // A limit far above the figures would press them flat: it stays out of sight.
  top(i, high) {
    const highest = Math.max(0, ...in_chart(i).map(({ value }) => value));
    return highest <= 3 * Math.max(4, high) ? highest * 1.08 : 0;
  },
  room: (i) => i === 0 && notes.length > 0 ? 13 + type_px() : 8,
  paint: paint_marks,
};

/** Says how the limits stand, and lists the notes in sight. */
export function show(next) {
  const { address, zone, now_ms, unusual, saved_notes } = sight = next;
  const kept = saved_notes.map(({ id }) => id);
  const texts = [...address.limits, "", ...address.notes, kept, unusual.length > 0].join("\n");
  if (texts !== read) {
    [read, limits] = [texts, parse_limits(address.limits, declared)];
    notes = notes_of(sight);
    parts.charts.mark_with(marks);
  }
  sentence.hidden = limits.length === 0;
  const told = tell_limits(limits, sight, (s) => format_minute(s * 1000, zone, now_ms));
  sentence.classList.toggle("over", told.past);
  set_text(sentence, sentence.hidden ? "" : told.text);
  list.hidden = notes.length === 0;
  const time = ({ at_ms }) => format_minute(at_ms, zone, now_ms);
  const wanted = notes.map((note) => `${time(note)} ${note.text} ${note.id ?? ""}`);
  if ([...list.children].map((row) => row.dataset.note).join("\n") === wanted.join("\n")) return;
  list.replaceChildren(...notes.map((note, i) => {
    const remove = make("button", "remove", "×");
    remove.ariaLabel = plain(`Remove the note ${JSON.stringify(note.text)}`);
    remove.onclick = () =>
      parts.go({ notes: format_notes(notes.filter((each) => each.by === undefined && !is_same(each, note))) });
    const row = make(
      "li",
      "",
      make("span", "time", time(note)),
      make("span", "", note.text),
      // What is for all goes in the dialog, by name.
      note.by === undefined ? remove : make("span", "sub", note.by),
    );
    row.dataset.note = wanted[i];
    return row;
  }));
}

/** Notes are read anew while their rows stay. */
const is_same = (a, b) => a.at_ms === b.at_ms && a.text === b.text;

// "10:31" today, "Fri 21 Nov, 10:31" on another day.
function format_minute(ms, zone, now_ms) {
  const day = format_day(ms, zone, now_ms);
  return `${day === format_day(now_ms, zone, now_ms) ? "" : `${day}, `}${format_clock(ms, zone)}`;
}

function paint_marks(u, which) {
  const { columns, view } = sight;
  const { ctx, bbox } = u;
  const dot = dots_of(u);
  const font = `${type_px() * dot}px system-ui, Inter, sans-serif`;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height);
  ctx.clip();
  for (const limit of in_chart(which)) paint_limit(u, limit, columns, dot, font);
  const seen = notes.filter(({ at_ms }) => at_ms / 1000 >= view.from_s && at_ms / 1000 <= view.to_s);
  paint_notes(u, seen, which === 0, dot, font);
  paint_unusual(u, unusual_in(which), dot, font);
  ctx.restore();
}

function paint_limit(u, limit, columns, dot, font) {
  const { ctx, bbox } = u;
  const ink = colour(limit.line.token);
  const y = Math.round(u.valToPos(limit.value, "y", true)) + 0.5;
  const outside = y < bbox.top;
  const text = `${limit.name} ${limit.sign} ${format_short(limit.value, 10_000)}${outside ? " ↑" : ""}`;
  Object.assign(ctx, { strokeStyle: ink, fillStyle: ink, lineWidth: 1.2 * dot, font, textAlign: "right" });
  if (!outside) {
    ctx.setLineDash([7 * dot, 4 * dot]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  const panel = colour("--panel");
  columns[limit.name].forEach((value, i) => {
    if (!is_past(limit, value, i === columns.running)) return;
    ring(ctx, u.valToPos(u.data[0][i], "x", true), u.valToPos(value, "y", true), dot, ink, panel);
  });
  const right = bbox.left + bbox.width - 4 * dot;
  const base = outside ? bbox.top + 10 * dot : Math.max(y - 5 * dot, bbox.top + 9 * dot);
  label(ctx, text, right, base, dot, colour("--ink-2"), panel);
}

function ring(ctx, x, y, dot, ink, panel) {
  ctx.beginPath();
  ctx.arc(x, y, 2.6 * dot, 0, 2 * Math.PI);
  Object.assign(ctx, { fillStyle: panel, strokeStyle: ink, lineWidth: 1.4 * dot });
  ctx.fill();
  ctx.stroke();
}

// The ground around letters keeps them legible over lines.
function label(ctx, text, x, y, dot, ink, panel) {
  Object.assign(ctx, { strokeStyle: panel, lineWidth: 4 * dot, lineJoin: "round" });
  ctx.strokeText(text, x, y);
  ctx.fillStyle = ink;
  ctx.fillText(text, x, y);
}

function paint_notes(u, notes, labelled, dot, font) {
  const { ctx, bbox } = u;
  const [ink, line] = [colour("--ink-2"), colour("--ink-3", 0.7)];
  const right = bbox.left + bbox.width;
  const x_of = ({ at_ms }) => Math.round(u.valToPos(at_ms / 1000, "x", true)) + 0.5;
  Object.assign(ctx, { font, textAlign: "left", fillStyle: ink, strokeStyle: line, lineWidth: dot });
  notes.forEach((note, i) => {
    const x = x_of(note);
    ctx.setLineDash([1.5 * dot, 3 * dot]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top - (labelled ? type_px() * dot : 0));
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    if (!labelled) return;
    // A name ends before the next note begins; the last one ends at the edge.
    const room = (notes[i + 1] === undefined ? right : x_of(notes[i + 1])) - x - 10 * dot;
    ctx.fillText(shorten(ctx, plain(note.text), room), x + 5 * dot, bbox.top - 7 * dot);
  });
}

/** A bar at the top for each, from when it is unusual on, with what it is about: all at the same height, so the first has the word. */
function paint_unusual(u, items, dot, font) {
  const { ctx, bbox } = u;
  const { from_s, to_s } = sight.view;
  items.filter((item) => item.to_s > from_s && item.from_s < to_s).forEach((item, i) => {
    const [left, right] = [item.from_s, item.to_s].map((s) =>
      u.valToPos(Math.min(Math.max(s, from_s), to_s), "x", true)
    );
    const ink = colour(item.more ? "--s1" : "--s2");
    Object.assign(ctx, { fillStyle: ink, font, textAlign: "right" });
    ctx.fillRect(left, bbox.top - 5 * dot, Math.max(right - left, 2 * dot), 3 * dot);
    if (i > 0) return;
    const others = items.length > 1 ? ` and ${items.length - 1} more` : "";
    const text = shorten(ctx, plain(`${item.more ? "▴" : "▾"} ${item.name}${others}`), right - bbox.left);
    label(ctx, text, right, bbox.top + type_px() * dot, dot, ink, colour("--panel"));
  });
}

function shorten(ctx, text, room) {
  if (ctx.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 0 && ctx.measureText(`${text.slice(0, length)}…`).width > room) length--;
  return length < 3 ? "" : `${text.slice(0, length).trimEnd()}…`;
}
