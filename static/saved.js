import { field, form, input, open_dialog, person_field, refill, server_ms } from "./dialog.js";
import { format_moment } from "./format.js";
import { declared, make, plain, set_text } from "./page.js";
import { read_api } from "./troubles.js";

/** What readers saved for all who look at a board: views with a name, and notes in the charts. */

const AGAIN_MS = 60_000;
/** The notes of the stretch that was asked for last, and when. */
let notes = [], asked = "", asked_ms = -Infinity, draw_soon;

/** The notes for all at the stretch in sight, oldest first: {id, at_ms, text, by, saved_ms}. They are asked for once a minute, and for another stretch. */
export function notes_in_sight(page) {
  const { from_s, to_s } = page.sight.view, now_ms = performance.now();
  const query = `from=${time_of(from_s)}&to=${time_of(to_s)}`;
  if (query !== asked || now_ms - asked_ms > AGAIN_MS) {
    [asked, asked_ms, draw_soon] = [query, now_ms, page.draw_soon];
    read_notes(query);
  }
  return notes.filter(({ at_ms }) => at_ms >= from_s * 1_000 && at_ms < to_s * 1_000);
}

const time_of = (s) => new Date(s * 1_000).toISOString();

async function read_notes(query) {
  const { said } = await read_api(`notes?${query}`);
  if (said === undefined || query !== asked) return;
  notes = said.notes.map(({ at, saved_at, ...note }) => ({
    ...note,
    at_ms: Date.parse(at),
    saved_ms: Date.parse(saved_at),
  })).reverse();
  draw_soon();
}

/** Puts a note for all, or removes one by its id; gives what went wrong, or undefined. */
export async function change_note({ id, at_ms, text, by }) {
  const { failed } = id === undefined
    ? await read_api("notes", { at: new Date(at_ms).toISOString(), text, by })
    : await read_api(`notes/${id}/remove`, { by });
  asked_ms = -Infinity;
  draw_soon?.();
  return failed;
}

/** All views, [{name, query, by, saved_at}], or none where they cannot be read. */
export const read_views = async () => (await read_api("views")).said?.views ?? [];

/** What the address of this view has behind its question mark: all of it but the reader's own theme. Pure but for where it is. */
function own_query() {
  const params = new URLSearchParams(location.search);
  params.delete("theme");
  return params.toString();
}

/** Goes to a saved view. */
export function go_to(page, query) {
  history.pushState(null, "", `${location.pathname}${query === "" ? "" : `?${query}`}`);
  page.need("actions", ({ come_back }) => come_back(page));
}

/** Opens the dialog of views: those that are saved, and how this one is. */
export function open_views(page) {
  const list = make("ul", "set rules"), fault = Object.assign(make("p", "fault"), { role: "alert" });
  const person = person_field();
  const name = input({ type: "text", maxLength: 80, required: true, autofocus: true, autocomplete: "off" });
  const link = make("button", "plain", "Copy the link to this view");
  link.onclick = async () => {
    const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    link.textContent = copied ? "Copied" : "Copy it from the browser's address";
  };
  const add = form(save, "Save this view", field("Name", name), person.element);
  add.classList.add("wide");
  const said =
    "A view is what the address says: range, filter, comparison, zone, limits and notes. Whoever opens this board finds it by its name.";
  const dialog = open_dialog("Views", make("p", "sub", said), list, add, fault, make("p", "line", link));
  dialog.classList.add("alerts");

  async function save() {
    const by = person.named();
    if (by === null) return;
    const { failed } = await read_api("views", { name: name.value, query: own_query(), by, fresh: true });
    set_text(fault, failed === undefined ? "" : `${failed}.`);
    if (failed === undefined) name.value = "";
    show();
  }

  async function remove(view) {
    const by = person.named();
    if (by === null) return;
    const { failed } = await read_api(`views/${encodeURIComponent(view.name)}/remove`, { by });
    set_text(fault, failed === undefined ? "" : `${failed}.`);
    show();
  }

  async function show() {
    const { said, failed } = await read_api("views");
    if (failed !== undefined) return set_text(fault, `${failed}.`);
    add.hidden = !said.writable;
    const zone = page.zone();
    refill(
      list,
      ...said.views.map((view) => {
        const open = make("button", "link", make("bdi", "", view.name)), away = make("button", "plain", "Remove");
        open.onclick = () => {
          dialog.close();
          go_to(page, view.query);
        };
        away.ariaLabel = plain(`Remove the view ${view.name}`);
        away.onclick = () => remove(view);
        const told = make(
          "small",
          "",
          `by ${view.by}, ${format_moment(Date.parse(view.saved_at), zone, server_ms(page.board))}`,
        );
        return make("li", "", make("span", "", open, told), ...said.writable ? [away] : []);
      }),
    );
    if (said.views.length === 0) {
      list.append(make("li", "", make("span", "", `No views of ${declared.many} saved yet`)));
    }
  }

  show();
}
