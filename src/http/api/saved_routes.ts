import { z } from "@hono/zod-openapi";
import type { Database } from "../../database/mod.ts";
import { shown } from "../../domains/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import { MOST_SAVED, put_note, put_view, read_notes, read_views, remove_note, remove_view } from "../../saved/mod.ts";
import { not_found, respond } from "../answers.ts";
import { add_change, add_endpoint, type App, BY, change_bodies, conflict } from "../endpoint.ts";
import { instant, limit } from "../parameters.ts";
import { read_only } from "../reading.ts";

/** What readers of a board save for all. */
export interface SavedSource {
  readonly database: Database;
  /** What is written to; null: this program only reads. */
  readonly saved: Database | null;
}

const NAME = z.string({ error: "expected a name, as text" }).trim()
  .min(1, "expected a name").max(80, "expected at most 80 characters");
const QUERY = z.string({ error: "expected what the board's address has behind its question mark" })
  .max(4_000, "expected at most 4,000 characters")
  .regex(/^[\x21-\x7e]*$/, "expected a query as addresses have it: letters of ASCII, without spaces")
  .refine((text) => !/^[?#]|#/.test(text), "expected a query without its question mark and without a hash");
const TEXT = z.string({ error: "expected a note, as text" }).trim()
  .min(1, "expected a note").max(120, "expected at most 120 characters");
const VIEWS = z.object({
  views: z.array(z.object({ name: z.string(), query: z.string(), by: z.string(), saved_at: z.string() })),
  writable: z.boolean().describe("Whether views can be saved here"),
}).openapi("SavedViews");
const NOTES = z.object({
  notes: z.array(z.object({ id: z.number(), at: z.string(), text: z.string(), by: z.string(), saved_at: z.string() }))
    .describe("The latest first"),
  writable: z.boolean().describe("Whether notes can be put here"),
}).openapi("SavedNotes");

const json = (body: unknown): Response =>
  respond(JSON.stringify(body), { "content-type": "application/json", "cache-control": "no-store" });

/** Adds `/api/v1/views` and `/api/v1/notes`: what readers saved for all, with who and when; and how that is saved and removed. */
export function add_saved_routes(app: App, source: SavedSource): void {
  const writes = { database: source.saved, bodies: change_bodies() }, writable = source.saved !== null;
  add_endpoint(app, {
    path: "/api/v1/views",
    summary: "Views of the board that readers saved for all: each with its name, its address, who saved it and when",
    query: {},
    params: {},
    answer: { type: "application/json", schema: VIEWS },
    respond: async () => {
      const views = await read_only(source.database, read_views);
      return json({
        views: views.map(({ saved_us, ...view }) => ({ ...view, saved_at: format_time(saved_us) })),
        writable,
      });
    },
  });
  add_change(app, writes, {
    path: "/api/v1/views",
    summary: "Save a view, or another one of its name, and who saves it",
    schema: z.strictObject({
      name: NAME,
      query: QUERY,
      by: BY,
      fresh: z.boolean().default(false).describe("Whether a view of that name is left as it is"),
    }),
    answer: z.object({ name: z.string() }),
    others: { 409: "There is a view of that name, or there are as many as there may be" },
    work: async (database, { fresh, ...view }) => {
      const outcome = await database.transaction((tx) => put_view(tx, view, fresh));
      if (outcome === "exists") return conflict(`there is a view ${shown(view.name)}: take another name`);
      if (outcome === "too many") return conflict(`there are ${MOST_SAVED.views} views, as many as there may be`);
      return json({ name: view.name });
    },
  });
  add_change(app, writes, {
    path: "/api/v1/views/{name}/remove",
    summary: "Remove a saved view",
    schema: z.strictObject({ by: BY }),
    answer: z.object({ name: z.string() }),
    others: { 404: "There is no such view" },
    work: async (database, _, { name = "" }) => {
      const outcome = await database.transaction((tx) => remove_view(tx, name));
      return outcome === "absent" ? not_found(`no view ${shown(name)}`) : json({ name });
    },
  });
  add_endpoint(app, {
    path: "/api/v1/notes",
    summary: "Notes at moments of event time that readers put for all, with who and when",
    query: { from: instant, to: instant, limit: limit(500, 100) },
    params: {},
    answer: { type: "application/json", schema: NOTES },
    respond: async ({ from, to, limit }) => {
      const asked = { from_us: from, to_us: to, limit };
      const notes = await read_only(source.database, (reading) => read_notes(reading, asked));
      return json({
        notes: notes.map(({ id, at_us, text, by, saved_us }) => (
          { id, at: format_time(at_us), text, by, saved_at: format_time(saved_us) }
        )),
        writable,
      });
    },
  });
  add_change(app, writes, {
    path: "/api/v1/notes",
    summary: "Put a note at a moment, and who puts it",
    schema: z.strictObject({ at: instant, text: TEXT, by: BY }),
    answer: z.object({ id: z.number() }),
    others: { 409: "There are as many as there may be" },
    work: async (database, { at, text, by }) => {
      const id = await database.transaction((tx) => put_note(tx, { at_us: at, text, by }));
      return id === null ? conflict(`there are ${MOST_SAVED.notes} notes, as many as there may be`) : json({ id });
    },
  });
  add_change(app, writes, {
    path: "/api/v1/notes/{id}/remove",
    summary: "Remove a note",
    schema: z.strictObject({ by: BY }),
    answer: z.object({ id: z.number() }),
    others: { 404: "There is no such note" },
    work: async (database, _, { id = "" }) => {
      if (!/^[1-9]\d{0,14}$/.test(id)) return not_found(`no note ${shown(id)}`);
      const outcome = await database.transaction((tx) => remove_note(tx, Number(id)));
      return outcome === "absent" ? not_found(`no note ${id}`) : json({ id: Number(id) });
    },
  });
}
