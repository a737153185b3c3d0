/** The board declaration, as the feed and those above it name it. */
export type {
  BoardBreakdown,
  BoardCard,
  BoardFigure,
  DomainBoard,
  QuantileFigure,
  StateFact,
  SummedFigure,
} from "../domains/mod.ts";
