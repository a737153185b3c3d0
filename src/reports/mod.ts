/**
 * Reports: a table or a picture of a board that is sent to a server at set times of the business day.
 *
 * What holds: a report's range is that of the time at which it was due, its figures are those of when it was made, soon after. Each is delivered once or
 * more, by one id, with the same body; of several programs one's is sent. Of an outage, of tacho or of whoever gets it, the last that came due is sent
 * alone. What was due before a report was first seen is not sent.
 *
 * Decision: what is sent is what the API answers, and is kept in the database from when it is made until it is settled, so that every try sends the same.
 * Price: one body a report, of 8 MiB at most.
 */
export { due_around } from "./due.ts";
export { make_report, ReportKeeper, type ReportSource, type ReportsStanding } from "./keeper.ts";
export { read_reports_file, read_reports_of, type Report, type ReportsFile } from "./report.ts";
