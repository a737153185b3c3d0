-- Sketches of the amounts of captured payments, by currency, from which percentiles are told. Those of the payments that are there already are
-- filled in piece by piece when all migrations are applied.

create table transaction_sketches (
  grain text collate "C" not null,
  bucket timestamptz not null,
  dimension text collate "C" not null,
  currency text collate "C" not null,
  key text collate "C" not null,
  sketch text collate "C" not null,
  bins smallint[] not null,
  counts integer[] not null,
  constraint transaction_sketches_pkey primary key (grain, dimension, currency, bucket, key, sketch),
  constraint transaction_sketches_grain_is_known check (grain in ('1m', '5m', '1h', '1d')),
  constraint transaction_sketches_bins_have_counts check (cardinality(bins) = cardinality(counts)),
  constraint transaction_sketches_counts_are_positive check (0 < all (counts))
) with (fillfactor = 70);
comment on table transaction_sketches is 'How the amounts (micros of the currency) of the payments captured in a bucket are distributed: bins, ascending, and how many values each holds. Bin 0 holds zero, bin b the integers in (g^(b-2), g^(b-1)], g = 51/49; 0.98 * g^(b-1) is within 2 % of each. unnest(bins, counts) makes rows, quantile(bins, counts, q) tells a percentile.';
comment on column transaction_sketches.grain is 'Width of the bucket: 1m, 5m, 1h, 1d (a business day). A query has to name one, or it counts payments several times.';
comment on column transaction_sketches.bucket is 'When the bucket begins, in event time.';
comment on column transaction_sketches.dimension is 'What the keys are of: none, merchant, category, city, payment_method. A query has to name one, or it counts payments several times.';
comment on column transaction_sketches.currency is 'Currency of the amounts: those of several are never put together.';
comment on column transaction_sketches.key is 'The key in the dimension; unknown: nobody named one.';
comment on column transaction_sketches.sketch is 'What is distributed: amount_micros.';
comment on column transaction_sketches.bins is 'Bins that hold a value, ascending.';
comment on column transaction_sketches.counts is 'How many values each of the bins holds.';

-- Roles that write cells go on with the sketches.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'transaction_cells'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert, update on transaction_sketches to %I', role_name);
  end loop;
end $$;
