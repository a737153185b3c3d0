/** The board declaration, as the feed and those above it name it. */
export type { BoardBreakdown, BoardFigure, DomainBoard } from "../domains/mod.ts";
