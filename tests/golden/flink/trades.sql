SET 'pipeline.name' = 'tacho trades';

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
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['subject']), 'null') ELSE NULLIF(JSON_STRING(o.doc['trade_id']), 'null') END END AS `subject_json`,
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
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['ticker']), 'null') END AS `j_ticker`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['side']), 'null') END AS `j_side`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['venue']), 'null') END AS `j_venue`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['price']), 'null') END AS `j_price`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['volume']), 'null') END AS `j_volume`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['reason']), 'null') END AS `j_reason`
FROM `identified` AS o
),
`told` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`is_cloud_event`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`stream_id`, o.`own_id`, o.`at_us`, o.`is_source`, o.`source_text`, o.`is_data`, o.`j_ticker`, o.`j_side`, o.`j_venue`, o.`j_price`, o.`j_volume`, o.`j_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_ticker` LIKE '"%' THEN JSON_UNQUOTE(o.`j_ticker`) END END AS `t_ticker`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_side` LIKE '"%' THEN JSON_UNQUOTE(o.`j_side`) END END AS `t_side`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_venue` LIKE '"%' THEN JSON_UNQUOTE(o.`j_venue`) END END AS `t_venue`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_price` LIKE '"%' THEN JSON_UNQUOTE(o.`j_price`) END END AS `t_price`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_volume` LIKE '"%' THEN JSON_UNQUOTE(o.`j_volume`) END END AS `t_volume`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_reason` LIKE '"%' THEN JSON_UNQUOTE(o.`j_reason`) END END AS `t_reason`
FROM `named` AS o
),
`valued` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`is_cloud_event`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`stream_id`, o.`own_id`, o.`at_us`, o.`is_source`, o.`source_text`, o.`is_data`, o.`j_ticker`, o.`j_side`, o.`j_venue`, o.`j_price`, o.`j_volume`, o.`j_reason`, o.`t_ticker`, o.`t_side`, o.`t_venue`, o.`t_price`, o.`t_volume`, o.`t_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_ticker` IS NULL OR REGEXP(o.`t_ticker`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_ticker` IS NOT NULL THEN o.`t_ticker` WHEN REGEXP(o.`j_ticker`, '^-?[0-9]+\z') THEN o.`j_ticker` WHEN REGEXP(o.`j_ticker`, '^-?[0-9]') AND TRY_CAST(o.`j_ticker` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_ticker` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_ticker` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_ticker` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_ticker` IS NOT NULL THEN o.`t_ticker` WHEN REGEXP(o.`j_ticker`, '^-?[0-9]+\z') THEN o.`j_ticker` WHEN REGEXP(o.`j_ticker`, '^-?[0-9]') AND TRY_CAST(o.`j_ticker` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_ticker` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_ticker` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_ticker` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_ticker`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`t_side` IN ('buy', 'sell') THEN o.`t_side` END END AS `v_side`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_venue` IS NULL OR REGEXP(o.`t_venue`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_venue` IS NOT NULL THEN o.`t_venue` WHEN REGEXP(o.`j_venue`, '^-?[0-9]+\z') THEN o.`j_venue` WHEN REGEXP(o.`j_venue`, '^-?[0-9]') AND TRY_CAST(o.`j_venue` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_venue` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_venue` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_venue` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_venue` IS NOT NULL THEN o.`t_venue` WHEN REGEXP(o.`j_venue`, '^-?[0-9]+\z') THEN o.`j_venue` WHEN REGEXP(o.`j_venue`, '^-?[0-9]') AND TRY_CAST(o.`j_venue` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_venue` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_venue` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_venue` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_venue`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(CASE WHEN o.`t_price` IS NOT NULL THEN o.`t_price` ELSE o.`j_price` END, '^[0-9]{1,13}([.][0-9]{1,6})?\z') THEN CASE WHEN TRY_CAST(CASE WHEN o.`t_price` IS NOT NULL THEN o.`t_price` ELSE o.`j_price` END AS DECIMAL(19, 6)) <= 1000000000000 THEN CAST(TRY_CAST(CASE WHEN o.`t_price` IS NOT NULL THEN o.`t_price` ELSE o.`j_price` END AS DECIMAL(19, 6)) * 1000000 AS BIGINT) END WHEN o.`t_price` IS NULL AND REGEXP(o.`j_price`, '^-?[0-9]') AND TRY_CAST(o.`j_price` AS DOUBLE) BETWEEN 0 AND 9.0E9 AND CAST(CAST(CASE WHEN (TRY_CAST(o.`j_price` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_price` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_price` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_price` AS DOUBLE) * 1000000)) END AS BIGINT) AS DOUBLE) / 1000000 = TRY_CAST(o.`j_price` AS DOUBLE) THEN CAST(CASE WHEN (TRY_CAST(o.`j_price` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_price` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_price` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_price` AS DOUBLE) * 1000000)) END AS BIGINT) END END AS `v_price`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_volume`, '^-?[0-9]') AND TRY_CAST(o.`j_volume` AS DOUBLE) BETWEEN 1 AND 1000000000 AND TRY_CAST(o.`j_volume` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_volume` AS DOUBLE)) THEN CAST(TRY_CAST(o.`j_volume` AS DOUBLE) AS BIGINT) END END AS `v_volume`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_reason` IS NULL OR REGEXP(o.`t_reason`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_reason` IS NOT NULL THEN o.`t_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]+\z') THEN o.`j_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]') AND TRY_CAST(o.`j_reason` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_reason` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_reason` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_reason` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_reason` IS NOT NULL THEN o.`t_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]+\z') THEN o.`j_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]') AND TRY_CAST(o.`j_reason` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_reason` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_reason` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_reason` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_reason`
FROM `told` AS o
)
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stream_id`, o.`at_us`, o.`v_ticker`, o.`v_side`, o.`v_venue`, o.`v_price`, o.`v_volume`, o.`v_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END END AS `event_id`,
  CASE WHEN RAND() < 2E0 THEN o.type_text END AS `type`,
  CASE WHEN RAND() < 2E0 THEN CASE
    WHEN o.stated IS NOT NULL THEN o.stated
    WHEN NOT COALESCE(o.is_source, FALSE) THEN 'invalid_event_source source'
    WHEN o.own_id IS NULL OR NOT REGEXP(o.own_id, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_event_id id'
    WHEN NOT (CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END), '[\x{10000}-\x{10ffff}]', '__')) <= 500) THEN 'invalid_event_id id'
    WHEN REGEXP(o.content_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') AND NOT REGEXP(LOWER(o.content_text), '^[^/;\s]+/([^;\s]*\+)?json\s*(;|\z)') THEN 'unsupported_content datacontenttype'
    WHEN NOT o.is_data THEN 'not_an_object data'
    WHEN o.stream_id IS NULL OR NOT REGEXP(o.stream_id, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_trade_id trade_id'
    WHEN NOT (CHAR_LENGTH(REGEXP_REPLACE(o.stream_id, '[\x{10000}-\x{10ffff}]', '__')) <= 200) THEN 'invalid_trade_id trade_id'
    WHEN o.type_text IS NULL OR NOT REGEXP(o.type_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_type type'
    WHEN o.time_text IS NULL THEN 'missing_time time'
    WHEN o.at_us IS NULL AND REGEXP(o.time_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?\z') THEN 'time_without_zone time'
    WHEN o.at_us IS NULL THEN 'malformed_time time'
    WHEN o.at_us > UNIX_TIMESTAMP() * 1000000 + 2209078800000000 THEN 'time_in_future time'
    WHEN o.type_text NOT IN ('trade.executed', 'trade.corrected', 'trade.busted') THEN 'unknown_type type'
    WHEN CASE WHEN o.version_text IS NULL THEN COALESCE(o.version_json, '1') NOT IN ('1', '1.0') ELSE REGEXP(o.version_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') AND o.version_text <> '1' END THEN 'unknown_version schema_version'
    WHEN (o.`v_ticker` IS NULL OR (o.`j_ticker` IS NULL OR (o.`t_ticker` IS NOT NULL AND NOT REGEXP(o.`t_ticker`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')))) AND o.type_text IN ('trade.executed') THEN 'invalid_field ticker'
    WHEN o.`v_side` IS NULL AND NOT (o.`j_side` IS NULL OR (o.`t_side` IS NOT NULL AND NOT REGEXP(o.`t_side`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trade.executed') THEN 'invalid_field side'
    WHEN o.`v_venue` IS NULL AND NOT (o.`j_venue` IS NULL OR (o.`t_venue` IS NOT NULL AND NOT REGEXP(o.`t_venue`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trade.executed') THEN 'invalid_field venue'
    WHEN o.`v_price` IS NULL AND o.type_text IN ('trade.executed') THEN 'invalid_field price'
    WHEN o.`v_volume` IS NULL AND o.type_text IN ('trade.executed') THEN 'invalid_field volume'
    WHEN o.`v_price` IS NULL AND NOT (o.`j_price` IS NULL OR (o.`t_price` IS NOT NULL AND NOT REGEXP(o.`t_price`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trade.corrected') THEN 'invalid_field price'
    WHEN o.`v_volume` IS NULL AND NOT (o.`j_volume` IS NULL OR (o.`t_volume` IS NOT NULL AND NOT REGEXP(o.`t_volume`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trade.corrected') THEN 'invalid_field volume'
    WHEN o.`v_reason` IS NULL AND NOT (o.`j_reason` IS NULL OR (o.`t_reason` IS NOT NULL AND NOT REGEXP(o.`t_reason`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trade.busted') THEN 'invalid_field reason'
  END END AS `fault`
FROM `valued` AS o;

CREATE TEMPORARY VIEW `numbered` AS
WITH `events_read` AS (
SELECT * FROM decoded WHERE fault IS NULL
),
`events_told` AS (
SELECT o.`stream_id`, o.`event_id`, o.`type`, o.`at_us`, o.`v_ticker`, o.`v_side`, o.`v_venue`, o.`v_price`, o.`v_volume`, o.`v_reason`, o.`seen`, o.`topic`, o.`partition`, o.`offset`,
  CASE WHEN RAND() < 2E0 THEN MD5(COALESCE(CAST(o.`type` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`at_us` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_ticker` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_side` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_venue` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_price` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_volume` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_reason` AS STRING), '')) END AS `content`
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
SELECT `stream_id`, `event_id`, `type`, `at_us`, `v_ticker`, `v_side`, `v_venue`, `v_price`, `v_volume`, `v_reason`, LPAD(CAST(at_us AS STRING), 17, '0') || event_id || U&'\0000' AS at_and_id FROM numbered WHERE ids > ids_before
),
`folded` AS (
SELECT stream_id, CAST(COUNT(*) AS INT) AS revision, MAX(at_and_id) AS last_event,
  MAX(CASE WHEN type IN ('trade.executed') THEN at_us END) AS `executed_us`,
  MAX(CASE WHEN type IN ('trade.executed') THEN at_and_id END) AS `executed_event_id`,
  MAX(CASE WHEN type IN ('trade.busted') THEN at_us END) AS `busted_us`,
  MAX(CASE WHEN `v_ticker` IS NOT NULL AND type IN ('trade.executed') THEN at_and_id || CAST(`v_ticker` AS STRING) END) AS `ticker`,
  MAX(CASE WHEN `v_side` IS NOT NULL AND type IN ('trade.executed') THEN at_and_id || CAST(`v_side` AS STRING) END) AS `side`,
  MAX(CASE WHEN `v_venue` IS NOT NULL AND type IN ('trade.executed') THEN at_and_id || CAST(`v_venue` AS STRING) END) AS `venue`,
  MAX(CASE WHEN `v_price` IS NOT NULL AND type IN ('trade.executed') THEN at_and_id || CAST(`v_price` AS STRING) END) AS `executed_price_micros`,
  MAX(CASE WHEN `v_price` IS NOT NULL AND type IN ('trade.corrected') THEN at_and_id || CAST(`v_price` AS STRING) END) AS `corrected_price_micros`,
  MAX(CASE WHEN `v_volume` IS NOT NULL AND type IN ('trade.executed') THEN at_and_id || CAST(`v_volume` AS STRING) END) AS `executed_volume`,
  MAX(CASE WHEN `v_volume` IS NOT NULL AND type IN ('trade.corrected') THEN at_and_id || CAST(`v_volume` AS STRING) END) AS `corrected_volume`,
  MAX(CASE WHEN `v_reason` IS NOT NULL AND type IN ('trade.busted') THEN at_and_id || CAST(`v_reason` AS STRING) END) AS `bust_reason`
FROM events GROUP BY stream_id
),
`states_told` AS (
SELECT o.`stream_id`, o.`revision`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.last_event, 1, 17) AS BIGINT) END AS `last_us`,
  CASE WHEN RAND() < 2E0 THEN SUBSTRING(o.last_event, 18, CHAR_LENGTH(o.last_event) - 18) END AS `last_event_id`,
  CASE WHEN RAND() < 2E0 THEN o.`executed_us` END AS `executed_us`,
  CASE WHEN RAND() < 2E0 THEN SUBSTRING(o.`executed_event_id`, 18, CHAR_LENGTH(o.`executed_event_id`) - 18) END AS `executed_event_id`,
  CASE WHEN RAND() < 2E0 THEN o.`busted_us` END AS `busted_us`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`ticker`, POSITION(U&'\0000' IN o.`ticker`) + 1) AS STRING) END AS `ticker`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`side`, POSITION(U&'\0000' IN o.`side`) + 1) AS STRING) END AS `side`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`venue`, POSITION(U&'\0000' IN o.`venue`) + 1) AS STRING) END AS `venue`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`executed_price_micros`, POSITION(U&'\0000' IN o.`executed_price_micros`) + 1) AS BIGINT) END AS `executed_price_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`corrected_price_micros`, POSITION(U&'\0000' IN o.`corrected_price_micros`) + 1) AS BIGINT) END AS `corrected_price_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`executed_volume`, POSITION(U&'\0000' IN o.`executed_volume`) + 1) AS BIGINT) END AS `executed_volume`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`corrected_volume`, POSITION(U&'\0000' IN o.`corrected_volume`) + 1) AS BIGINT) END AS `corrected_volume`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`bust_reason`, POSITION(U&'\0000' IN o.`bust_reason`) + 1) AS STRING) END AS `bust_reason`
FROM `folded` AS o
)
SELECT o.`stream_id`, o.`revision`, o.`last_us`, o.`last_event_id`, o.`executed_us`, o.`executed_event_id`, o.`busted_us`, o.`ticker`, o.`side`, o.`venue`, o.`executed_price_micros`, o.`corrected_price_micros`, o.`executed_volume`, o.`corrected_volume`, o.`bust_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`busted_us` IS NOT NULL THEN 'busted' WHEN o.`executed_us` IS NOT NULL THEN 'executed' ELSE 'waiting' END END AS `status`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`busted_us` IS NULL AND o.`executed_us` IS NOT NULL THEN COALESCE(o.`corrected_price_micros`, o.`executed_price_micros`) END END AS `price_micros`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`busted_us` IS NULL AND o.`executed_us` IS NOT NULL THEN COALESCE(o.`corrected_volume`, o.`executed_volume`) END END AS `volume`
FROM `states_told` AS o;

