import {
  type CardWords,
  type ChartLine,
  type ChartWords,
  type DomainBoard,
  has_gaps,
  type Unit,
} from "../domains/mod.ts";
import { figure_of } from "../feed/mod.ts";
import { days_in } from "../kpi/mod.ts";

/** A board as a picture: its cards and its first chart as SVG, in light colours, of one size, that asks nobody for anything. Pure. */

/** What of the API's answer is drawn. */
export interface PicturedBoard {
  readonly from_s: number;
  readonly to_s: number;
  readonly step_s: number;
  readonly now_ms: number;
  readonly position: number;
  readonly currency: string;
  readonly compare: string;
  readonly filter: readonly {
    readonly dimension: string;
    readonly keys: readonly string[];
    readonly excluded: boolean;
  }[];
  readonly series: Readonly<Record<string, readonly (number | null)[]>> & { readonly t: readonly number[] };
  readonly cards: Readonly<Record<string, number | null>> | null;
  readonly breakdowns: readonly {
    readonly dimension: string;
    readonly rows: readonly Readonly<Record<string, unknown>>[];
  }[];
  readonly compared: Readonly<
    Record<string, { readonly since_s: number | null; readonly cards: Readonly<Record<string, number | null>> }>
  >;
}

const WIDTH = 960, HEIGHT = 600, EDGE = 24;
const CARD = { most: 8, of_row: 4, top: 84, width: 219, height: 80, gap: 12 };
const PLOT = { left: 84, right: WIDTH - EDGE, top: 318, bottom: 536 };
const COLOURS = { 1: "#0b6e6e", 2: "#b4571e", 3: "#56549c", 4: "#b677b1" } as const;
const INK = ["#1b1d1f", "#50554f", "#656a66"] as const;
const DECIMALS: Readonly<Record<Unit, number>> = { count: 0, money: 2, km: 1, min: 1, percent: 1 };

/** Text as XML has it: what is no character of XML is replaced, and nothing of it is read as a tag. */
export const xml_text = (text: string): string =>
  text.toWellFormed().replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    // What turns the direction of a line would turn what stands around it.
    .replaceAll(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A text of so many characters at most. */
const cut = (text: string, most: number): string => {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
};

interface Ink {
  readonly size: number;
  readonly ink?: typeof INK[number];
  readonly bold?: true;
  readonly anchor?: "middle" | "end";
}

const text = (x: number, y: number, words: string, { size, ink = INK[0], bold, anchor }: Ink): string =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${ink}"${bold ? ' font-weight="600"' : ""}${
    anchor === undefined ? "" : ` text-anchor="${anchor}"`
  }>${xml_text(words)}</text>`;

const number = (value: number | null, digits: number): string =>
  value === null
    ? "–"
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const clock = (s: number, time_zone: string, shape: "day" | "time" | "both"): string => {
  const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(s * 1_000)).toZonedDateTimeISO(time_zone);
  const day = at.toPlainDate().toString(), time = at.toPlainTime().toString({ smallestUnit: "minute" });
  return shape === "day" ? day : shape === "time" ? time : `${day} ${time}`;
};

/**
 * Draws a board.
 * @param due_us when the report was due
 * @param time_zone the business time zone, which times are told in
 */
export function draw_picture(
  board: DomainBoard,
  answer: PicturedBoard,
  { title, due_us, time_zone }: { readonly title: string; readonly due_us: number; readonly time_zone: string },
): string {
  const { from_s, to_s, filter, currency, now_ms, position, compare } = answer;
  const moment = (s: number) => clock(s, time_zone, "both");
  const filtered = filter.map(({ dimension, keys, excluded }) =>
    `${dimension} ${excluded ? "not " : ""}${keys.join(", ")}`
  );
  const range = `${moment(from_s)} to ${moment(to_s)}`;
  const then = compare === "previous" ? "the period before" : "the same weekdays before";
  const words = board.words.cards.slice(0, CARD.most).map((card, i) => card_parts(board, answer, card, i));
  const parts = [
    text(EDGE, 38, cut(`${title} · ${board.words.many}`, 80), { size: 20, bold: true }),
    text(EDGE, 62, cut([`${range}, ${time_zone}`, ...filtered].join("  ·  "), 130), { size: 13, ink: INK[1] }),
    ...words.flat(),
    ...chart_parts(board, answer, time_zone),
    text(
      EDGE,
      HEIGHT - 18,
      `as of ${moment(now_ms / 1_000)}, log position ${position}  ·  due ${
        moment(due_us / 1e6)
      }  ·  ${currency}  ·  then: ${then}`,
      { size: 11, ink: INK[2] },
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
    `role="img" font-family="system-ui, Inter, sans-serif">\n<title>${xml_text(`${title}, ${range}`)}</title>\n` +
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fffefb"/>\n${parts.join("\n")}\n</svg>\n`;
}

