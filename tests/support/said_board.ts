import { board_data } from "../../src/feed/mod.ts";
import type { DomainBoard } from "../../src/domains/mod.ts";
import type { ShownBoard } from "../../src/feed/figures/mod.ts";

type Columns = Readonly<Record<string, readonly (number | null)[] | string | number>>;

/** What is said of a board, but for what the past does not have: marks of late corrections, buckets that were taken back to nothing. */
export function said_board(shown: ShownBoard, board: DomainBoard, time_zone: string): Record<string, unknown> {
  const { log_id: _, computed: __, currencies: ___, ...data } = board_data(
    shown,
    { time_zone, currency: "USD", board },
    0,
  );
  return {
    ...data,
    series: without_nothing(data.series as Columns),
    compared_series: without_nothing(data.compared_series as Columns),
  };
}

function without_nothing({ revised_ms: _, name, shift_s, ...columns }: Columns): unknown {
  const { t, ...figures } = columns as Record<string, (number | null)[]>;
  const kept = t!.flatMap((_, i) =>
    Object.values(figures).some((column) => column[i] !== 0 && column[i] !== null) ? [i] : []
  );
  return [
    name,
    shift_s,
    Object.entries({ t, ...figures }).map(([name, column]) => [name, kept.map((i) => column![i])]),
  ];
}
