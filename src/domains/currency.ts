import type { DomainBoard, DomainTables } from "./board.ts";

/** Boards of a domain by currency: each reads the rows of one and no others, whoever asks what of it. */

/** The board of a currency, of a domain by currency; of any other the board as it is. Its tables want a name after them, and are planned as those that they are rows of. */
export function in_currency(board: DomainBoard, currency: string | undefined): DomainBoard {
  if (board.by_currency === undefined || currency === undefined) return board;
  // It becomes a part of statements.
  if (!/^[A-Z]{3}$/.test(currency)) {
    throw new Error(`show a board: expected a currency, got ${JSON.stringify(currency)}`);
  }
  const names = table_names(board);
  const rows = (table: string) => rows_of(currency, table);
  const { states, cells, totals, sketches } = names;
  const tables = {
    states: rows(states),
    cells: rows(cells),
    totals: totals && rows(totals),
    sketches: sketches && rows(sketches),
  };
  return { ...board, currency, names, tables };
}

/** The rows of a currency, which want a name after them. */
export const rows_of = (currency: string, table: string): string =>
  `(select * from ${table} where currency = '${currency}')`;

/** The names of a board's tables. */
export const table_names = ({ names, tables }: Pick<DomainBoard, "names" | "tables">): DomainTables => names ?? tables;

/** The tables that are exchanged for others of the same name when another read model is switched in. */
export function model_tables(of: Pick<DomainBoard, "names" | "tables">): string[] {
  const { cells, totals, sketches } = table_names(of);
  return [cells, totals, sketches].filter((table) => table !== null);
}