/** A card: what it is called, its figure, and the figure of then. */
function card_parts(board: DomainBoard, answer: PicturedBoard, words: CardWords, i: number): string[] {
  const { name, label, figure = name, top } = words;
  const x = EDGE + (i % CARD.of_row) * (CARD.width + CARD.gap);
  const y = CARD.top + Math.floor(i / CARD.of_row) * (CARD.height + CARD.gap);
  const card = board.cards.find((each) => each.name === figure);
  const unit = card === undefined || "now" in card ? "count" : figure_of(board, card.figure).unit;
  const told = (value: number | null) =>
    number(
      value,
      value !== null && value < 1_000
        ? words.small_digits ?? words.digits ?? DECIMALS[unit]
        : words.digits ?? DECIMALS[unit],
    );
  const { [answer.compare]: compared } = answer.compared;
  const before = compared === undefined || compared.since_s !== null ? null : compared.cards[figure] ?? null;
  const key = top === undefined ? null : answer.breakdowns.find(({ dimension }) => dimension === top[0])?.rows[0]?.key;
  const value = top === undefined ? told(answer.cards?.[figure] ?? null) : cut(`${key ?? "–"}`, 18);
  const beside = unit === "count" ? "" : unit === "money" ? answer.currency : unit === "percent" ? "%" : unit;
  return [
    `<rect x="${x}" y="${y}" width="${CARD.width}" height="${CARD.height}" rx="6" fill="#ffffff" stroke="#e2e0d8"/>`,
    text(x + 12, y + 21, cut(label, 24), { size: 12, ink: INK[1] }),
    ...beside === "" ? [] : [text(x + CARD.width - 12, y + 21, beside, { size: 12, ink: INK[2], anchor: "end" })],
    text(x + 12, y + 48, value, { size: 22, bold: true }),
    ...before === null || top !== undefined
      ? []
      : [text(x + 12, y + 68, `then ${told(before)}`, { size: 11, ink: INK[2] })],
  ];
}

/** The least of 1, 2, 5, 10, 20 … that is not below a value. */
function round_up(value: number): number {
  const ten = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * ten).find((each) => each >= value) ?? 10 * ten;
}

