/** What is kept of a log, and where: archives of its beginning, backups of all of it, and which cells go. */
export { archive_attach_verb, archive_list_verb, archive_make_verb, verify_archive_verb } from "./archive.ts";
export { backup_verb, restore_verb } from "./backup.ts";
export { CellRemoval } from "./removal.ts";
