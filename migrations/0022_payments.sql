-- Payments: one row a payment (write-side snapshot and the table people query), their KPI cells by currency, and totals of payers.

create table transactions (
  payment_id text collate "C" not null,
  revision integer not null,
  authorized_at timestamptz,
  captured_at timestamptz,
  declined_at timestamptz,
  charged_back_at timestamptz,
  refunded_ats timestamptz[],
  refund_micros bigint[],
  authorized_micros bigint,
  captured_micros bigint,
  declined_micros bigint,
  discount_micros bigint,
  named_currency text collate "C",
  merchant text collate "C",
  category text collate "C",
  city text collate "C",
  location text collate "C",
  payment_method text collate "C",
  payer_id text collate "C",
  risk_flag text collate "C",
  decline_reason text collate "C",
  refund_reason text collate "C",
  charge_back_reason text collate "C",
  status text collate "C" not null,
  currency text collate "C" not null,
  amount_micros bigint,
  last_occurred_at timestamptz not null,
  last_event_id text collate "C" not null,
  positions bigint[] not null,
  event_hashes bigint[] not null,
  constraint transactions_pkey primary key (payment_id),
  constraint transactions_status_is_known check (status in
    ('charged_back', 'refunded', 'partially_refunded', 'captured', 'declined', 'authorized', 'waiting')),
  constraint transactions_currency_is_a_code check (currency ~ '^[A-Z]{3}$'),
  constraint transactions_refunds_are_dated check (cardinality(refunded_ats) is not distinct from cardinality(refund_micros)),
  constraint transactions_revision_counts_events check (revision = cardinality(positions) and revision = cardinality(event_hashes))
);
-- What boards of any filter read: what happened in a stretch of time, of refunds by the last of them.
create index transactions_authorized_at_idx on transactions (authorized_at) where authorized_at is not null;
create index transactions_captured_at_idx on transactions (captured_at) where captured_at is not null;
create index transactions_declined_at_idx on transactions (declined_at) where declined_at is not null;
create index transactions_charged_back_at_idx on transactions (charged_back_at) where charged_back_at is not null;
create index transactions_refunded_idx on transactions ((refunded_ats[cardinality(refunded_ats)]))
  where (refunded_ats[cardinality(refunded_ats)]) is not null;
comment on table transactions is 'One row a payment: the fold of its events in order of (time, event id). Amounts in micros of its currency.';
comment on column transactions.payment_id is 'The payment, as its producer names it.';
comment on column transactions.revision is 'How many events of it are in the log.';
comment on column transactions.authorized_at is 'Time of the latest authorization; null where none was told.';
comment on column transactions.captured_at is 'Time of the latest capture; null where none was told.';
comment on column transactions.declined_at is 'Time of the latest decline; null where none was told.';
comment on column transactions.charged_back_at is 'Time of the charge-back; null where there was none.';
comment on column transactions.refunded_ats is 'Time of each refund, in order of time; null where there was none. Beside refund_micros: unnest(refunded_ats, refund_micros) has a row for each refund.';
comment on column transactions.refund_micros is 'Amount of each refund, micros of the currency, in the order of refunded_ats.';
comment on column transactions.authorized_micros is 'Amount that was authorized, micros of the currency.';
comment on column transactions.captured_micros is 'Amount that the capture named, micros; null where it named none: then that of the authorization counts.';
comment on column transactions.declined_micros is 'Amount that the decline named, micros.';
comment on column transactions.discount_micros is 'Discount, micros of the currency.';
comment on column transactions.named_currency is 'Currency that an event named; null: none did.';
comment on column transactions.merchant is 'Who is paid; null where nobody said, as in all columns that follow.';
comment on column transactions.category is 'Of what the merchant sold.';
comment on column transactions.city is 'City of the payment.';
comment on column transactions.location is 'Place of the payment, as its producer names it.';
comment on column transactions.payment_method is 'How it was paid.';
comment on column transactions.payer_id is 'Who pays.';
comment on column transactions.risk_flag is 'yes or no, or what else its producer says of its risk.';
comment on column transactions.decline_reason is 'Why it was declined.';
comment on column transactions.refund_reason is 'Why it was refunded; of the latest refund that named a reason.';
comment on column transactions.charge_back_reason is 'Why it was charged back.';
comment on column transactions.status is 'charged_back, refunded (refunds reach the captured amount), partially_refunded, captured, declined, authorized or waiting (refunds alone so far): the first that holds.';
comment on column transactions.currency is 'Currency of all amounts of the payment: the one that an event named, else the deployment''s. Amounts of two currencies are never added up.';
comment on column transactions.amount_micros is 'The amount that counts, micros: of a captured payment that of its capture, else of its authorization; of any other what was authorized, else declined; null: unknown.';
comment on column transactions.last_occurred_at is 'Time of its newest event in order of (time, event id).';
comment on column transactions.last_event_id is 'Id of that event.';
comment on column transactions.positions is 'Positions of this payment''s events in the log, in order of arrival.';
comment on column transactions.event_hashes is 'A hash of 53 bits of each event id, beside positions: recognises duplicates without reading the log.';

