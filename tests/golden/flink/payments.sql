SET 'pipeline.name' = 'tacho payments';

SET 'table.local-time-zone' = 'America/New_York';

SET 'execution.runtime-mode' = 'streaming';

SET 'table.exec.mini-batch.enabled' = 'false';

SET 'table.exec.sink.require-on-conflict' = 'false';

SET 'table.exec.sink.upsert-materialize' = 'NONE';

SET 'pipeline.object-reuse' = 'true';

SET 'table.optimizer.reuse-optimize-block-with-digest-enabled' = 'true';

CREATE TEMPORARY TABLE messages (
  `value` BYTES,
  `message_key` STRING,
  `topic` STRING METADATA VIRTUAL,
  `partition` INT METADATA VIRTUAL,
  `offset` BIGINT METADATA VIRTUAL,
  `headers` MAP<STRING, BYTES> METADATA VIRTUAL,
  `seen` AS PROCTIME()
) WITH (
  'connector' = 'kafka',
  'topic' = 'events',
  'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'tacho',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw',
  'key.fields' = 'message_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TEMPORARY VIEW `decoded` AS
WITH `texts` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`headers`,
  CASE WHEN RAND() < 2E0 THEN TRIM(LEADING U&'\FEFF' FROM DECODE(o.`value`, 'UTF-8')) END AS `text`
FROM `messages` AS o
),
`documents` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`headers`, o.`text`,
  CASE WHEN RAND() < 2E0 THEN TRY_PARSE_JSON('[' || o.`text` || ']', TRUE) END AS `as_list`,
  CASE WHEN RAND() < 2E0 THEN TRY_PARSE_JSON('{"v":' || o.`text` || '}', TRUE) END AS `as_member`
FROM `texts` AS o
),
`objects` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`headers`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.headers['tacho-fault'] IS NOT NULL THEN 'faulty_at_source'
    WHEN CHAR_LENGTH(DECODE(o.`value`, 'ISO-8859-1')) > 1048576 THEN 'too_large'
    WHEN o.headers['ce_specversion'] IS NOT NULL AND o.headers['content-type'] IS NULL THEN 'unsupported_content'
    WHEN o.`value` = X'' OR NOT REGEXP(o.`text`, '[^ \t\r\n]') THEN 'empty_value'
    WHEN ENCODE(DECODE(o.`value`, 'UTF-8'), 'UTF-8') <> o.`value` THEN 'malformed_utf8'
    WHEN o.as_list IS NULL OR o.as_member IS NULL THEN 'malformed_json'
    WHEN NOT REGEXP(o.`text`, '^[ \t\r\n]*[{]') THEN 'not_an_object'
    WHEN REGEXP(o.`text`, '[:,\[][ \t\r\n]*-?[0-9.]+[eE][+]?0*(309|3[1-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3})') THEN 'number_out_of_range'
    WHEN REGEXP(o.`text`, '(^|[^\\])(\\\\)*\\u(0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F])') THEN 'text_not_storable' END END AS `stated`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.as_list IS NOT NULL AND o.as_member IS NOT NULL AND REGEXP(o.`text`, '^[ \t\r\n]*[{]') THEN o.as_member['v'] END END AS `doc`