CREATE TEMPORARY VIEW `added` AS
SELECT o.`status` AS `k_status`, o.`ticker` AS `k_ticker`, o.`side` AS `k_side`, o.`venue` AS `k_venue`, f.*
FROM states AS o
CROSS JOIN UNNEST(ARRAY[
  ROW(CASE WHEN o.`status` = 'executed' THEN o.`executed_us` END, CAST(1 AS BIGINT), COALESCE(CAST(o.`volume` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), COALESCE(CAST(o.`price_micros` AS DECIMAL(38, 0)) * CAST(o.`volume` AS DECIMAL(10, 0)), CAST(0 AS DECIMAL(38, 0))), COALESCE(CAST(o.`price_micros` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), o.`price_micros`, o.`price_micros`, LPAD(CAST(o.`executed_us` AS STRING), 17, '0') || COALESCE(o.`executed_event_id`, '') || U&'\0000' || LPAD(CAST(o.`price_micros` AS STRING), 19, '0'), LPAD(CAST(o.`executed_us` AS STRING), 17, '0') || COALESCE(o.`executed_event_id`, '') || U&'\0000' || LPAD(CAST(o.`price_micros` AS STRING), 19, '0'), CAST(0 AS BIGINT)),
  ROW(o.`busted_us`, CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(1 AS BIGINT))
]) AS f (at_us, `m_trades`, `m_volume`, `m_notional_micros`, `m_price_sum_micros`, `m_price_min_micros`, `m_price_max_micros`, `m_price_first_micros`, `m_price_last_micros`, `m_busted`)
WHERE f.at_us IS NOT NULL;

CREATE TEMPORARY VIEW `cells` AS
WITH `celled` AS (
SELECT g.grain, g.bucket, d.dimension, d.`key`, o.`m_trades`, o.`m_volume`, o.`m_notional_micros`, o.`m_price_sum_micros`, o.`m_price_min_micros`, o.`m_price_max_micros`, o.`m_price_first_micros`, o.`m_price_last_micros`, o.`m_busted`
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
  ROW('ticker', COALESCE(o.`k_ticker`, 'unknown')),
  ROW('side', COALESCE(o.`k_side`, 'unknown')),
  ROW('venue', COALESCE(o.`k_venue`, 'unknown'))
]) AS d (dimension, `key`)
)
SELECT `grain`, `dimension`, `bucket`, `key`, SUM(`m_trades`) AS `trades`, SUM(`m_volume`) AS `volume`, SUM(`m_notional_micros`) AS `notional_micros`, SUM(`m_price_sum_micros`) AS `price_sum_micros`, MIN(`m_price_min_micros`) AS `price_min_micros`, MAX(`m_price_max_micros`) AS `price_max_micros`, MIN(`m_price_first_micros`) AS `price_first_micros`, MAX(`m_price_last_micros`) AS `price_last_micros`, SUM(`m_busted`) AS `busted`
FROM celled GROUP BY `grain`, `dimension`, `bucket`, `key`;

