import { format_count, format_decimal, format_moment, format_window } from "./format.js";
import { stream_href } from "./greatest.js";
import { declared, dimension_of, key_words, make, plain } from "./page.js";

/** Tables of single streams: those that a figure is made of, and those that lie far from their own kind. */

/** A link to a stream's page, as of what a list says. */
function link_to(id, said, address) {
  const link = make("a", "", make("bdi", "", id));
  link.href = stream_href(declared.path, { id, as_of_position: said.position }, address);
  link.title = plain(`${declared.one} ${id}: its events, and the proof`);
  return link;
}

/** The stretch that an answer is of, in words. */
export const window_of = ({ from, to }, zone, now_ms) =>
  format_window({ from_s: Date.parse(from) / 1_000, to_s: Date.parse(to) / 1_000 }, zone, now_ms);

/** What a figure is made of, as a table of a list. */
export function items_table(said, page, label_of) {
  const { list, digits, many } = declared, { address, zone, sight } = page;
  const now_ms = sight?.now_ms ?? Date.now(), decimals = digits[said.figure] ?? 0;
  const text = (value) => format_decimal(Number(value), decimals);
  const columns = list.columns.filter(({ minor }) => !minor);
  const means = said.over !== null;
  const rows = said.items.map(({ id, at, value, over, line }) => {
    const exact = make("span", "", text(value));
    exact.title = value;
    return [
      link_to(id, said, address),
      exact,
      ...means ? [format_count(over)] : [],
      format_moment(Date.parse(at), zone(), now_ms),
      ...columns.map(({ key, number, digits }) => {
        const cell = line[key ?? number] ?? null;
        return cell === null
          ? "–"
          : key
          ? make("bdi", "", key_words(dimension_of(declared, key), `${cell}`))
          : format_decimal(cell, digits);
      }),
    ];
  });
  const all = `${format_count(said.total_items)} ${many}`;
  const window = window_of(said, zone(), now_ms);
  const made = means
    ? `${said.value === null ? "–" : format_decimal(Number(said.value), decimals)} is ${text(said.sum)} over ${
      format_count(said.over)
    }, of ${all}`
    : `${text(said.sum)} is what ${all} add up to`;
  return {
    told: `${label_of(said.figure)} ${made}; ${window}, as of log position ${format_count(said.position)}.`,
    sorted: page.address.list.sort ?? "-value",
    columns: [
      { title: declared.one },
      { title: "adds", sort: "value", number: true },
      ...means ? [{ title: "over", number: true }] : [],
      { title: "time", sort: "time" },
      ...columns.map(({ label, number }) => ({ title: label, number: number !== undefined })),
    ],
    rows,
  };
}

/** What lies far from its own kind, as a table of a list: each with the reason in words. */
export function unusual_table(said, page) {
  const { address, zone, sight } = page, now_ms = sight?.now_ms ?? Date.now(), { many, one } = declared;
  const rows = said.items.map(({ id, at, times, says }) => [
    link_to(id, said, address),
    make("bdi", "", says),
    times < 0.1 ? "<0.1" : format_decimal(times, 1),
    format_moment(Date.parse(at), zone(), now_ms),
  ]);
  const days = (Date.parse(said.from) - Date.parse(said.usual_from)) / 86_400_000;
  const found = said.found_items === 0 ? `No unusual ${many}` : `${format_count(said.found_items)} unusual`;
  return {
    told: `${found}, the most unusual first; of ${format_count(said.values)} values, ${
      window_of(said, zone(), now_ms)
    }, as of log position ${format_count(said.position)}. What is usual is of the ${days} days before. ${
      said.reason ?? ""
    }`,
    sorted: "",
    columns: [{ title: one }, { title: "why" }, { title: "× median", number: true }, { title: "time" }],
    rows,
  };
}