FROM `documents` AS o
),
`kinds` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`doc`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.doc['specversion']), 'null') IS NOT NULL END AS `is_cloud_event`
FROM `objects` AS o
),
`envelopes` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`doc`, o.`is_cloud_event`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.stated IS NULL AND o.is_cloud_event AND NULLIF(JSON_STRING(o.doc['specversion']), 'null') <> '"1.0"' THEN 'unknown_version specversion' ELSE o.stated END END AS `stated`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['id']), 'null') ELSE NULLIF(JSON_STRING(o.doc['event_id']), 'null') END END AS `id_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['source']), 'null') END END AS `source_json`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.doc['type']), 'null') END AS `type_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['subject']), 'null') ELSE NULLIF(JSON_STRING(o.doc['payment_id']), 'null') END END AS `subject_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['partitionkey']), 'null') END END AS `key_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['time']), 'null') ELSE NULLIF(JSON_STRING(o.doc['occurred_at']), 'null') END END AS `time_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['schemaversion']), 'null') ELSE NULLIF(JSON_STRING(o.doc['schema_version']), 'null') END END AS `version_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['datacontenttype']), 'null') END END AS `content_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['data_base64']), 'null') END END AS `base64_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['data']), 'null') ELSE '{' END END AS `data_json`
FROM `kinds` AS o
),
`unquoted` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`doc`, o.`is_cloud_event`, o.`id_json`, o.`source_json`, o.`type_json`, o.`subject_json`, o.`key_json`, o.`time_json`, o.`version_json`, o.`content_json`, o.`base64_json`, o.`data_json`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.id_json LIKE '"%' THEN JSON_UNQUOTE(o.id_json) END END AS `id_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.source_json LIKE '"%' THEN JSON_UNQUOTE(o.source_json) END END AS `source_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.type_json LIKE '"%' THEN JSON_UNQUOTE(o.type_json) END END AS `type_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.subject_json LIKE '"%' THEN JSON_UNQUOTE(o.subject_json) END END AS `subject_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.key_json LIKE '"%' THEN JSON_UNQUOTE(o.key_json) END END AS `key_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.time_json LIKE '"%' THEN JSON_UNQUOTE(o.time_json) END END AS `time_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.version_json LIKE '"%' THEN JSON_UNQUOTE(o.version_json) END END AS `version_text`,
  CASE WHEN RAND() < 2E0 THEN COALESCE(CASE WHEN o.content_json LIKE '"%' THEN JSON_UNQUOTE(o.content_json) END, o.content_json) END AS `content_text`,
  CASE WHEN RAND() < 2E0 THEN COALESCE(CASE WHEN o.base64_json LIKE '"%' THEN JSON_UNQUOTE(o.base64_json) END, o.base64_json) END AS `base64_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN NOT o.is_cloud_event THEN o.doc WHEN o.data_json LIKE '{%' THEN o.doc['data'] WHEN o.data_json LIKE '"%' AND REGEXP(JSON_UNQUOTE(o.data_json), '^[ \t\r\n]*[{]') THEN TRY_PARSE_JSON(JSON_UNQUOTE(o.data_json), TRUE) END END AS `data`
FROM `envelopes` AS o
),
`identified` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`doc`, o.`is_cloud_event`, o.`data`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`source_text`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.subject_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') OR (o.subject_text IS NULL AND o.subject_json IS NOT NULL) THEN CASE WHEN o.subject_text IS NOT NULL THEN o.subject_text WHEN REGEXP(o.subject_json, '^-?[0-9]+\z') THEN o.subject_json WHEN REGEXP(o.subject_json, '^-?[0-9]') AND TRY_CAST(o.subject_json AS DOUBLE) = FLOOR(TRY_CAST(o.subject_json AS DOUBLE)) AND ABS(TRY_CAST(o.subject_json AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.subject_json AS DOUBLE) AS BIGINT) AS STRING) END WHEN o.is_cloud_event AND (REGEXP(o.key_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') OR (o.key_text IS NULL AND o.key_json IS NOT NULL)) THEN CASE WHEN o.key_text IS NOT NULL THEN o.key_text WHEN REGEXP(o.key_json, '^-?[0-9]+\z') THEN o.key_json WHEN REGEXP(o.key_json, '^-?[0-9]') AND TRY_CAST(o.key_json AS DOUBLE) = FLOOR(TRY_CAST(o.key_json AS DOUBLE)) AND ABS(TRY_CAST(o.key_json AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.key_json AS DOUBLE) AS BIGINT) AS STRING) END WHEN o.is_cloud_event THEN o.message_key END END AS `stream_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.id_text IS NOT NULL THEN o.id_text WHEN REGEXP(o.id_json, '^-?[0-9]+\z') THEN o.id_json WHEN REGEXP(o.id_json, '^-?[0-9]') AND TRY_CAST(o.id_json AS DOUBLE) = FLOOR(TRY_CAST(o.id_json AS DOUBLE)) AND ABS(TRY_CAST(o.id_json AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.id_json AS DOUBLE) AS BIGINT) AS STRING) END END AS `own_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.time_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\z') AND CAST(TRY_CAST(SUBSTRING(o.time_text, 1, 10) AS DATE) AS STRING) = SUBSTRING(o.time_text, 1, 10) AND SUBSTRING(o.time_text, 1, 4) BETWEEN '1900' AND '2254' THEN (CAST(TIMESTAMPDIFF(DAY, DATE '1899-12-31', TRY_CAST(SUBSTRING(o.time_text, 1, 10) AS DATE)) AS BIGINT) * 86400 + TRY_CAST(SUBSTRING(o.time_text, 12, 2) AS BIGINT) * 3600 + TRY_CAST(SUBSTRING(o.time_text, 15, 2) AS BIGINT) * 60 + TRY_CAST(SUBSTRING(o.time_text, 18, 2) AS BIGINT) - (CASE WHEN UPPER(SUBSTRING(o.time_text, CHAR_LENGTH(o.time_text) - 0, 1)) = 'Z' THEN 0 ELSE CASE WHEN SUBSTRING(o.time_text, CHAR_LENGTH(o.time_text) - 5, 1) = '-' THEN -1 ELSE 1 END * (TRY_CAST(SUBSTRING(o.time_text, CHAR_LENGTH(o.time_text) - 4, 2) AS BIGINT) * 60 + TRY_CAST(SUBSTRING(o.time_text, CHAR_LENGTH(o.time_text) - 1, 2) AS BIGINT)) END) * 60) * 1000000 + CASE WHEN SUBSTRING(o.time_text, 20, 1) = '.' THEN TRY_CAST(RPAD(REGEXP_EXTRACT(o.time_text, '[.]([0-9]{1,6})', 1), 6, '0') AS BIGINT) ELSE 0 END END END AS `at_us`,
  CASE WHEN RAND() < 2E0 THEN NOT o.is_cloud_event OR (REGEXP(o.source_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') AND NOT REGEXP(o.source_text, '[\s\u0000-\u001f\u007f-\u009f]')) END AS `is_source`,
  CASE WHEN RAND() < 2E0 THEN (o.base64_text IS NULL OR NOT REGEXP(o.base64_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND (o.data_json IS NULL OR o.data IS NOT NULL) END AS `is_data`
FROM `unquoted` AS o
),
`named` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`is_cloud_event`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`stream_id`, o.`own_id`, o.`at_us`, o.`is_source`, o.`source_text`, o.`is_data`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['amount']), 'null') END AS `j_amount`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['discount']), 'null') END AS `j_discount`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['currency']), 'null') END AS `j_currency`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['merchant']), 'null') END AS `j_merchant`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['category']), 'null') END AS `j_category`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['city']), 'null') END AS `j_city`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['location']), 'null') END AS `j_location`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['payment_method']), 'null') END AS `j_payment_method`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['payer_id']), 'null') END AS `j_payer_id`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['risk_flag']), 'null') END AS `j_risk_flag`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['reason']), 'null') END AS `j_reason`
FROM `identified` AS o
),
`told` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`is_cloud_event`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`stream_id`, o.`own_id`, o.`at_us`, o.`is_source`, o.`source_text`, o.`is_data`, o.`j_amount`, o.`j_discount`, o.`j_currency`, o.`j_merchant`, o.`j_category`, o.`j_city`, o.`j_location`, o.`j_payment_method`, o.`j_payer_id`, o.`j_risk_flag`, o.`j_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_amount` LIKE '"%' THEN JSON_UNQUOTE(o.`j_amount`) END END AS `t_amount`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_discount` LIKE '"%' THEN JSON_UNQUOTE(o.`j_discount`) END END AS `t_discount`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_currency` LIKE '"%' THEN JSON_UNQUOTE(o.`j_currency`) END END AS `t_currency`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_merchant` LIKE '"%' THEN JSON_UNQUOTE(o.`j_merchant`) END END AS `t_merchant`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_category` LIKE '"%' THEN JSON_UNQUOTE(o.`j_category`) END END AS `t_category`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_city` LIKE '"%' THEN JSON_UNQUOTE(o.`j_city`) END END AS `t_city`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_location` LIKE '"%' THEN JSON_UNQUOTE(o.`j_location`) END END AS `t_location`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_payment_method` LIKE '"%' THEN JSON_UNQUOTE(o.`j_payment_method`) END END AS `t_payment_method`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_payer_id` LIKE '"%' THEN JSON_UNQUOTE(o.`j_payer_id`) END END AS `t_payer_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_risk_flag` LIKE '"%' THEN JSON_UNQUOTE(o.`j_risk_flag`) END END AS `t_risk_flag`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_reason` LIKE '"%' THEN JSON_UNQUOTE(o.`j_reason`) END END AS `t_reason`
FROM `named` AS o
),
`valued` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`is_cloud_event`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`stream_id`, o.`own_id`, o.`at_us`, o.`is_source`, o.`source_text`, o.`is_data`, o.`j_amount`, o.`j_discount`, o.`j_currency`, o.`j_merchant`, o.`j_category`, o.`j_city`, o.`j_location`, o.`j_payment_method`, o.`j_payer_id`, o.`j_risk_flag`, o.`j_reason`, o.`t_amount`, o.`t_discount`, o.`t_currency`, o.`t_merchant`, o.`t_category`, o.`t_city`, o.`t_location`, o.`t_payment_method`, o.`t_payer_id`, o.`t_risk_flag`, o.`t_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(CASE WHEN o.`t_amount` IS NOT NULL THEN o.`t_amount` ELSE o.`j_amount` END, '^[0-9]{1,13}([.][0-9]{1,6})?\z') THEN CASE WHEN TRY_CAST(CASE WHEN o.`t_amount` IS NOT NULL THEN o.`t_amount` ELSE o.`j_amount` END AS DECIMAL(19, 6)) <= 1000000000000 THEN CAST(TRY_CAST(CASE WHEN o.`t_amount` IS NOT NULL THEN o.`t_amount` ELSE o.`j_amount` END AS DECIMAL(19, 6)) * 1000000 AS BIGINT) END WHEN o.`t_amount` IS NULL AND REGEXP(o.`j_amount`, '^-?[0-9]') AND TRY_CAST(o.`j_amount` AS DOUBLE) BETWEEN 0 AND 9.0E9 AND CAST(CAST(CASE WHEN (TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) END AS BIGINT) AS DOUBLE) / 1000000 = TRY_CAST(o.`j_amount` AS DOUBLE) THEN CAST(CASE WHEN (TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) END AS BIGINT) END END AS `v_amount`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(CASE WHEN o.`t_discount` IS NOT NULL THEN o.`t_discount` ELSE o.`j_discount` END, '^[0-9]{1,13}([.][0-9]{1,6})?\z') THEN CASE WHEN TRY_CAST(CASE WHEN o.`t_discount` IS NOT NULL THEN o.`t_discount` ELSE o.`j_discount` END AS DECIMAL(19, 6)) <= 1000000000000 THEN CAST(TRY_CAST(CASE WHEN o.`t_discount` IS NOT NULL THEN o.`t_discount` ELSE o.`j_discount` END AS DECIMAL(19, 6)) * 1000000 AS BIGINT) END WHEN o.`t_discount` IS NULL AND REGEXP(o.`j_discount`, '^-?[0-9]') AND TRY_CAST(o.`j_discount` AS DOUBLE) BETWEEN 0 AND 9.0E9 AND CAST(CAST(CASE WHEN (TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000)) END AS BIGINT) AS DOUBLE) / 1000000 = TRY_CAST(o.`j_discount` AS DOUBLE) THEN CAST(CASE WHEN (TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_discount` AS DOUBLE) * 1000000)) END AS BIGINT) END END AS `v_discount`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`t_currency`, '^[A-Za-z]{3}\z') THEN UPPER(o.`t_currency`) END END AS `v_currency`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_merchant` IS NULL OR REGEXP(o.`t_merchant`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_merchant` IS NOT NULL THEN o.`t_merchant` WHEN REGEXP(o.`j_merchant`, '^-?[0-9]+\z') THEN o.`j_merchant` WHEN REGEXP(o.`j_merchant`, '^-?[0-9]') AND TRY_CAST(o.`j_merchant` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_merchant` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_merchant` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_merchant` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_merchant` IS NOT NULL THEN o.`t_merchant` WHEN REGEXP(o.`j_merchant`, '^-?[0-9]+\z') THEN o.`j_merchant` WHEN REGEXP(o.`j_merchant`, '^-?[0-9]') AND TRY_CAST(o.`j_merchant` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_merchant` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_merchant` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_merchant` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_merchant`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_category` IS NULL OR REGEXP(o.`t_category`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_category` IS NOT NULL THEN o.`t_category` WHEN REGEXP(o.`j_category`, '^-?[0-9]+\z') THEN o.`j_category` WHEN REGEXP(o.`j_category`, '^-?[0-9]') AND TRY_CAST(o.`j_category` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_category` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_category` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_category` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_category` IS NOT NULL THEN o.`t_category` WHEN REGEXP(o.`j_category`, '^-?[0-9]+\z') THEN o.`j_category` WHEN REGEXP(o.`j_category`, '^-?[0-9]') AND TRY_CAST(o.`j_category` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_category` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_category` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_category` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_category`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_city` IS NULL OR REGEXP(o.`t_city`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_city` IS NOT NULL THEN o.`t_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]+\z') THEN o.`j_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]') AND TRY_CAST(o.`j_city` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_city` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_city` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_city` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_city` IS NOT NULL THEN o.`t_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]+\z') THEN o.`j_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]') AND TRY_CAST(o.`j_city` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_city` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_city` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_city` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_city`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_location` IS NULL OR REGEXP(o.`t_location`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_location` IS NOT NULL THEN o.`t_location` WHEN REGEXP(o.`j_location`, '^-?[0-9]+\z') THEN o.`j_location` WHEN REGEXP(o.`j_location`, '^-?[0-9]') AND TRY_CAST(o.`j_location` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_location` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_location` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_location` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_location` IS NOT NULL THEN o.`t_location` WHEN REGEXP(o.`j_location`, '^-?[0-9]+\z') THEN o.`j_location` WHEN REGEXP(o.`j_location`, '^-?[0-9]') AND TRY_CAST(o.`j_location` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_location` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_location` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_location` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_location`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_payment_method` IS NULL OR REGEXP(o.`t_payment_method`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_payment_method` IS NOT NULL THEN o.`t_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]+\z') THEN o.`j_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]') AND TRY_CAST(o.`j_payment_method` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_payment_method` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_payment_method` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_payment_method` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_payment_method` IS NOT NULL THEN o.`t_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]+\z') THEN o.`j_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]') AND TRY_CAST(o.`j_payment_method` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_payment_method` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_payment_method` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_payment_method` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_payment_method`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_payer_id` IS NULL OR REGEXP(o.`t_payer_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_payer_id` IS NOT NULL THEN o.`t_payer_id` WHEN REGEXP(o.`j_payer_id`, '^-?[0-9]+\z') THEN o.`j_payer_id` WHEN REGEXP(o.`j_payer_id`, '^-?[0-9]') AND TRY_CAST(o.`j_payer_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_payer_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_payer_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_payer_id` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_payer_id` IS NOT NULL THEN o.`t_payer_id` WHEN REGEXP(o.`j_payer_id`, '^-?[0-9]+\z') THEN o.`j_payer_id` WHEN REGEXP(o.`j_payer_id`, '^-?[0-9]') AND TRY_CAST(o.`j_payer_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_payer_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_payer_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_payer_id` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_payer_id`,
  CASE WHEN RAND() < 2E0 THEN CASE LOWER(REGEXP_REPLACE(CASE WHEN o.`j_risk_flag` IN ('true', 'false') THEN o.`j_risk_flag` ELSE CASE WHEN (o.`t_risk_flag` IS NULL OR REGEXP(o.`t_risk_flag`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_risk_flag` IS NOT NULL THEN o.`t_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]+\z') THEN o.`j_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]') AND TRY_CAST(o.`j_risk_flag` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_risk_flag` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_risk_flag` IS NOT NULL THEN o.`t_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]+\z') THEN o.`j_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]') AND TRY_CAST(o.`j_risk_flag` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_risk_flag` AS DOUBLE) AS BIGINT) AS STRING) END END END, '^\s+|\s+\z', '')) WHEN '0' THEN 'no' WHEN '1' THEN 'yes' WHEN 'yes' THEN 'yes' WHEN 'y' THEN 'yes' WHEN 'true' THEN 'yes' WHEN 't' THEN 'yes' WHEN 'high' THEN 'yes' WHEN 'flagged' THEN 'yes' WHEN 'suspicious' THEN 'yes' WHEN 'fraud' THEN 'yes' WHEN 'no' THEN 'no' WHEN 'n' THEN 'no' WHEN 'false' THEN 'no' WHEN 'f' THEN 'no' WHEN 'low' THEN 'no' WHEN 'none' THEN 'no' WHEN 'normal' THEN 'no' WHEN 'clear' THEN 'no' WHEN 'ok' THEN 'no' ELSE CASE WHEN o.`j_risk_flag` IN ('true', 'false') THEN o.`j_risk_flag` ELSE CASE WHEN (o.`t_risk_flag` IS NULL OR REGEXP(o.`t_risk_flag`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_risk_flag` IS NOT NULL THEN o.`t_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]+\z') THEN o.`j_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]') AND TRY_CAST(o.`j_risk_flag` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_risk_flag` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_risk_flag` IS NOT NULL THEN o.`t_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]+\z') THEN o.`j_risk_flag` WHEN REGEXP(o.`j_risk_flag`, '^-?[0-9]') AND TRY_CAST(o.`j_risk_flag` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_risk_flag` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_risk_flag` AS DOUBLE) AS BIGINT) AS STRING) END END END END END AS `v_risk_flag`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_reason` IS NULL OR REGEXP(o.`t_reason`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_reason` IS NOT NULL THEN o.`t_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]+\z') THEN o.`j_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]') AND TRY_CAST(o.`j_reason` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_reason` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_reason` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_reason` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_reason` IS NOT NULL THEN o.`t_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]+\z') THEN o.`j_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]') AND TRY_CAST(o.`j_reason` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_reason` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_reason` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_reason` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(CASE WHEN o.`t_amount` IS NOT NULL THEN o.`t_amount` ELSE o.`j_amount` END, '^[0-9]{1,13}([.][0-9]{1,6})?\z') THEN CASE WHEN TRY_CAST(CASE WHEN o.`t_amount` IS NOT NULL THEN o.`t_amount` ELSE o.`j_amount` END AS DECIMAL(19, 6)) <= 1000000000000 THEN CAST(TRY_CAST(CASE WHEN o.`t_amount` IS NOT NULL THEN o.`t_amount` ELSE o.`j_amount` END AS DECIMAL(19, 6)) * 1000000 AS BIGINT) END WHEN o.`t_amount` IS NULL AND REGEXP(o.`j_amount`, '^-?[0-9]') AND TRY_CAST(o.`j_amount` AS DOUBLE) BETWEEN 0 AND 9.0E9 AND CAST(CAST(CASE WHEN (TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) END AS BIGINT) AS DOUBLE) / 1000000 = TRY_CAST(o.`j_amount` AS DOUBLE) THEN CAST(CASE WHEN (TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_amount` AS DOUBLE) * 1000000)) END AS BIGINT) END END AS `v_amount2`
