import type { Board, Reading, Series, ShownBoard, Watched } from "./board.ts";
import type { DomainBoard } from "./domain_board.ts";
import type { LaneState } from "./lane.ts";
import { sources_of } from "./source.ts";

/**
 * Joins what was read of a view in both lanes into what its subscribers are shown. Pure.
 * @returns null while there is nothing to show: its cells have not been read, or the slow lane has not tried it and is waited for
 */
export function shown_board(
  declared: DomainBoard,
  { view, window }: Watched,
  reading: Reading,
  cells: Board | null,
  lane: LaneState | null,
  wait: boolean,
): ShownBoard | null {
  const { filter } = view;
  const sources = sources_of(declared, filter, window.grain);
  if (sources.cards === "cells" && cells === null) return null;
  if (wait && filter.length > 0 && lane?.tried !== true) return null;
  const figures = lane?.figures?.log_id === reading.log_id ? lane.figures : null;
  const own = cells ?? figures?.own ?? null;
  const position = cells === null && figures !== null ? figures.position : reading.position;
  const selected = figures?.lines ?? null;
  return {
    view,
    position,
    known: own !== null,
    window: own?.window ?? window,
    series: own?.series ?? empty_series(declared),
    changed_at: own?.changed_at ?? [],
    cards: { ...own?.cards ?? unknown_cards(declared), ...figures?.cards },
    breakdowns: [...cells?.breakdowns ?? [], ...figures?.breakdowns ?? []],
    lines: filter.length === 0 ? reading.lines : selected?.list ?? [],
    lines_at: filter.length === 0 ? reading.position : selected?.changed_at ?? -1,
    sources,
    states: figures === null ? null : { position: figures.position, read_ms: figures.read_ms },
    failed: lane?.failed ?? figures?.missing ?? null,
    compared: lane?.compared?.log_id === reading.log_id ? lane.compared : null,
    version: lane?.version ?? 0,
    compared_version: lane?.compared_version ?? 0,
  };
}

const unknown_cards = ({ cards }: DomainBoard): ShownBoard["cards"] =>
  Object.fromEntries(cards.map(({ name }) => [name, null]));

const empty_series = ({ series }: DomainBoard): Series => ({
  ...Object.fromEntries([...series, "revised_ms"].map((name) => [name, []])),
  t: [],
});