create table transaction_cells (
  grain text collate "C" not null,
  bucket timestamptz not null,
  dimension text collate "C" not null,
  currency text collate "C" not null,
  key text collate "C" not null,
  payments bigint not null default 0,
  authorized bigint not null default 0,
  authorized_sum_micros numeric(38, 0) not null default 0,
  captured bigint not null default 0,
  amount_count bigint not null default 0,
  captured_sum_micros numeric(38, 0) not null default 0,
  discount_sum_micros numeric(38, 0) not null default 0,
  flagged bigint not null default 0,
  conflicts bigint not null default 0,
  declined bigint not null default 0,
  refunds bigint not null default 0,
  refunds_sum_micros numeric(38, 0) not null default 0,
  refunds_waiting bigint not null default 0,
  charged_back bigint not null default 0,
  last_position bigint not null,
  first_position bigint,
  constraint transaction_cells_pkey primary key (grain, dimension, currency, bucket, key),
  constraint transaction_cells_grain_is_known check (grain in ('1m', '5m', '1h', '1d', 'all')),
  constraint transaction_cells_counts_are_not_negative check (least(payments, authorized, captured, amount_count, flagged, conflicts, declined, refunds, refunds_waiting, charged_back) >= 0)
) with (fillfactor = 70);
comment on table transaction_cells is 'KPI cells: (grain, bucket, dimension, currency, key) and what the payments in it add up to. Buckets are in event time; the bucket of grain all is the epoch; dimension none has the key all. Payers are in transaction_totals.';
comment on column transaction_cells.grain is 'Width of the bucket: 1m, 5m, 1h, 1d (a business day) and all (of time). A query has to name one, or it counts payments several times.';
comment on column transaction_cells.bucket is 'When the bucket begins, in event time; of grain all the epoch.';
comment on column transaction_cells.dimension is 'What the keys are of: none, status, merchant, category, city, location, payment_method, risk_flag. A query has to name one, or it counts payments several times.';
comment on column transaction_cells.currency is 'Currency of the payments and of the sums. Counts of several may be added up, amounts may not.';
comment on column transaction_cells.key is 'The key in the dimension; unknown: nobody named one.';
comment on column transaction_cells.payments is 'Payments, each once, by the earliest known time of its authorization, capture and decline.';
comment on column transaction_cells.authorized is 'Authorizations, by their time.';
comment on column transaction_cells.authorized_sum_micros is 'What was authorized, micros of the currency.';
comment on column transaction_cells.captured is 'Captured payments, by the time of the capture.';
comment on column transaction_cells.amount_count is 'Those of them whose amount is known: what averages divide by.';
comment on column transaction_cells.captured_sum_micros is 'What was captured, micros of the currency; refunds are not taken off.';
comment on column transaction_cells.discount_sum_micros is 'Discounts of captured payments, micros of the currency.';
comment on column transaction_cells.flagged is 'Captured payments whose risk flag says yes.';
comment on column transaction_cells.conflicts is 'Captured payments that were declined, too.';
comment on column transaction_cells.declined is 'Declined payments without a capture, by the time of the decline. Conversion rate: captured / (captured + declined).';
comment on column transaction_cells.refunds is 'Refunds of captured payments, each by its own time.';
comment on column transaction_cells.refunds_sum_micros is 'What was refunded, micros of the currency.';
comment on column transaction_cells.refunds_waiting is 'Refunds whose capture has not come, by their time: they count in nothing else.';
comment on column transaction_cells.charged_back is 'Charge-backs, by their time.';
comment on column transaction_cells.last_position is 'Position of the event that changed the cell last.';
comment on column transaction_cells.first_position is 'A position of the batch that filled the cell first: from then on it could be seen.';

create table transaction_totals (
  dimension text collate "C" not null,
  currency text collate "C" not null,
  key text collate "C" not null,
  captured bigint not null,
  amount_count bigint not null,
  captured_sum_micros numeric(38, 0) not null,
  declined bigint not null,
  refunds bigint not null,
  refunds_sum_micros numeric(38, 0) not null,
  charged_back bigint not null,
  last_position bigint not null,
  constraint transaction_totals_pkey primary key (dimension, currency, key),
  constraint transaction_totals_are_not_negative check (least(captured, amount_count, captured_sum_micros, declined, refunds, refunds_sum_micros, charged_back) >= 0)
) with (fillfactor = 70);
comment on table transaction_totals is 'Totals of all of time: (dimension, currency, key) and what its payments add up to. Dimension payer; all else of payers is in transactions.';
comment on column transaction_totals.dimension is 'What the keys are of: payer.';
comment on column transaction_totals.currency is 'Currency of the payments and of the sums.';
comment on column transaction_totals.key is 'The key in the dimension; unknown: nobody named one.';
comment on column transaction_totals.captured is 'Captured payments, by the time of the capture.';
comment on column transaction_totals.amount_count is 'Those of them whose amount is known: what averages divide by.';
comment on column transaction_totals.captured_sum_micros is 'What was captured, micros of the currency; refunds are not taken off.';
comment on column transaction_totals.declined is 'Declined payments without a capture, by the time of the decline. Conversion rate: captured / (captured + declined).';
comment on column transaction_totals.refunds is 'Refunds of captured payments, each by its own time.';
comment on column transaction_totals.refunds_sum_micros is 'What was refunded, micros of the currency.';
comment on column transaction_totals.charged_back is 'Charge-backs, by their time.';
comment on column transaction_totals.last_position is 'Position of the event that changed it last.';