FROM `told` AS o
)
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stream_id`, o.`at_us`, o.`v_amount`, o.`v_discount`, o.`v_currency`, o.`v_merchant`, o.`v_category`, o.`v_city`, o.`v_location`, o.`v_payment_method`, o.`v_payer_id`, o.`v_risk_flag`, o.`v_reason`, o.`v_amount2`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END END AS `event_id`,
  CASE WHEN RAND() < 2E0 THEN o.type_text END AS `type`,
  CASE WHEN RAND() < 2E0 THEN CASE
    WHEN o.stated IS NOT NULL THEN o.stated
    WHEN NOT COALESCE(o.is_source, FALSE) THEN 'invalid_event_source source'
    WHEN o.own_id IS NULL OR NOT REGEXP(o.own_id, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_event_id id'
    WHEN NOT (CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END), '[\x{10000}-\x{10ffff}]', '__')) <= 500) THEN 'invalid_event_id id'
    WHEN REGEXP(o.content_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') AND NOT REGEXP(LOWER(o.content_text), '^[^/;\s]+/([^;\s]*\+)?json\s*(;|\z)') THEN 'unsupported_content datacontenttype'
    WHEN NOT o.is_data THEN 'not_an_object data'
    WHEN o.stream_id IS NULL OR NOT REGEXP(o.stream_id, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_payment_id payment_id'
    WHEN NOT (CHAR_LENGTH(REGEXP_REPLACE(o.stream_id, '[\x{10000}-\x{10ffff}]', '__')) <= 200) THEN 'invalid_payment_id payment_id'
    WHEN o.type_text IS NULL OR NOT REGEXP(o.type_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_type type'
    WHEN o.time_text IS NULL THEN 'missing_time time'
    WHEN o.at_us IS NULL AND REGEXP(o.time_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?\z') THEN 'time_without_zone time'
    WHEN o.at_us IS NULL THEN 'malformed_time time'
    WHEN o.at_us > UNIX_TIMESTAMP() * 1000000 + 2209078800000000 THEN 'time_in_future time'
    WHEN o.type_text NOT IN ('payment.authorized', 'payment.captured', 'payment.declined', 'payment.refunded', 'payment.charged_back') THEN 'unknown_type type'
    WHEN CASE WHEN o.version_text IS NULL THEN COALESCE(o.version_json, '1') NOT IN ('1', '1.0') ELSE REGEXP(o.version_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') AND o.version_text <> '1' END THEN 'unknown_version schema_version'
    WHEN o.`v_amount` IS NULL AND o.type_text IN ('payment.authorized') THEN 'invalid_field amount'
    WHEN o.`v_discount` IS NULL AND NOT (o.`j_discount` IS NULL OR (o.`t_discount` IS NOT NULL AND NOT REGEXP(o.`t_discount`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field discount'
    WHEN o.`v_currency` IS NULL AND NOT (o.`j_currency` IS NULL OR (o.`t_currency` IS NOT NULL AND NOT REGEXP(o.`t_currency`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field currency'
    WHEN o.`v_merchant` IS NULL AND NOT (o.`j_merchant` IS NULL OR (o.`t_merchant` IS NOT NULL AND NOT REGEXP(o.`t_merchant`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field merchant'
    WHEN o.`v_category` IS NULL AND NOT (o.`j_category` IS NULL OR (o.`t_category` IS NOT NULL AND NOT REGEXP(o.`t_category`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field category'
    WHEN o.`v_city` IS NULL AND NOT (o.`j_city` IS NULL OR (o.`t_city` IS NOT NULL AND NOT REGEXP(o.`t_city`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field city'
    WHEN o.`v_location` IS NULL AND NOT (o.`j_location` IS NULL OR (o.`t_location` IS NOT NULL AND NOT REGEXP(o.`t_location`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field location'
    WHEN o.`v_payment_method` IS NULL AND NOT (o.`j_payment_method` IS NULL OR (o.`t_payment_method` IS NOT NULL AND NOT REGEXP(o.`t_payment_method`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field payment_method'
    WHEN o.`v_payer_id` IS NULL AND NOT (o.`j_payer_id` IS NULL OR (o.`t_payer_id` IS NOT NULL AND NOT REGEXP(o.`t_payer_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field payer_id'
    WHEN o.`v_risk_flag` IS NULL AND NOT (o.`j_risk_flag` IS NULL OR (o.`t_risk_flag` IS NOT NULL AND NOT REGEXP(o.`t_risk_flag`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN 'invalid_field risk_flag'
    WHEN o.`v_amount` IS NULL AND NOT (o.`j_amount` IS NULL OR (o.`t_amount` IS NOT NULL AND NOT REGEXP(o.`t_amount`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.captured', 'payment.declined') THEN 'invalid_field amount'
    WHEN o.`v_reason` IS NULL AND NOT (o.`j_reason` IS NULL OR (o.`t_reason` IS NOT NULL AND NOT REGEXP(o.`t_reason`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('payment.declined', 'payment.refunded', 'payment.charged_back') THEN 'invalid_field reason'
    WHEN o.`v_amount2` IS NULL AND o.type_text IN ('payment.refunded') THEN 'invalid_field amount'
  END END AS `fault`
FROM `valued` AS o;

CREATE TEMPORARY VIEW `numbered` AS
WITH `events_read` AS (
SELECT * FROM decoded WHERE fault IS NULL
),
`events_told` AS (
SELECT o.`stream_id`, o.`event_id`, o.`type`, o.`at_us`, o.`v_amount`, o.`v_discount`, o.`v_currency`, o.`v_merchant`, o.`v_category`, o.`v_city`, o.`v_location`, o.`v_payment_method`, o.`v_payer_id`, o.`v_risk_flag`, o.`v_reason`, o.`v_amount2`, o.`seen`, o.`topic`, o.`partition`, o.`offset`,
  CASE WHEN RAND() < 2E0 THEN MD5(COALESCE(CAST(o.`type` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`at_us` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_amount` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_discount` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_currency` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_merchant` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_category` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_city` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_location` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_payment_method` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_payer_id` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_risk_flag` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_reason` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_amount2` AS STRING), '')) END AS `content`
FROM `events_read` AS o
),
`counted` AS (
SELECT *, COUNT(DISTINCT event_id) OVER (PARTITION BY stream_id ORDER BY seen ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ids,
  COUNT(DISTINCT event_id || content) OVER (PARTITION BY stream_id ORDER BY seen ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS contents
FROM events_told
)
SELECT *, LAG(ids, 1, CAST(0 AS BIGINT)) OVER (PARTITION BY stream_id ORDER BY seen) AS ids_before, LAG(contents, 1, CAST(0 AS BIGINT)) OVER (PARTITION BY stream_id ORDER BY seen) AS contents_before
FROM counted;

CREATE TEMPORARY VIEW `states` AS
WITH `events` AS (
SELECT `stream_id`, `event_id`, `type`, `at_us`, `v_amount`, `v_discount`, `v_currency`, `v_merchant`, `v_category`, `v_city`, `v_location`, `v_payment_method`, `v_payer_id`, `v_risk_flag`, `v_reason`, `v_amount2`, LPAD(CAST(at_us AS STRING), 17, '0') || event_id || U&'\0000' AS at_and_id FROM numbered WHERE ids > ids_before
),
`folded` AS (
SELECT stream_id, CAST(COUNT(*) AS INT) AS revision, MAX(at_and_id) AS last_event,
  SUM(CAST(`v_amount2` AS DECIMAL(38, 0))) FILTER (WHERE type IN ('payment.refunded')) AS `sum_refund_micros`,
  MAX(CASE WHEN type IN ('payment.authorized') THEN at_us END) AS `authorized_us`,
  MAX(CASE WHEN type IN ('payment.captured') THEN at_us END) AS `captured_us`,
  MAX(CASE WHEN type IN ('payment.declined') THEN at_us END) AS `declined_us`,
  MAX(CASE WHEN type IN ('payment.charged_back') THEN at_us END) AS `charged_back_us`,
  ARRAY_SORT(ARRAY_AGG(at_and_id || CAST(TIMESTAMPADD(SECOND, CAST(MOD((at_us / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((at_us / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(at_us, 1000000) AS STRING), 6, '0') || '+00') FILTER (WHERE type IN ('payment.refunded'))) AS `refunded_us`,
  ARRAY_SORT(ARRAY_AGG(at_and_id || CAST(`v_amount2` AS STRING)) FILTER (WHERE type IN ('payment.refunded'))) AS `refund_micros`,
  MAX(CASE WHEN `v_amount` IS NOT NULL AND type IN ('payment.authorized') THEN at_and_id || CAST(`v_amount` AS STRING) END) AS `authorized_micros`,
  MAX(CASE WHEN `v_amount` IS NOT NULL AND type IN ('payment.captured') THEN at_and_id || CAST(`v_amount` AS STRING) END) AS `captured_micros`,
  MAX(CASE WHEN `v_amount` IS NOT NULL AND type IN ('payment.declined') THEN at_and_id || CAST(`v_amount` AS STRING) END) AS `declined_micros`,
  MAX(CASE WHEN `v_discount` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_discount` AS STRING) END) AS `discount_micros`,
  MAX(CASE WHEN `v_currency` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_currency` AS STRING) END) AS `named_currency`,
  MAX(CASE WHEN `v_merchant` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_merchant` AS STRING) END) AS `merchant`,
  MAX(CASE WHEN `v_category` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_category` AS STRING) END) AS `category`,
  MAX(CASE WHEN `v_city` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_city` AS STRING) END) AS `city`,
  MAX(CASE WHEN `v_location` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_location` AS STRING) END) AS `location`,
  MAX(CASE WHEN `v_payment_method` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_payment_method` AS STRING) END) AS `payment_method`,
  MAX(CASE WHEN `v_payer_id` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_payer_id` AS STRING) END) AS `payer_id`,
  MAX(CASE WHEN `v_risk_flag` IS NOT NULL AND type IN ('payment.authorized', 'payment.captured', 'payment.declined') THEN at_and_id || CAST(`v_risk_flag` AS STRING) END) AS `risk_flag`,
  MAX(CASE WHEN `v_reason` IS NOT NULL AND type IN ('payment.declined') THEN at_and_id || CAST(`v_reason` AS STRING) END) AS `decline_reason`,
  MAX(CASE WHEN `v_reason` IS NOT NULL AND type IN ('payment.refunded') THEN at_and_id || CAST(`v_reason` AS STRING) END) AS `refund_reason`,
  MAX(CASE WHEN `v_reason` IS NOT NULL AND type IN ('payment.charged_back') THEN at_and_id || CAST(`v_reason` AS STRING) END) AS `charge_back_reason`
FROM events GROUP BY stream_id
),
`states_told` AS (
SELECT o.`stream_id`, o.`revision`, o.`sum_refund_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.last_event, 1, 17) AS BIGINT) END AS `last_us`,
  CASE WHEN RAND() < 2E0 THEN SUBSTRING(o.last_event, 18, CHAR_LENGTH(o.last_event) - 18) END AS `last_event_id`,
  CASE WHEN RAND() < 2E0 THEN o.`authorized_us` END AS `authorized_us`,
  CASE WHEN RAND() < 2E0 THEN o.`captured_us` END AS `captured_us`,
  CASE WHEN RAND() < 2E0 THEN o.`declined_us` END AS `declined_us`,
  CASE WHEN RAND() < 2E0 THEN o.`charged_back_us` END AS `charged_back_us`,
  CASE WHEN RAND() < 2E0 THEN o.`refunded_us` END AS `refunded_us`,
  CASE WHEN RAND() < 2E0 THEN o.`refund_micros` END AS `refund_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`authorized_micros`, POSITION(U&'\0000' IN o.`authorized_micros`) + 1) AS BIGINT) END AS `authorized_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`captured_micros`, POSITION(U&'\0000' IN o.`captured_micros`) + 1) AS BIGINT) END AS `captured_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`declined_micros`, POSITION(U&'\0000' IN o.`declined_micros`) + 1) AS BIGINT) END AS `declined_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`discount_micros`, POSITION(U&'\0000' IN o.`discount_micros`) + 1) AS BIGINT) END AS `discount_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`named_currency`, POSITION(U&'\0000' IN o.`named_currency`) + 1) AS STRING) END AS `named_currency`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`merchant`, POSITION(U&'\0000' IN o.`merchant`) + 1) AS STRING) END AS `merchant`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`category`, POSITION(U&'\0000' IN o.`category`) + 1) AS STRING) END AS `category`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`city`, POSITION(U&'\0000' IN o.`city`) + 1) AS STRING) END AS `city`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`location`, POSITION(U&'\0000' IN o.`location`) + 1) AS STRING) END AS `location`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`payment_method`, POSITION(U&'\0000' IN o.`payment_method`) + 1) AS STRING) END AS `payment_method`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`payer_id`, POSITION(U&'\0000' IN o.`payer_id`) + 1) AS STRING) END AS `payer_id`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`risk_flag`, POSITION(U&'\0000' IN o.`risk_flag`) + 1) AS STRING) END AS `risk_flag`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`decline_reason`, POSITION(U&'\0000' IN o.`decline_reason`) + 1) AS STRING) END AS `decline_reason`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`refund_reason`, POSITION(U&'\0000' IN o.`refund_reason`) + 1) AS STRING) END AS `refund_reason`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`charge_back_reason`, POSITION(U&'\0000' IN o.`charge_back_reason`) + 1) AS STRING) END AS `charge_back_reason`
