-- States as of a position: which streams have events on both sides of it. Few do, and no range of one column finds them. The log is cut into
-- blocks of 65,536 positions: a stream of one block is found through the events of that block, this index has the others, a trip in twenty or so.
do $$
declare states name;
begin
  for states in select relname from pg_class where relnamespace = current_schema()::regnamespace
    and relkind = 'r' and relname in ('trips', 'trades', 'transactions')
  loop
    execute format(
      'create index %I on %I ((positions[cardinality(positions)]), (positions[1]))
        where (positions[1] >> 16) <> (positions[cardinality(positions)] >> 16)', states || '_spanning_idx', states);
  end loop;
end $$;