/** The first chart that has a column of the series, with those of its lines that are shown at first and its axes. */
function chart_parts(board: DomainBoard, answer: PicturedBoard, time_zone: string): string[] {
  const chart = board.words.charts.find((each): each is ChartWords => "lines" in each);
  if (chart === undefined) return [];
  const shown = chart.lines.filter((line) => line.shown === true && line.own === undefined);
  const lines = shown.length > 0 ? shown : chart.lines.slice(0, 1);
  const { from_s, to_s, series } = answer;
  const highest = Math.max(
    chart.least,
    1,
    ...lines.flatMap(({ name }) => series[name] ?? []).map((value) => value ?? 0),
  );
  const most = round_up(highest), wide = to_s - from_s;
  const x_of = (s: number) => round(PLOT.left + (PLOT.right - PLOT.left) * (s - from_s) / wide);
  const y_of = (value: number) => round(PLOT.bottom - (PLOT.bottom - PLOT.top) * value / most);
  const grid = [0, 1, 2, 3, 4].flatMap((i) => {
    const value = most * i / 4, y = y_of(value);
    return [
      `<path d="M${PLOT.left} ${y}H${PLOT.right}" stroke="${i === 0 ? "#a9a79f" : "#efede6"}"/>`,
      text(PLOT.left - 8, y + 4, number(value, most < 4 ? 2 : 0), { size: 11, ink: INK[2], anchor: "end" }),
    ];
  });
  const times = [0, 1, 2, 3, 4].map((i) => {
    const s = from_s + wide * i / 4, anchor = i === 0 ? {} : { anchor: i === 4 ? "end" : "middle" } as const;
    return text(x_of(s), PLOT.bottom + 18, clock(s, time_zone, wide > 3 * 86_400 ? "day" : "both"), {
      size: 11,
      ink: INK[2],
      ...anchor,
    });
  });
  const legend = lines.map((line, i) =>
    `<rect x="${PLOT.right - 110 * (lines.length - i)}" y="290" width="12" height="4" fill="${
      COLOURS[line.colour]
    }"/>` +
    text(PLOT.right - 110 * (lines.length - i) + 18, 296, cut(line.label ?? line.name, 14), { size: 12, ink: INK[1] })
  );
  const starts = bucket_starts(answer, time_zone);
  const drawn = lines.map((line) =>
    chart.kind === "bars" && lines.length === 1
      ? bars(line, answer, x_of, y_of)
      : line_path(board, line, answer, starts, (s, value) => `${x_of(s)} ${y_of(value)}`)
  );
  return [text(EDGE, 296, chart.title, { size: 14, bold: true }), ...legend, ...grid, ...times, ...drawn];
}

const round = (value: number): number => Math.round(value * 10) / 10;

function bars(
  { name, colour }: ChartLine,
  { series, step_s, to_s }: PicturedBoard,
  x_of: (s: number) => number,
  y_of: (value: number) => number,
): string {
  const path = series.t.flatMap((t, i) => {
    const value = series[name]?.[i] ?? 0, end = x_of(Math.min(t + step_s, to_s));
    return value > 0
      ? `M${x_of(t)} ${y_of(0)}V${y_of(value)}H${round(Math.max(end - 1, x_of(t) + 0.5))}V${y_of(0)}Z`
      : [];
  });
  return `<path d="${path.join("")}" fill="${COLOURS[colour]}"/>`;
}

/** When the buckets of a board begin, also those that nothing lies in; days of the time zone may be an hour longer or shorter. */
function bucket_starts({ from_s, to_s, step_s }: PicturedBoard, time_zone: string): number[] {
  const days = days_in(time_zone), starts: number[] = [];
  for (let s = from_s; s < to_s; s = step_s >= 86_400 ? days.day_of(s * 1e6).end_us / 1e6 : s + step_s) starts.push(s);
  return starts;
}

/** A line through the starts of buckets: those that nothing lies in are 0, or a gap where nothing has no figure. */
function line_path(
  board: DomainBoard,
  { name, colour }: ChartLine,
  { series, now_ms }: PicturedBoard,
  starts: readonly number[],
  point: (s: number, value: number) => string,
): string {
  const gap = has_gaps(board, name);
  const known = new Map(series.t.map((t, i) => [t, series[name]?.[i] ?? null]));
  let path = "", drawing = false;
  for (const s of starts) {
    // What is yet to come is not 0.
    if (s * 1_000 > now_ms) break;
    const value = known.get(s) ?? (gap ? null : 0);
    if (value !== null) path += `${drawing ? "L" : "M"}${point(s, value)}`;
    drawing = value !== null;
  }
  return `<path d="${path}" fill="none" stroke="${
    COLOURS[colour]
  }" stroke-width="2" stroke-linejoin="round" stroke-linecap="round"/>`;
}