FROM `folded` AS o
)
SELECT o.`stream_id`, o.`revision`, o.`last_us`, o.`last_event_id`, o.`authorized_us`, o.`captured_us`, o.`declined_us`, o.`charged_back_us`, o.`refunded_us`, o.`refund_micros`, o.`authorized_micros`, o.`captured_micros`, o.`declined_micros`, o.`discount_micros`, o.`named_currency`, o.`merchant`, o.`category`, o.`city`, o.`location`, o.`payment_method`, o.`payer_id`, o.`risk_flag`, o.`decline_reason`, o.`refund_reason`, o.`charge_back_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`charged_back_us` IS NOT NULL THEN 'charged_back' WHEN o.`captured_us` IS NOT NULL AND o.`refund_micros` IS NULL THEN 'captured' WHEN o.`captured_us` IS NOT NULL AND COALESCE(o.`sum_refund_micros`, 0) >= CASE WHEN o.`captured_us` IS NOT NULL THEN COALESCE(o.`captured_micros`, o.`authorized_micros`) ELSE COALESCE(o.`authorized_micros`, o.`declined_micros`) END THEN 'refunded' WHEN o.`captured_us` IS NOT NULL THEN 'partially_refunded' WHEN o.`declined_us` IS NOT NULL THEN 'declined' WHEN o.`authorized_us` IS NOT NULL THEN 'authorized' ELSE 'waiting' END END AS `status`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`named_currency` IS NOT NULL THEN o.`named_currency` ELSE 'USD' END END AS `currency`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`captured_us` IS NOT NULL THEN COALESCE(o.`captured_micros`, o.`authorized_micros`) ELSE COALESCE(o.`authorized_micros`, o.`declined_micros`) END END AS `amount_micros`
FROM `states_told` AS o;

CREATE TEMPORARY VIEW `added` AS
SELECT o.`status` AS `k_status`, o.`merchant` AS `k_merchant`, o.`category` AS `k_category`, o.`city` AS `k_city`, o.`location` AS `k_location`, o.`payment_method` AS `k_payment_method`, o.`risk_flag` AS `k_risk_flag`, o.`payer_id` AS `k_payer_id`, o.`currency` AS `k_currency`, f.*
FROM states AS o
CROSS JOIN UNNEST(ARRAY[
  ROW(NULLIF(LEAST(COALESCE(o.`authorized_us`, CAST(9000000000000000000 AS BIGINT)), COALESCE(o.`captured_us`, CAST(9000000000000000000 AS BIGINT)), COALESCE(o.`declined_us`, CAST(9000000000000000000 AS BIGINT))), CAST(9000000000000000000 AS BIGINT)), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT)),
  ROW(o.`authorized_us`, CAST(0 AS BIGINT), CAST(1 AS BIGINT), COALESCE(CAST(o.`authorized_micros` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT)),
  ROW(o.`captured_us`, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(1 AS BIGINT), CASE WHEN o.`amount_micros` IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END, COALESCE(CAST(o.`amount_micros` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), COALESCE(CAST(o.`discount_micros` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), CAST(0 AS BIGINT), CASE WHEN o.`declined_us` IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT)),
  ROW(CASE WHEN o.`risk_flag` = 'yes' THEN o.`captured_us` END, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT)),
  ROW(CASE WHEN o.`captured_us` IS NULL THEN o.`declined_us` END, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT)),
  ROW(o.`charged_back_us`, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(1 AS BIGINT))
]) AS f (at_us, `m_payments`, `m_authorized`, `m_authorized_sum_micros`, `m_captured`, `m_amount_count`, `m_captured_sum_micros`, `m_discount_sum_micros`, `m_flagged`, `m_conflicts`, `m_declined`, `m_refunds`, `m_refunds_sum_micros`, `m_refunds_waiting`, `m_charged_back`)
WHERE f.at_us IS NOT NULL
UNION ALL
SELECT o.`status` AS `k_status`, o.`merchant` AS `k_merchant`, o.`category` AS `k_category`, o.`city` AS `k_city`, o.`location` AS `k_location`, o.`payment_method` AS `k_payment_method`, o.`risk_flag` AS `k_risk_flag`, o.`payer_id` AS `k_payer_id`, o.`currency` AS `k_currency`, CAST(SUBSTRING(i.item, 1, 17) AS BIGINT) AS at_us, CAST(0 AS BIGINT) AS `m_payments`, CAST(0 AS BIGINT) AS `m_authorized`, CAST(0 AS DECIMAL(38, 0)) AS `m_authorized_sum_micros`, CAST(0 AS BIGINT) AS `m_captured`, CAST(0 AS BIGINT) AS `m_amount_count`, CAST(0 AS DECIMAL(38, 0)) AS `m_captured_sum_micros`, CAST(0 AS DECIMAL(38, 0)) AS `m_discount_sum_micros`, CAST(0 AS BIGINT) AS `m_flagged`, CAST(0 AS BIGINT) AS `m_conflicts`, CAST(0 AS BIGINT) AS `m_declined`, CAST(1 AS BIGINT) AS `m_refunds`, COALESCE(CAST(CAST(SUBSTRING(i.item, POSITION(U&'\0000' IN i.item) + 1) AS BIGINT) AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))) AS `m_refunds_sum_micros`, CAST(0 AS BIGINT) AS `m_refunds_waiting`, CAST(0 AS BIGINT) AS `m_charged_back`
FROM states AS o CROSS JOIN UNNEST(o.`refund_micros`) AS i (item) WHERE o.`captured_us` IS NOT NULL
UNION ALL
SELECT o.`status` AS `k_status`, o.`merchant` AS `k_merchant`, o.`category` AS `k_category`, o.`city` AS `k_city`, o.`location` AS `k_location`, o.`payment_method` AS `k_payment_method`, o.`risk_flag` AS `k_risk_flag`, o.`payer_id` AS `k_payer_id`, o.`currency` AS `k_currency`, CAST(SUBSTRING(i.item, 1, 17) AS BIGINT) AS at_us, CAST(0 AS BIGINT) AS `m_payments`, CAST(0 AS BIGINT) AS `m_authorized`, CAST(0 AS DECIMAL(38, 0)) AS `m_authorized_sum_micros`, CAST(0 AS BIGINT) AS `m_captured`, CAST(0 AS BIGINT) AS `m_amount_count`, CAST(0 AS DECIMAL(38, 0)) AS `m_captured_sum_micros`, CAST(0 AS DECIMAL(38, 0)) AS `m_discount_sum_micros`, CAST(0 AS BIGINT) AS `m_flagged`, CAST(0 AS BIGINT) AS `m_conflicts`, CAST(0 AS BIGINT) AS `m_declined`, CAST(0 AS BIGINT) AS `m_refunds`, CAST(0 AS DECIMAL(38, 0)) AS `m_refunds_sum_micros`, CAST(1 AS BIGINT) AS `m_refunds_waiting`, CAST(0 AS BIGINT) AS `m_charged_back`
FROM states AS o CROSS JOIN UNNEST(o.`refunded_us`) AS i (item) WHERE o.`captured_us` IS NULL;

CREATE TEMPORARY VIEW `cells` AS
WITH `celled` AS (
SELECT g.grain, g.bucket, d.dimension, o.`k_currency` AS `currency`, d.`key`, o.`m_payments`, o.`m_authorized`, o.`m_authorized_sum_micros`, o.`m_captured`, o.`m_amount_count`, o.`m_captured_sum_micros`, o.`m_discount_sum_micros`, o.`m_flagged`, o.`m_conflicts`, o.`m_declined`, o.`m_refunds`, o.`m_refunds_sum_micros`, o.`m_refunds_waiting`, o.`m_charged_back`
FROM added AS o
CROSS JOIN UNNEST(ARRAY[
  ROW('1m', CAST(TIMESTAMPADD(SECOND, CAST(MOD(((o.at_us / 60000000 * 60000000) / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST(((o.at_us / 60000000 * 60000000) / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '+00'),
  ROW('5m', CAST(TIMESTAMPADD(SECOND, CAST(MOD(((o.at_us / 300000000 * 300000000) / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST(((o.at_us / 300000000 * 300000000) / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '+00'),
  ROW('1h', CAST(TIMESTAMPADD(SECOND, CAST(MOD(((o.at_us / 3600000000 * 3600000000) / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST(((o.at_us / 3600000000 * 3600000000) / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '+00'),
  ROW('1d', CAST(TIMESTAMPADD(SECOND, CAST(MOD((((o.at_us / 1000000 - CASE WHEN TIMESTAMPDIFF(SECOND, CAST(CAST(CAST(CAST(TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0) AS DATE) + INTERVAL '1' DAY AS DATE) AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0)), TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0)) >= 0 THEN TIMESTAMPDIFF(SECOND, CAST(CAST(CAST(CAST(TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0) AS DATE) + INTERVAL '1' DAY AS DATE) AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0)), TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0)) ELSE TIMESTAMPDIFF(SECOND, CAST(CAST(CAST(TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0) AS DATE) AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0)), TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0)) END) * 1000000) / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((((o.at_us / 1000000 - CASE WHEN TIMESTAMPDIFF(SECOND, CAST(CAST(CAST(CAST(TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0) AS DATE) + INTERVAL '1' DAY AS DATE) AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0)), TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0)) >= 0 THEN TIMESTAMPDIFF(SECOND, CAST(CAST(CAST(CAST(TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0) AS DATE) + INTERVAL '1' DAY AS DATE) AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0)), TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0)) ELSE TIMESTAMPDIFF(SECOND, CAST(CAST(CAST(TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0) AS DATE) AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0)), TO_TIMESTAMP_LTZ(o.at_us / 1000000 - 2209075200, 0)) END) * 1000000) / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '+00'),
  ROW('all', CAST(TIMESTAMPADD(SECOND, CAST(MOD(((CAST(2209075200000000 AS BIGINT)) / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST(((CAST(2209075200000000 AS BIGINT)) / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '+00')
]) AS g (grain, bucket)
CROSS JOIN UNNEST(ARRAY[
  ROW('none', 'all'),
  ROW('status', COALESCE(o.`k_status`, 'unknown')),
  ROW('merchant', COALESCE(o.`k_merchant`, 'unknown')),
  ROW('category', COALESCE(o.`k_category`, 'unknown')),
  ROW('city', COALESCE(o.`k_city`, 'unknown')),
  ROW('location', COALESCE(o.`k_location`, 'unknown')),
  ROW('payment_method', COALESCE(o.`k_payment_method`, 'unknown')),
  ROW('risk_flag', COALESCE(o.`k_risk_flag`, 'unknown'))
]) AS d (dimension, `key`)
)
SELECT `grain`, `dimension`, `bucket`, `currency`, `key`, SUM(`m_payments`) AS `payments`, SUM(`m_authorized`) AS `authorized`, SUM(`m_authorized_sum_micros`) AS `authorized_sum_micros`, SUM(`m_captured`) AS `captured`, SUM(`m_amount_count`) AS `amount_count`, SUM(`m_captured_sum_micros`) AS `captured_sum_micros`, SUM(`m_discount_sum_micros`) AS `discount_sum_micros`, SUM(`m_flagged`) AS `flagged`, SUM(`m_conflicts`) AS `conflicts`, SUM(`m_declined`) AS `declined`, SUM(`m_refunds`) AS `refunds`, SUM(`m_refunds_sum_micros`) AS `refunds_sum_micros`, SUM(`m_refunds_waiting`) AS `refunds_waiting`, SUM(`m_charged_back`) AS `charged_back`
FROM celled GROUP BY `grain`, `dimension`, `bucket`, `currency`, `key`;

CREATE TEMPORARY VIEW `totals` AS
SELECT d.dimension, o.`k_currency` AS `currency`, d.`key`, SUM(o.`m_captured`) AS `captured`, SUM(o.`m_amount_count`) AS `amount_count`, SUM(o.`m_captured_sum_micros`) AS `captured_sum_micros`, SUM(o.`m_declined`) AS `declined`, SUM(o.`m_refunds`) AS `refunds`, SUM(o.`m_refunds_sum_micros`) AS `refunds_sum_micros`, SUM(o.`m_charged_back`) AS `charged_back`
FROM added AS o
CROSS JOIN UNNEST(ARRAY[
  ROW('payer', COALESCE(o.`k_payer_id`, 'unknown'))
]) AS d (dimension, `key`)
WHERE o.`m_captured` <> 0 OR o.`m_amount_count` <> 0 OR o.`m_captured_sum_micros` <> 0 OR o.`m_declined` <> 0 OR o.`m_refunds` <> 0 OR o.`m_refunds_sum_micros` <> 0 OR o.`m_charged_back` <> 0
GROUP BY d.dimension, o.`k_currency`, d.`key`;

CREATE TEMPORARY TABLE `transactions_table` (
  `payment_id` STRING,
  `revision` INT,
  `authorized_at` STRING,
  `captured_at` STRING,
  `declined_at` STRING,
  `charged_back_at` STRING,
  `refunded_ats` STRING,
  `refund_micros` STRING,
  `authorized_micros` BIGINT,
  `captured_micros` BIGINT,
  `declined_micros` BIGINT,
  `discount_micros` BIGINT,
  `named_currency` STRING,
  `merchant` STRING,
  `category` STRING,
  `city` STRING,
  `location` STRING,
  `payment_method` STRING,
  `payer_id` STRING,
  `risk_flag` STRING,
  `decline_reason` STRING,
  `refund_reason` STRING,
  `charge_back_reason` STRING,
  `status` STRING,
  `currency` STRING,
  `amount_micros` BIGINT,
  `last_occurred_at` STRING,
  `last_event_id` STRING,
  PRIMARY KEY (`payment_id`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'transactions',
  'username' = 'flink',
  'password' = 'it''s',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s',
  'sink.max-retries' = '10'
);

CREATE TEMPORARY TABLE `transaction_cells_table` (
  `grain` STRING,
  `dimension` STRING,
  `bucket` STRING,
  `currency` STRING,
  `key` STRING,
  `payments` BIGINT,
  `authorized` BIGINT,
  `authorized_sum_micros` DECIMAL(38, 0),
  `captured` BIGINT,
  `amount_count` BIGINT,
  `captured_sum_micros` DECIMAL(38, 0),
  `discount_sum_micros` DECIMAL(38, 0),
  `flagged` BIGINT,
  `conflicts` BIGINT,
  `declined` BIGINT,
  `refunds` BIGINT,
  `refunds_sum_micros` DECIMAL(38, 0),
  `refunds_waiting` BIGINT,
  `charged_back` BIGINT,
  PRIMARY KEY (`grain`, `dimension`, `bucket`, `currency`, `key`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'transaction_cells',
  'username' = 'flink',
  'password' = 'it''s',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s',
  'sink.max-retries' = '10'
);

CREATE TEMPORARY TABLE `transaction_totals_table` (
  `dimension` STRING,
  `currency` STRING,
  `key` STRING,
  `captured` BIGINT,
  `amount_count` BIGINT,
  `captured_sum_micros` DECIMAL(38, 0),
  `declined` BIGINT,
  `refunds` BIGINT,
  `refunds_sum_micros` DECIMAL(38, 0),
  `charged_back` BIGINT,
  PRIMARY KEY (`dimension`, `currency`, `key`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'transaction_totals',
  'username' = 'flink',
  'password' = 'it''s',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s',
  'sink.max-retries' = '10'
);

CREATE TEMPORARY TABLE `flink_progress_table` (
  `topic` STRING,
  `partition` INT,
  `next_offset` BIGINT,
  PRIMARY KEY (`topic`, `partition`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'flink_progress',
  'username' = 'flink',
  'password' = 'it''s',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s',
  'sink.max-retries' = '10'
);

CREATE TEMPORARY TABLE quarantine (
  reason STRING, path STRING, `topic` STRING, `partition` INT, `offset` BIGINT, message_key STRING, message_value BYTES
) WITH (
  'connector' = 'kafka',
  'topic' = 'events.quarantine',
  'properties.bootstrap.servers' = 'kafka:9092',
  'format' = 'json',
  'sink.delivery-guarantee' = 'at-least-once'
);

EXECUTE STATEMENT SET BEGIN
INSERT INTO flink_progress_table SELECT `topic`, `partition`, MAX(`offset`) + 1 FROM messages GROUP BY `topic`, `partition`;
INSERT INTO `transactions_table` SELECT o.stream_id, o.revision, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`authorized_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`authorized_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`authorized_us`, 1000000) AS STRING), 6, '0') || '+00', CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`captured_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`captured_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`captured_us`, 1000000) AS STRING), 6, '0') || '+00', CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`declined_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`declined_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`declined_us`, 1000000) AS STRING), 6, '0') || '+00', CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`charged_back_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`charged_back_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`charged_back_us`, 1000000) AS STRING), 6, '0') || '+00', '{' || SUBSTRING(REGEXP_REPLACE(ARRAY_JOIN(o.`refunded_us`, U&'\0001'), '(?:^|\x01)[0-9]{17}[^\x00]*\x00', ','), 2) || '}', '{' || SUBSTRING(REGEXP_REPLACE(ARRAY_JOIN(o.`refund_micros`, U&'\0001'), '(?:^|\x01)[0-9]{17}[^\x00]*\x00', ','), 2) || '}', o.`authorized_micros`, o.`captured_micros`, o.`declined_micros`, o.`discount_micros`, o.`named_currency`, o.`merchant`, o.`category`, o.`city`, o.`location`, o.`payment_method`, o.`payer_id`, o.`risk_flag`, o.`decline_reason`, o.`refund_reason`, o.`charge_back_reason`, o.`status`, o.`currency`, o.`amount_micros`, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.last_us / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.last_us / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.last_us, 1000000) AS STRING), 6, '0') || '+00', o.last_event_id FROM `states` AS o;
INSERT INTO `transaction_cells_table` SELECT `grain`, `dimension`, `bucket`, `currency`, `key`, `payments`, `authorized`, `authorized_sum_micros`, `captured`, `amount_count`, `captured_sum_micros`, `discount_sum_micros`, `flagged`, `conflicts`, `declined`, `refunds`, `refunds_sum_micros`, `refunds_waiting`, `charged_back` FROM `cells` AS o;
INSERT INTO `transaction_totals_table` SELECT `dimension`, `currency`, `key`, `captured`, `amount_count`, `captured_sum_micros`, `declined`, `refunds`, `refunds_sum_micros`, `charged_back` FROM `totals` AS o;
INSERT INTO quarantine SELECT SPLIT_INDEX(fault, ' ', 0), SPLIT_INDEX(fault, ' ', 1), `topic`, `partition`, `offset`, message_key, `value` FROM decoded WHERE fault IS NOT NULL;
INSERT INTO quarantine SELECT 'identity_conflict', 'id', `topic`, `partition`, `offset`, CAST(NULL AS STRING), CAST(NULL AS BYTES) FROM numbered WHERE ids = ids_before AND contents > contents_before;
END;