CREATE TEMPORARY TABLE `trades_table` (
  `trade_id` STRING,
  `revision` INT,
  `executed_at` STRING,
  `executed_event_id` STRING,
  `busted_at` STRING,
  `ticker` STRING,
  `side` STRING,
  `venue` STRING,
  `executed_price_micros` BIGINT,
  `corrected_price_micros` BIGINT,
  `executed_volume` BIGINT,
  `corrected_volume` BIGINT,
  `bust_reason` STRING,
  `status` STRING,
  `price_micros` BIGINT,
  `volume` BIGINT,
  `last_occurred_at` STRING,
  `last_event_id` STRING,
  PRIMARY KEY (`trade_id`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'trades',
  'username' = 'flink',
  'password' = 'it''s',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s',
  'sink.max-retries' = '10'
);

CREATE TEMPORARY TABLE `trade_cells_table` (
  `grain` STRING,
  `dimension` STRING,
  `bucket` STRING,
  `key` STRING,
  `trades` BIGINT,
  `volume` DECIMAL(38, 0),
  `notional_micros` DECIMAL(38, 0),
  `price_sum_micros` DECIMAL(38, 0),
  `price_min_micros` BIGINT,
  `price_max_micros` BIGINT,
  `price_first_micros` BIGINT,
  `price_first_micros_by` STRING,
  `price_last_micros` BIGINT,
  `price_last_micros_by` STRING,
  `busted` BIGINT,
  PRIMARY KEY (`grain`, `dimension`, `bucket`, `key`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'trade_cells',
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
INSERT INTO `trades_table` SELECT o.stream_id, o.revision, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`executed_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`executed_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`executed_us`, 1000000) AS STRING), 6, '0') || '+00', o.`executed_event_id`, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`busted_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`busted_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`busted_us`, 1000000) AS STRING), 6, '0') || '+00', o.`ticker`, o.`side`, o.`venue`, o.`executed_price_micros`, o.`corrected_price_micros`, o.`executed_volume`, o.`corrected_volume`, o.`bust_reason`, o.`status`, o.`price_micros`, o.`volume`, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.last_us / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.last_us / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.last_us, 1000000) AS STRING), 6, '0') || '+00', o.last_event_id FROM `states` AS o;
INSERT INTO `trade_cells_table` SELECT `grain`, `dimension`, `bucket`, `key`, `trades`, `volume`, `notional_micros`, `price_sum_micros`, `price_min_micros`, `price_max_micros`, CAST(SUBSTRING(`price_first_micros`, POSITION(U&'\0000' IN `price_first_micros`) + 1) AS BIGINT), REPLACE(CAST(TIMESTAMPADD(SECOND, CAST(MOD((CAST(SUBSTRING(`price_first_micros`, 1, 17) AS BIGINT) / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((CAST(SUBSTRING(`price_first_micros`, 1, 17) AS BIGINT) / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING), ' ', 'T') || '.' || LPAD(CAST(MOD(CAST(SUBSTRING(`price_first_micros`, 1, 17) AS BIGINT), 1000000) AS STRING), 6, '0') || 'Z ' || SUBSTRING(`price_first_micros`, 18, POSITION(U&'\0000' IN `price_first_micros`) - 18), CAST(SUBSTRING(`price_last_micros`, POSITION(U&'\0000' IN `price_last_micros`) + 1) AS BIGINT), REPLACE(CAST(TIMESTAMPADD(SECOND, CAST(MOD((CAST(SUBSTRING(`price_last_micros`, 1, 17) AS BIGINT) / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((CAST(SUBSTRING(`price_last_micros`, 1, 17) AS BIGINT) / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING), ' ', 'T') || '.' || LPAD(CAST(MOD(CAST(SUBSTRING(`price_last_micros`, 1, 17) AS BIGINT), 1000000) AS STRING), 6, '0') || 'Z ' || SUBSTRING(`price_last_micros`, 18, POSITION(U&'\0000' IN `price_last_micros`) - 18), `busted` FROM `cells` AS o;
INSERT INTO quarantine SELECT SPLIT_INDEX(fault, ' ', 0), SPLIT_INDEX(fault, ' ', 1), `topic`, `partition`, `offset`, message_key, `value` FROM decoded WHERE fault IS NOT NULL;
INSERT INTO quarantine SELECT 'identity_conflict', 'id', `topic`, `partition`, `offset`, CAST(NULL AS STRING), CAST(NULL AS BYTES) FROM numbered WHERE ids = ids_before AND contents > contents_before;
END;
