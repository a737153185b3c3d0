SET 'pipeline.name' = 'tacho trips';

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
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN NULLIF(JSON_STRING(o.doc['subject']), 'null') ELSE NULLIF(JSON_STRING(o.doc['trip_id']), 'null') END END AS `subject_json`,
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
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['passenger_id']), 'null') END AS `j_passenger_id`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['vehicle_type']), 'null') END AS `j_vehicle_type`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['city']), 'null') END AS `j_city`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['pickup_zone']), 'null') END AS `j_pickup_zone`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['dropoff_zone']), 'null') END AS `j_dropoff_zone`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['pickup_lat']), 'null') END AS `j_pickup_lat`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['pickup_lon']), 'null') END AS `j_pickup_lon`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['currency']), 'null') END AS `j_currency`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['driver_id']), 'null') END AS `j_driver_id`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['vendor_id']), 'null') END AS `j_vendor_id`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['estimated_fare']), 'null') END AS `j_estimated_fare`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['estimated_dropoff_at']), 'null') END AS `j_estimated_dropoff_at`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['payment_method']), 'null') END AS `j_payment_method`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['dropoff_lat']), 'null') END AS `j_dropoff_lat`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['dropoff_lon']), 'null') END AS `j_dropoff_lon`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['fare']), 'null') END AS `j_fare`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['tip']), 'null') END AS `j_tip`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['distance_km']), 'null') END AS `j_distance_km`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['duration_min']), 'null') END AS `j_duration_min`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['passenger_count']), 'null') END AS `j_passenger_count`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['rate_code']), 'null') END AS `j_rate_code`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['trip_type']), 'null') END AS `j_trip_type`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['reason']), 'null') END AS `j_reason`,
  CASE WHEN RAND() < 2E0 THEN NULLIF(JSON_STRING(o.data['canceled_by']), 'null') END AS `j_canceled_by`
FROM `identified` AS o
),
`told` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`is_cloud_event`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`stream_id`, o.`own_id`, o.`at_us`, o.`is_source`, o.`source_text`, o.`is_data`, o.`j_passenger_id`, o.`j_vehicle_type`, o.`j_city`, o.`j_pickup_zone`, o.`j_dropoff_zone`, o.`j_pickup_lat`, o.`j_pickup_lon`, o.`j_currency`, o.`j_driver_id`, o.`j_vendor_id`, o.`j_estimated_fare`, o.`j_estimated_dropoff_at`, o.`j_payment_method`, o.`j_dropoff_lat`, o.`j_dropoff_lon`, o.`j_fare`, o.`j_tip`, o.`j_distance_km`, o.`j_duration_min`, o.`j_passenger_count`, o.`j_rate_code`, o.`j_trip_type`, o.`j_reason`, o.`j_canceled_by`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_passenger_id` LIKE '"%' THEN JSON_UNQUOTE(o.`j_passenger_id`) END END AS `t_passenger_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_vehicle_type` LIKE '"%' THEN JSON_UNQUOTE(o.`j_vehicle_type`) END END AS `t_vehicle_type`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_city` LIKE '"%' THEN JSON_UNQUOTE(o.`j_city`) END END AS `t_city`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_pickup_zone` LIKE '"%' THEN JSON_UNQUOTE(o.`j_pickup_zone`) END END AS `t_pickup_zone`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_dropoff_zone` LIKE '"%' THEN JSON_UNQUOTE(o.`j_dropoff_zone`) END END AS `t_dropoff_zone`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_pickup_lat` LIKE '"%' THEN JSON_UNQUOTE(o.`j_pickup_lat`) END END AS `t_pickup_lat`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_pickup_lon` LIKE '"%' THEN JSON_UNQUOTE(o.`j_pickup_lon`) END END AS `t_pickup_lon`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_currency` LIKE '"%' THEN JSON_UNQUOTE(o.`j_currency`) END END AS `t_currency`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_driver_id` LIKE '"%' THEN JSON_UNQUOTE(o.`j_driver_id`) END END AS `t_driver_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_vendor_id` LIKE '"%' THEN JSON_UNQUOTE(o.`j_vendor_id`) END END AS `t_vendor_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_estimated_fare` LIKE '"%' THEN JSON_UNQUOTE(o.`j_estimated_fare`) END END AS `t_estimated_fare`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_estimated_dropoff_at` LIKE '"%' THEN JSON_UNQUOTE(o.`j_estimated_dropoff_at`) END END AS `t_estimated_dropoff_at`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_payment_method` LIKE '"%' THEN JSON_UNQUOTE(o.`j_payment_method`) END END AS `t_payment_method`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_dropoff_lat` LIKE '"%' THEN JSON_UNQUOTE(o.`j_dropoff_lat`) END END AS `t_dropoff_lat`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_dropoff_lon` LIKE '"%' THEN JSON_UNQUOTE(o.`j_dropoff_lon`) END END AS `t_dropoff_lon`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_fare` LIKE '"%' THEN JSON_UNQUOTE(o.`j_fare`) END END AS `t_fare`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_tip` LIKE '"%' THEN JSON_UNQUOTE(o.`j_tip`) END END AS `t_tip`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_distance_km` LIKE '"%' THEN JSON_UNQUOTE(o.`j_distance_km`) END END AS `t_distance_km`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_duration_min` LIKE '"%' THEN JSON_UNQUOTE(o.`j_duration_min`) END END AS `t_duration_min`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_passenger_count` LIKE '"%' THEN JSON_UNQUOTE(o.`j_passenger_count`) END END AS `t_passenger_count`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_rate_code` LIKE '"%' THEN JSON_UNQUOTE(o.`j_rate_code`) END END AS `t_rate_code`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_trip_type` LIKE '"%' THEN JSON_UNQUOTE(o.`j_trip_type`) END END AS `t_trip_type`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_reason` LIKE '"%' THEN JSON_UNQUOTE(o.`j_reason`) END END AS `t_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`j_canceled_by` LIKE '"%' THEN JSON_UNQUOTE(o.`j_canceled_by`) END END AS `t_canceled_by`
FROM `named` AS o
),
`valued` AS (
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stated`, o.`is_cloud_event`, o.`type_text`, o.`time_text`, o.`version_json`, o.`version_text`, o.`content_text`, o.`stream_id`, o.`own_id`, o.`at_us`, o.`is_source`, o.`source_text`, o.`is_data`, o.`j_passenger_id`, o.`j_vehicle_type`, o.`j_city`, o.`j_pickup_zone`, o.`j_dropoff_zone`, o.`j_pickup_lat`, o.`j_pickup_lon`, o.`j_currency`, o.`j_driver_id`, o.`j_vendor_id`, o.`j_estimated_fare`, o.`j_estimated_dropoff_at`, o.`j_payment_method`, o.`j_dropoff_lat`, o.`j_dropoff_lon`, o.`j_fare`, o.`j_tip`, o.`j_distance_km`, o.`j_duration_min`, o.`j_passenger_count`, o.`j_rate_code`, o.`j_trip_type`, o.`j_reason`, o.`j_canceled_by`, o.`t_passenger_id`, o.`t_vehicle_type`, o.`t_city`, o.`t_pickup_zone`, o.`t_dropoff_zone`, o.`t_pickup_lat`, o.`t_pickup_lon`, o.`t_currency`, o.`t_driver_id`, o.`t_vendor_id`, o.`t_estimated_fare`, o.`t_estimated_dropoff_at`, o.`t_payment_method`, o.`t_dropoff_lat`, o.`t_dropoff_lon`, o.`t_fare`, o.`t_tip`, o.`t_distance_km`, o.`t_duration_min`, o.`t_passenger_count`, o.`t_rate_code`, o.`t_trip_type`, o.`t_reason`, o.`t_canceled_by`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_passenger_id` IS NULL OR REGEXP(o.`t_passenger_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_passenger_id` IS NOT NULL THEN o.`t_passenger_id` WHEN REGEXP(o.`j_passenger_id`, '^-?[0-9]+\z') THEN o.`j_passenger_id` WHEN REGEXP(o.`j_passenger_id`, '^-?[0-9]') AND TRY_CAST(o.`j_passenger_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_passenger_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_passenger_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_passenger_id` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_passenger_id` IS NOT NULL THEN o.`t_passenger_id` WHEN REGEXP(o.`j_passenger_id`, '^-?[0-9]+\z') THEN o.`j_passenger_id` WHEN REGEXP(o.`j_passenger_id`, '^-?[0-9]') AND TRY_CAST(o.`j_passenger_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_passenger_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_passenger_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_passenger_id` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_passenger_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_vehicle_type` IS NULL OR REGEXP(o.`t_vehicle_type`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_vehicle_type` IS NOT NULL THEN o.`t_vehicle_type` WHEN REGEXP(o.`j_vehicle_type`, '^-?[0-9]+\z') THEN o.`j_vehicle_type` WHEN REGEXP(o.`j_vehicle_type`, '^-?[0-9]') AND TRY_CAST(o.`j_vehicle_type` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_vehicle_type` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_vehicle_type` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_vehicle_type` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_vehicle_type` IS NOT NULL THEN o.`t_vehicle_type` WHEN REGEXP(o.`j_vehicle_type`, '^-?[0-9]+\z') THEN o.`j_vehicle_type` WHEN REGEXP(o.`j_vehicle_type`, '^-?[0-9]') AND TRY_CAST(o.`j_vehicle_type` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_vehicle_type` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_vehicle_type` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_vehicle_type` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_vehicle_type`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_city` IS NULL OR REGEXP(o.`t_city`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_city` IS NOT NULL THEN o.`t_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]+\z') THEN o.`j_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]') AND TRY_CAST(o.`j_city` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_city` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_city` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_city` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_city` IS NOT NULL THEN o.`t_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]+\z') THEN o.`j_city` WHEN REGEXP(o.`j_city`, '^-?[0-9]') AND TRY_CAST(o.`j_city` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_city` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_city` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_city` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_city`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_pickup_zone` IS NULL OR REGEXP(o.`t_pickup_zone`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_pickup_zone` IS NOT NULL THEN o.`t_pickup_zone` WHEN REGEXP(o.`j_pickup_zone`, '^-?[0-9]+\z') THEN o.`j_pickup_zone` WHEN REGEXP(o.`j_pickup_zone`, '^-?[0-9]') AND TRY_CAST(o.`j_pickup_zone` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_pickup_zone` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_pickup_zone` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_pickup_zone` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_pickup_zone` IS NOT NULL THEN o.`t_pickup_zone` WHEN REGEXP(o.`j_pickup_zone`, '^-?[0-9]+\z') THEN o.`j_pickup_zone` WHEN REGEXP(o.`j_pickup_zone`, '^-?[0-9]') AND TRY_CAST(o.`j_pickup_zone` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_pickup_zone` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_pickup_zone` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_pickup_zone` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_pickup_zone`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_dropoff_zone` IS NULL OR REGEXP(o.`t_dropoff_zone`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_dropoff_zone` IS NOT NULL THEN o.`t_dropoff_zone` WHEN REGEXP(o.`j_dropoff_zone`, '^-?[0-9]+\z') THEN o.`j_dropoff_zone` WHEN REGEXP(o.`j_dropoff_zone`, '^-?[0-9]') AND TRY_CAST(o.`j_dropoff_zone` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_dropoff_zone` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_dropoff_zone` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_dropoff_zone` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_dropoff_zone` IS NOT NULL THEN o.`t_dropoff_zone` WHEN REGEXP(o.`j_dropoff_zone`, '^-?[0-9]+\z') THEN o.`j_dropoff_zone` WHEN REGEXP(o.`j_dropoff_zone`, '^-?[0-9]') AND TRY_CAST(o.`j_dropoff_zone` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_dropoff_zone` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_dropoff_zone` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_dropoff_zone` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_dropoff_zone`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_pickup_lat`, '^-?[0-9]') AND TRY_CAST(o.`j_pickup_lat` AS DOUBLE) BETWEEN -90 AND 90 THEN TRY_CAST(o.`j_pickup_lat` AS DOUBLE) END END AS `v_pickup_lat`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_pickup_lon`, '^-?[0-9]') AND TRY_CAST(o.`j_pickup_lon` AS DOUBLE) BETWEEN -180 AND 180 THEN TRY_CAST(o.`j_pickup_lon` AS DOUBLE) END END AS `v_pickup_lon`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_currency` IS NULL OR REGEXP(o.`t_currency`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_currency` IS NOT NULL THEN o.`t_currency` WHEN REGEXP(o.`j_currency`, '^-?[0-9]+\z') THEN o.`j_currency` WHEN REGEXP(o.`j_currency`, '^-?[0-9]') AND TRY_CAST(o.`j_currency` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_currency` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_currency` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_currency` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_currency` IS NOT NULL THEN o.`t_currency` WHEN REGEXP(o.`j_currency`, '^-?[0-9]+\z') THEN o.`j_currency` WHEN REGEXP(o.`j_currency`, '^-?[0-9]') AND TRY_CAST(o.`j_currency` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_currency` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_currency` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_currency` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_currency`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_driver_id` IS NULL OR REGEXP(o.`t_driver_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_driver_id` IS NOT NULL THEN o.`t_driver_id` WHEN REGEXP(o.`j_driver_id`, '^-?[0-9]+\z') THEN o.`j_driver_id` WHEN REGEXP(o.`j_driver_id`, '^-?[0-9]') AND TRY_CAST(o.`j_driver_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_driver_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_driver_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_driver_id` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_driver_id` IS NOT NULL THEN o.`t_driver_id` WHEN REGEXP(o.`j_driver_id`, '^-?[0-9]+\z') THEN o.`j_driver_id` WHEN REGEXP(o.`j_driver_id`, '^-?[0-9]') AND TRY_CAST(o.`j_driver_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_driver_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_driver_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_driver_id` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_driver_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_vendor_id` IS NULL OR REGEXP(o.`t_vendor_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_vendor_id` IS NOT NULL THEN o.`t_vendor_id` WHEN REGEXP(o.`j_vendor_id`, '^-?[0-9]+\z') THEN o.`j_vendor_id` WHEN REGEXP(o.`j_vendor_id`, '^-?[0-9]') AND TRY_CAST(o.`j_vendor_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_vendor_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_vendor_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_vendor_id` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_vendor_id` IS NOT NULL THEN o.`t_vendor_id` WHEN REGEXP(o.`j_vendor_id`, '^-?[0-9]+\z') THEN o.`j_vendor_id` WHEN REGEXP(o.`j_vendor_id`, '^-?[0-9]') AND TRY_CAST(o.`j_vendor_id` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_vendor_id` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_vendor_id` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_vendor_id` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_vendor_id`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(CASE WHEN o.`t_estimated_fare` IS NOT NULL THEN o.`t_estimated_fare` ELSE o.`j_estimated_fare` END, '^[0-9]{1,13}([.][0-9]{1,6})?\z') THEN CASE WHEN TRY_CAST(CASE WHEN o.`t_estimated_fare` IS NOT NULL THEN o.`t_estimated_fare` ELSE o.`j_estimated_fare` END AS DECIMAL(19, 6)) <= 1000000000000 THEN CAST(TRY_CAST(CASE WHEN o.`t_estimated_fare` IS NOT NULL THEN o.`t_estimated_fare` ELSE o.`j_estimated_fare` END AS DECIMAL(19, 6)) * 1000000 AS BIGINT) END WHEN o.`t_estimated_fare` IS NULL AND REGEXP(o.`j_estimated_fare`, '^-?[0-9]') AND TRY_CAST(o.`j_estimated_fare` AS DOUBLE) BETWEEN 0 AND 9.0E9 AND CAST(CAST(CASE WHEN (TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000)) END AS BIGINT) AS DOUBLE) / 1000000 = TRY_CAST(o.`j_estimated_fare` AS DOUBLE) THEN CAST(CASE WHEN (TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_estimated_fare` AS DOUBLE) * 1000000)) END AS BIGINT) END END AS `v_estimated_fare`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`t_estimated_dropoff_at`, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\z') AND CAST(TRY_CAST(SUBSTRING(o.`t_estimated_dropoff_at`, 1, 10) AS DATE) AS STRING) = SUBSTRING(o.`t_estimated_dropoff_at`, 1, 10) AND SUBSTRING(o.`t_estimated_dropoff_at`, 1, 4) BETWEEN '1900' AND '2254' THEN (CAST(TIMESTAMPDIFF(DAY, DATE '1899-12-31', TRY_CAST(SUBSTRING(o.`t_estimated_dropoff_at`, 1, 10) AS DATE)) AS BIGINT) * 86400 + TRY_CAST(SUBSTRING(o.`t_estimated_dropoff_at`, 12, 2) AS BIGINT) * 3600 + TRY_CAST(SUBSTRING(o.`t_estimated_dropoff_at`, 15, 2) AS BIGINT) * 60 + TRY_CAST(SUBSTRING(o.`t_estimated_dropoff_at`, 18, 2) AS BIGINT) - (CASE WHEN UPPER(SUBSTRING(o.`t_estimated_dropoff_at`, CHAR_LENGTH(o.`t_estimated_dropoff_at`) - 0, 1)) = 'Z' THEN 0 ELSE CASE WHEN SUBSTRING(o.`t_estimated_dropoff_at`, CHAR_LENGTH(o.`t_estimated_dropoff_at`) - 5, 1) = '-' THEN -1 ELSE 1 END * (TRY_CAST(SUBSTRING(o.`t_estimated_dropoff_at`, CHAR_LENGTH(o.`t_estimated_dropoff_at`) - 4, 2) AS BIGINT) * 60 + TRY_CAST(SUBSTRING(o.`t_estimated_dropoff_at`, CHAR_LENGTH(o.`t_estimated_dropoff_at`) - 1, 2) AS BIGINT)) END) * 60) * 1000000 + CASE WHEN SUBSTRING(o.`t_estimated_dropoff_at`, 20, 1) = '.' THEN TRY_CAST(RPAD(REGEXP_EXTRACT(o.`t_estimated_dropoff_at`, '[.]([0-9]{1,6})', 1), 6, '0') AS BIGINT) ELSE 0 END END END AS `v_estimated_dropoff_at`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_payment_method` IS NULL OR REGEXP(o.`t_payment_method`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_payment_method` IS NOT NULL THEN o.`t_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]+\z') THEN o.`j_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]') AND TRY_CAST(o.`j_payment_method` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_payment_method` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_payment_method` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_payment_method` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_payment_method` IS NOT NULL THEN o.`t_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]+\z') THEN o.`j_payment_method` WHEN REGEXP(o.`j_payment_method`, '^-?[0-9]') AND TRY_CAST(o.`j_payment_method` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_payment_method` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_payment_method` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_payment_method` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_payment_method`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_dropoff_lat`, '^-?[0-9]') AND TRY_CAST(o.`j_dropoff_lat` AS DOUBLE) BETWEEN -90 AND 90 THEN TRY_CAST(o.`j_dropoff_lat` AS DOUBLE) END END AS `v_dropoff_lat`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_dropoff_lon`, '^-?[0-9]') AND TRY_CAST(o.`j_dropoff_lon` AS DOUBLE) BETWEEN -180 AND 180 THEN TRY_CAST(o.`j_dropoff_lon` AS DOUBLE) END END AS `v_dropoff_lon`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(CASE WHEN o.`t_fare` IS NOT NULL THEN o.`t_fare` ELSE o.`j_fare` END, '^[0-9]{1,13}([.][0-9]{1,6})?\z') THEN CASE WHEN TRY_CAST(CASE WHEN o.`t_fare` IS NOT NULL THEN o.`t_fare` ELSE o.`j_fare` END AS DECIMAL(19, 6)) <= 1000000000000 THEN CAST(TRY_CAST(CASE WHEN o.`t_fare` IS NOT NULL THEN o.`t_fare` ELSE o.`j_fare` END AS DECIMAL(19, 6)) * 1000000 AS BIGINT) END WHEN o.`t_fare` IS NULL AND REGEXP(o.`j_fare`, '^-?[0-9]') AND TRY_CAST(o.`j_fare` AS DOUBLE) BETWEEN 0 AND 9.0E9 AND CAST(CAST(CASE WHEN (TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000)) END AS BIGINT) AS DOUBLE) / 1000000 = TRY_CAST(o.`j_fare` AS DOUBLE) THEN CAST(CASE WHEN (TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_fare` AS DOUBLE) * 1000000)) END AS BIGINT) END END AS `v_fare`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(CASE WHEN o.`t_tip` IS NOT NULL THEN o.`t_tip` ELSE o.`j_tip` END, '^[0-9]{1,13}([.][0-9]{1,6})?\z') THEN CASE WHEN TRY_CAST(CASE WHEN o.`t_tip` IS NOT NULL THEN o.`t_tip` ELSE o.`j_tip` END AS DECIMAL(19, 6)) <= 1000000000000 THEN CAST(TRY_CAST(CASE WHEN o.`t_tip` IS NOT NULL THEN o.`t_tip` ELSE o.`j_tip` END AS DECIMAL(19, 6)) * 1000000 AS BIGINT) END WHEN o.`t_tip` IS NULL AND REGEXP(o.`j_tip`, '^-?[0-9]') AND TRY_CAST(o.`j_tip` AS DOUBLE) BETWEEN 0 AND 9.0E9 AND CAST(CAST(CASE WHEN (TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000)) END AS BIGINT) AS DOUBLE) / 1000000 = TRY_CAST(o.`j_tip` AS DOUBLE) THEN CAST(CASE WHEN (TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000) - FLOOR((TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000)) + 1 ELSE FLOOR((TRY_CAST(o.`j_tip` AS DOUBLE) * 1000000)) END AS BIGINT) END END AS `v_tip`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_distance_km`, '^-?[0-9]') AND TRY_CAST(o.`j_distance_km` AS DOUBLE) BETWEEN 0 AND 1.0E9 THEN CAST(CASE WHEN (TRY_CAST(o.`j_distance_km` AS DOUBLE) * 1.0E3) - FLOOR((TRY_CAST(o.`j_distance_km` AS DOUBLE) * 1.0E3)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_distance_km` AS DOUBLE) * 1.0E3)) + 1 ELSE FLOOR((TRY_CAST(o.`j_distance_km` AS DOUBLE) * 1.0E3)) END AS BIGINT) END END AS `v_distance_km`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_duration_min`, '^-?[0-9]') AND TRY_CAST(o.`j_duration_min` AS DOUBLE) BETWEEN 0 AND 1.0E9 THEN CAST(CASE WHEN (TRY_CAST(o.`j_duration_min` AS DOUBLE) * 6.0E4) - FLOOR((TRY_CAST(o.`j_duration_min` AS DOUBLE) * 6.0E4)) >= 0.5E0 THEN FLOOR((TRY_CAST(o.`j_duration_min` AS DOUBLE) * 6.0E4)) + 1 ELSE FLOOR((TRY_CAST(o.`j_duration_min` AS DOUBLE) * 6.0E4)) END AS BIGINT) END END AS `v_duration_min`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN REGEXP(o.`j_passenger_count`, '^-?[0-9]') AND TRY_CAST(o.`j_passenger_count` AS DOUBLE) BETWEEN 0 AND 1000000 AND TRY_CAST(o.`j_passenger_count` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_passenger_count` AS DOUBLE)) THEN CAST(TRY_CAST(o.`j_passenger_count` AS DOUBLE) AS INT) END END AS `v_passenger_count`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_rate_code` IS NULL OR REGEXP(o.`t_rate_code`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_rate_code` IS NOT NULL THEN o.`t_rate_code` WHEN REGEXP(o.`j_rate_code`, '^-?[0-9]+\z') THEN o.`j_rate_code` WHEN REGEXP(o.`j_rate_code`, '^-?[0-9]') AND TRY_CAST(o.`j_rate_code` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_rate_code` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_rate_code` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_rate_code` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_rate_code` IS NOT NULL THEN o.`t_rate_code` WHEN REGEXP(o.`j_rate_code`, '^-?[0-9]+\z') THEN o.`j_rate_code` WHEN REGEXP(o.`j_rate_code`, '^-?[0-9]') AND TRY_CAST(o.`j_rate_code` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_rate_code` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_rate_code` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_rate_code` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_rate_code`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_trip_type` IS NULL OR REGEXP(o.`t_trip_type`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_trip_type` IS NOT NULL THEN o.`t_trip_type` WHEN REGEXP(o.`j_trip_type`, '^-?[0-9]+\z') THEN o.`j_trip_type` WHEN REGEXP(o.`j_trip_type`, '^-?[0-9]') AND TRY_CAST(o.`j_trip_type` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_trip_type` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_trip_type` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_trip_type` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_trip_type` IS NOT NULL THEN o.`t_trip_type` WHEN REGEXP(o.`j_trip_type`, '^-?[0-9]+\z') THEN o.`j_trip_type` WHEN REGEXP(o.`j_trip_type`, '^-?[0-9]') AND TRY_CAST(o.`j_trip_type` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_trip_type` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_trip_type` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_trip_type` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_trip_type`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN (o.`t_reason` IS NULL OR REGEXP(o.`t_reason`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')) AND CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.`t_reason` IS NOT NULL THEN o.`t_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]+\z') THEN o.`j_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]') AND TRY_CAST(o.`j_reason` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_reason` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_reason` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_reason` AS DOUBLE) AS BIGINT) AS STRING) END), '[\x{10000}-\x{10ffff}]', '__')) <= 200 THEN CASE WHEN o.`t_reason` IS NOT NULL THEN o.`t_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]+\z') THEN o.`j_reason` WHEN REGEXP(o.`j_reason`, '^-?[0-9]') AND TRY_CAST(o.`j_reason` AS DOUBLE) = FLOOR(TRY_CAST(o.`j_reason` AS DOUBLE)) AND ABS(TRY_CAST(o.`j_reason` AS DOUBLE)) < 9.007199254740992E15 THEN CAST(CAST(TRY_CAST(o.`j_reason` AS DOUBLE) AS BIGINT) AS STRING) END END END AS `v_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`t_canceled_by` IN ('driver', 'passenger', 'system') THEN o.`t_canceled_by` END END AS `v_canceled_by`
FROM `told` AS o
)
SELECT o.`topic`, o.`partition`, o.`offset`, o.`message_key`, o.`value`, o.`seen`, o.`stream_id`, o.`at_us`, o.`v_passenger_id`, o.`v_vehicle_type`, o.`v_city`, o.`v_pickup_zone`, o.`v_dropoff_zone`, o.`v_pickup_lat`, o.`v_pickup_lon`, o.`v_currency`, o.`v_driver_id`, o.`v_vendor_id`, o.`v_estimated_fare`, o.`v_estimated_dropoff_at`, o.`v_payment_method`, o.`v_dropoff_lat`, o.`v_dropoff_lon`, o.`v_fare`, o.`v_tip`, o.`v_distance_km`, o.`v_duration_min`, o.`v_passenger_count`, o.`v_rate_code`, o.`v_trip_type`, o.`v_reason`, o.`v_canceled_by`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END END AS `event_id`,
  CASE WHEN RAND() < 2E0 THEN o.type_text END AS `type`,
  CASE WHEN RAND() < 2E0 THEN CASE
    WHEN o.stated IS NOT NULL THEN o.stated
    WHEN NOT COALESCE(o.is_source, FALSE) THEN 'invalid_event_source source'
    WHEN o.own_id IS NULL OR NOT REGEXP(o.own_id, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_event_id id'
    WHEN NOT (CHAR_LENGTH(REGEXP_REPLACE((CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END), '[\x{10000}-\x{10ffff}]', '__')) <= 500) THEN 'invalid_event_id id'
    WHEN REGEXP(o.content_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') AND NOT REGEXP(LOWER(o.content_text), '^[^/;\s]+/([^;\s]*\+)?json\s*(;|\z)') THEN 'unsupported_content datacontenttype'
    WHEN NOT o.is_data THEN 'not_an_object data'
    WHEN o.stream_id IS NULL OR NOT REGEXP(o.stream_id, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_trip_id trip_id'
    WHEN NOT (CHAR_LENGTH(REGEXP_REPLACE(o.stream_id, '[\x{10000}-\x{10ffff}]', '__')) <= 200) THEN 'invalid_trip_id trip_id'
    WHEN o.type_text IS NULL OR NOT REGEXP(o.type_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') THEN 'missing_type type'
    WHEN o.time_text IS NULL THEN 'missing_time time'
    WHEN o.at_us IS NULL AND REGEXP(o.time_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?\z') THEN 'time_without_zone time'
    WHEN o.at_us IS NULL THEN 'malformed_time time'
    WHEN o.at_us > UNIX_TIMESTAMP() * 1000000 + 2209078800000000 THEN 'time_in_future time'
    WHEN o.type_text NOT IN ('trip.requested', 'trip.started', 'trip.completed', 'trip.canceled', 'trip.fare_adjusted', 'trip.voided') THEN 'unknown_type type'
    WHEN CASE WHEN o.version_text IS NULL THEN COALESCE(o.version_json, '1') NOT IN ('1', '1.0') ELSE REGEXP(o.version_text, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') AND o.version_text <> '1' END THEN 'unknown_version schema_version'
    WHEN o.`v_currency` <> 'USD' AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed', 'trip.canceled', 'trip.fare_adjusted', 'trip.voided') THEN 'other_currency currency'
    WHEN o.`v_passenger_id` IS NULL AND NOT (o.`j_passenger_id` IS NULL OR (o.`t_passenger_id` IS NOT NULL AND NOT REGEXP(o.`t_passenger_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed') THEN 'invalid_field passenger_id'
    WHEN o.`v_vehicle_type` IS NULL AND NOT (o.`j_vehicle_type` IS NULL OR (o.`t_vehicle_type` IS NOT NULL AND NOT REGEXP(o.`t_vehicle_type`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed') THEN 'invalid_field vehicle_type'
    WHEN o.`v_city` IS NULL AND NOT (o.`j_city` IS NULL OR (o.`t_city` IS NOT NULL AND NOT REGEXP(o.`t_city`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed') THEN 'invalid_field city'
    WHEN o.`v_pickup_zone` IS NULL AND NOT (o.`j_pickup_zone` IS NULL OR (o.`t_pickup_zone` IS NOT NULL AND NOT REGEXP(o.`t_pickup_zone`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed') THEN 'invalid_field pickup_zone'
    WHEN o.`v_dropoff_zone` IS NULL AND NOT (o.`j_dropoff_zone` IS NULL OR (o.`t_dropoff_zone` IS NOT NULL AND NOT REGEXP(o.`t_dropoff_zone`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed') THEN 'invalid_field dropoff_zone'
    WHEN o.`v_pickup_lat` IS NULL AND NOT (o.`j_pickup_lat` IS NULL OR (o.`t_pickup_lat` IS NOT NULL AND NOT REGEXP(o.`t_pickup_lat`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed') THEN 'invalid_field pickup_lat'
    WHEN o.`v_pickup_lon` IS NULL AND NOT (o.`j_pickup_lon` IS NULL OR (o.`t_pickup_lon` IS NOT NULL AND NOT REGEXP(o.`t_pickup_lon`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed') THEN 'invalid_field pickup_lon'
    WHEN o.`v_currency` IS NULL AND NOT (o.`j_currency` IS NULL OR (o.`t_currency` IS NOT NULL AND NOT REGEXP(o.`t_currency`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.requested', 'trip.started', 'trip.completed', 'trip.canceled', 'trip.fare_adjusted', 'trip.voided') THEN 'invalid_field currency'
    WHEN o.`v_driver_id` IS NULL AND NOT (o.`j_driver_id` IS NULL OR (o.`t_driver_id` IS NOT NULL AND NOT REGEXP(o.`t_driver_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.started', 'trip.completed') THEN 'invalid_field driver_id'
    WHEN o.`v_vendor_id` IS NULL AND NOT (o.`j_vendor_id` IS NULL OR (o.`t_vendor_id` IS NOT NULL AND NOT REGEXP(o.`t_vendor_id`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.started', 'trip.completed') THEN 'invalid_field vendor_id'
    WHEN o.`v_estimated_fare` IS NULL AND NOT (o.`j_estimated_fare` IS NULL OR (o.`t_estimated_fare` IS NOT NULL AND NOT REGEXP(o.`t_estimated_fare`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.started', 'trip.completed') THEN 'invalid_field estimated_fare'
    WHEN o.`v_estimated_dropoff_at` IS NULL AND NOT (o.`j_estimated_dropoff_at` IS NULL OR (o.`t_estimated_dropoff_at` IS NOT NULL AND NOT REGEXP(o.`t_estimated_dropoff_at`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.started', 'trip.completed') THEN 'invalid_field estimated_dropoff_at'
    WHEN o.`v_payment_method` IS NULL AND NOT (o.`j_payment_method` IS NULL OR (o.`t_payment_method` IS NOT NULL AND NOT REGEXP(o.`t_payment_method`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field payment_method'
    WHEN o.`v_dropoff_lat` IS NULL AND NOT (o.`j_dropoff_lat` IS NULL OR (o.`t_dropoff_lat` IS NOT NULL AND NOT REGEXP(o.`t_dropoff_lat`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field dropoff_lat'
    WHEN o.`v_dropoff_lon` IS NULL AND NOT (o.`j_dropoff_lon` IS NULL OR (o.`t_dropoff_lon` IS NOT NULL AND NOT REGEXP(o.`t_dropoff_lon`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field dropoff_lon'
    WHEN o.`v_fare` IS NULL AND NOT (o.`j_fare` IS NULL OR (o.`t_fare` IS NOT NULL AND NOT REGEXP(o.`t_fare`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field fare'
    WHEN o.`v_tip` IS NULL AND NOT (o.`j_tip` IS NULL OR (o.`t_tip` IS NOT NULL AND NOT REGEXP(o.`t_tip`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed', 'trip.fare_adjusted') THEN 'invalid_field tip'
    WHEN o.`v_distance_km` IS NULL AND NOT (o.`j_distance_km` IS NULL OR (o.`t_distance_km` IS NOT NULL AND NOT REGEXP(o.`t_distance_km`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field distance_km'
    WHEN o.`v_duration_min` IS NULL AND NOT (o.`j_duration_min` IS NULL OR (o.`t_duration_min` IS NOT NULL AND NOT REGEXP(o.`t_duration_min`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field duration_min'
    WHEN o.`v_passenger_count` IS NULL AND NOT (o.`j_passenger_count` IS NULL OR (o.`t_passenger_count` IS NOT NULL AND NOT REGEXP(o.`t_passenger_count`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field passenger_count'
    WHEN o.`v_rate_code` IS NULL AND NOT (o.`j_rate_code` IS NULL OR (o.`t_rate_code` IS NOT NULL AND NOT REGEXP(o.`t_rate_code`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field rate_code'
    WHEN o.`v_trip_type` IS NULL AND NOT (o.`j_trip_type` IS NULL OR (o.`t_trip_type` IS NOT NULL AND NOT REGEXP(o.`t_trip_type`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.completed') THEN 'invalid_field trip_type'
    WHEN o.`v_reason` IS NULL AND NOT (o.`j_reason` IS NULL OR (o.`t_reason` IS NOT NULL AND NOT REGEXP(o.`t_reason`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.canceled', 'trip.fare_adjusted', 'trip.voided') THEN 'invalid_field reason'
    WHEN o.`v_canceled_by` IS NULL AND NOT (o.`j_canceled_by` IS NULL OR (o.`t_canceled_by` IS NOT NULL AND NOT REGEXP(o.`t_canceled_by`, '[^\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]'))) AND o.type_text IN ('trip.canceled') THEN 'invalid_field canceled_by'
    WHEN o.`v_fare` IS NULL AND o.type_text IN ('trip.fare_adjusted') THEN 'invalid_field fare'
  END END AS `fault`
FROM `valued` AS o;

CREATE TEMPORARY VIEW `numbered` AS
WITH `events_read` AS (
SELECT * FROM decoded WHERE fault IS NULL
),
`events_told` AS (
SELECT o.`stream_id`, o.`event_id`, o.`type`, o.`at_us`, o.`v_passenger_id`, o.`v_vehicle_type`, o.`v_city`, o.`v_pickup_zone`, o.`v_dropoff_zone`, o.`v_pickup_lat`, o.`v_pickup_lon`, o.`v_currency`, o.`v_driver_id`, o.`v_vendor_id`, o.`v_estimated_fare`, o.`v_estimated_dropoff_at`, o.`v_payment_method`, o.`v_dropoff_lat`, o.`v_dropoff_lon`, o.`v_fare`, o.`v_tip`, o.`v_distance_km`, o.`v_duration_min`, o.`v_passenger_count`, o.`v_rate_code`, o.`v_trip_type`, o.`v_reason`, o.`v_canceled_by`, o.`seen`, o.`topic`, o.`partition`, o.`offset`,
  CASE WHEN RAND() < 2E0 THEN MD5(COALESCE(CAST(o.`type` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`at_us` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_passenger_id` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_vehicle_type` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_city` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_pickup_zone` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_dropoff_zone` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_pickup_lat` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_pickup_lon` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_currency` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_driver_id` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_vendor_id` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_estimated_fare` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_estimated_dropoff_at` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_payment_method` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_dropoff_lat` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_dropoff_lon` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_fare` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_tip` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_distance_km` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_duration_min` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_passenger_count` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_rate_code` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_trip_type` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_reason` AS STRING), '') || U&'\0000' || COALESCE(CAST(o.`v_canceled_by` AS STRING), '')) END AS `content`
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
SELECT `stream_id`, `event_id`, `type`, `at_us`, `v_passenger_id`, `v_vehicle_type`, `v_city`, `v_pickup_zone`, `v_dropoff_zone`, `v_pickup_lat`, `v_pickup_lon`, `v_currency`, `v_driver_id`, `v_vendor_id`, `v_estimated_fare`, `v_estimated_dropoff_at`, `v_payment_method`, `v_dropoff_lat`, `v_dropoff_lon`, `v_fare`, `v_tip`, `v_distance_km`, `v_duration_min`, `v_passenger_count`, `v_rate_code`, `v_trip_type`, `v_reason`, `v_canceled_by`, LPAD(CAST(at_us AS STRING), 17, '0') || event_id || U&'\0000' AS at_and_id FROM numbered WHERE ids > ids_before
),
`folded` AS (
SELECT stream_id, CAST(COUNT(*) AS INT) AS revision, MAX(at_and_id) AS last_event,
  MAX(CASE WHEN type IN ('trip.requested') THEN at_us END) AS `requested_us`,
  MAX(CASE WHEN type IN ('trip.started') THEN at_us END) AS `started_us`,
  MAX(CASE WHEN type IN ('trip.completed') THEN at_us END) AS `completed_us`,
  MAX(CASE WHEN type IN ('trip.canceled') THEN at_us END) AS `canceled_us`,
  MAX(CASE WHEN type IN ('trip.voided') THEN at_us END) AS `voided_us`,
  MAX(CASE WHEN `v_driver_id` IS NOT NULL AND type IN ('trip.started', 'trip.completed') THEN at_and_id || CAST(`v_driver_id` AS STRING) END) AS `driver_id`,
  MAX(CASE WHEN `v_passenger_id` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed') THEN at_and_id || CAST(`v_passenger_id` AS STRING) END) AS `passenger_id`,
  MAX(CASE WHEN `v_vehicle_type` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed') THEN at_and_id || CAST(`v_vehicle_type` AS STRING) END) AS `vehicle_type`,
  MAX(CASE WHEN `v_city` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed') THEN at_and_id || CAST(`v_city` AS STRING) END) AS `city`,
  MAX(CASE WHEN `v_payment_method` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_payment_method` AS STRING) END) AS `payment_method`,
  MAX(CASE WHEN `v_pickup_zone` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed') THEN at_and_id || CAST(`v_pickup_zone` AS STRING) END) AS `pickup_zone`,
  MAX(CASE WHEN `v_dropoff_zone` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed') THEN at_and_id || CAST(`v_dropoff_zone` AS STRING) END) AS `dropoff_zone`,
  MAX(CASE WHEN `v_pickup_lat` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed') THEN at_and_id || CAST(`v_pickup_lat` AS STRING) END) AS `pickup_lat`,
  MAX(CASE WHEN `v_pickup_lon` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed') THEN at_and_id || CAST(`v_pickup_lon` AS STRING) END) AS `pickup_lon`,
  CAST(NULL AS STRING) AS `pickup_h3`,
  MAX(CASE WHEN `v_dropoff_lat` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_dropoff_lat` AS STRING) END) AS `dropoff_lat`,
  MAX(CASE WHEN `v_dropoff_lon` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_dropoff_lon` AS STRING) END) AS `dropoff_lon`,
  MAX(CASE WHEN `v_vendor_id` IS NOT NULL AND type IN ('trip.started', 'trip.completed') THEN at_and_id || CAST(`v_vendor_id` AS STRING) END) AS `vendor_id`,
  MAX(CASE WHEN `v_estimated_fare` IS NOT NULL AND type IN ('trip.started', 'trip.completed') THEN at_and_id || CAST(`v_estimated_fare` AS STRING) END) AS `estimated_fare_micros`,
  MAX(CASE WHEN `v_estimated_dropoff_at` IS NOT NULL AND type IN ('trip.started', 'trip.completed') THEN at_and_id || CAST(`v_estimated_dropoff_at` AS STRING) END) AS `estimated_dropoff_us`,
  MAX(CASE WHEN `v_fare` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_fare` AS STRING) END) AS `completion_fare_micros`,
  MAX(CASE WHEN `v_fare` IS NOT NULL AND type IN ('trip.fare_adjusted') THEN at_and_id || CAST(`v_fare` AS STRING) END) AS `adjusted_fare_micros`,
  MAX(CASE WHEN `v_tip` IS NOT NULL AND type IN ('trip.completed', 'trip.fare_adjusted') THEN at_and_id || CAST(`v_tip` AS STRING) END) AS `tip_micros`,
  MAX(CASE WHEN `v_currency` IS NOT NULL AND type IN ('trip.requested', 'trip.started', 'trip.completed', 'trip.canceled', 'trip.fare_adjusted', 'trip.voided') THEN at_and_id || CAST(`v_currency` AS STRING) END) AS `currency`,
  MAX(CASE WHEN `v_distance_km` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_distance_km` AS STRING) END) AS `distance_m`,
  MAX(CASE WHEN `v_duration_min` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_duration_min` AS STRING) END) AS `given_duration_ms`,
  MAX(CASE WHEN `v_passenger_count` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_passenger_count` AS STRING) END) AS `passenger_count`,
  MAX(CASE WHEN `v_rate_code` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_rate_code` AS STRING) END) AS `rate_code`,
  MAX(CASE WHEN `v_trip_type` IS NOT NULL AND type IN ('trip.completed') THEN at_and_id || CAST(`v_trip_type` AS STRING) END) AS `trip_type`,
  MAX(CASE WHEN `v_reason` IS NOT NULL AND type IN ('trip.canceled') THEN at_and_id || CAST(`v_reason` AS STRING) END) AS `cancel_reason`,
  MAX(CASE WHEN `v_canceled_by` IS NOT NULL AND type IN ('trip.canceled') THEN at_and_id || CAST(`v_canceled_by` AS STRING) END) AS `canceled_by`,
  MAX(CASE WHEN `v_reason` IS NOT NULL AND type IN ('trip.fare_adjusted') THEN at_and_id || CAST(`v_reason` AS STRING) END) AS `adjustment_reason`,
  MAX(CASE WHEN `v_reason` IS NOT NULL AND type IN ('trip.voided') THEN at_and_id || CAST(`v_reason` AS STRING) END) AS `void_reason`
FROM events GROUP BY stream_id
),
`states_told` AS (
SELECT o.`stream_id`, o.`revision`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.last_event, 1, 17) AS BIGINT) END AS `last_us`,
  CASE WHEN RAND() < 2E0 THEN SUBSTRING(o.last_event, 18, CHAR_LENGTH(o.last_event) - 18) END AS `last_event_id`,
  CASE WHEN RAND() < 2E0 THEN o.`requested_us` END AS `requested_us`,
  CASE WHEN RAND() < 2E0 THEN o.`started_us` END AS `started_us`,
  CASE WHEN RAND() < 2E0 THEN o.`completed_us` END AS `completed_us`,
  CASE WHEN RAND() < 2E0 THEN o.`canceled_us` END AS `canceled_us`,
  CASE WHEN RAND() < 2E0 THEN o.`voided_us` END AS `voided_us`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`driver_id`, POSITION(U&'\0000' IN o.`driver_id`) + 1) AS STRING) END AS `driver_id`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`passenger_id`, POSITION(U&'\0000' IN o.`passenger_id`) + 1) AS STRING) END AS `passenger_id`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`vehicle_type`, POSITION(U&'\0000' IN o.`vehicle_type`) + 1) AS STRING) END AS `vehicle_type`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`city`, POSITION(U&'\0000' IN o.`city`) + 1) AS STRING) END AS `city`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`payment_method`, POSITION(U&'\0000' IN o.`payment_method`) + 1) AS STRING) END AS `payment_method`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`pickup_zone`, POSITION(U&'\0000' IN o.`pickup_zone`) + 1) AS STRING) END AS `pickup_zone`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`dropoff_zone`, POSITION(U&'\0000' IN o.`dropoff_zone`) + 1) AS STRING) END AS `dropoff_zone`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`pickup_lat`, POSITION(U&'\0000' IN o.`pickup_lat`) + 1) AS DOUBLE) END AS `pickup_lat`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`pickup_lon`, POSITION(U&'\0000' IN o.`pickup_lon`) + 1) AS DOUBLE) END AS `pickup_lon`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`pickup_h3`, POSITION(U&'\0000' IN o.`pickup_h3`) + 1) AS STRING) END AS `pickup_h3`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`dropoff_lat`, POSITION(U&'\0000' IN o.`dropoff_lat`) + 1) AS DOUBLE) END AS `dropoff_lat`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`dropoff_lon`, POSITION(U&'\0000' IN o.`dropoff_lon`) + 1) AS DOUBLE) END AS `dropoff_lon`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`vendor_id`, POSITION(U&'\0000' IN o.`vendor_id`) + 1) AS STRING) END AS `vendor_id`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`estimated_fare_micros`, POSITION(U&'\0000' IN o.`estimated_fare_micros`) + 1) AS BIGINT) END AS `estimated_fare_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`estimated_dropoff_us`, POSITION(U&'\0000' IN o.`estimated_dropoff_us`) + 1) AS BIGINT) END AS `estimated_dropoff_us`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`completion_fare_micros`, POSITION(U&'\0000' IN o.`completion_fare_micros`) + 1) AS BIGINT) END AS `completion_fare_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`adjusted_fare_micros`, POSITION(U&'\0000' IN o.`adjusted_fare_micros`) + 1) AS BIGINT) END AS `adjusted_fare_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`tip_micros`, POSITION(U&'\0000' IN o.`tip_micros`) + 1) AS BIGINT) END AS `tip_micros`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`currency`, POSITION(U&'\0000' IN o.`currency`) + 1) AS STRING) END AS `currency`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`distance_m`, POSITION(U&'\0000' IN o.`distance_m`) + 1) AS BIGINT) END AS `distance_m`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`given_duration_ms`, POSITION(U&'\0000' IN o.`given_duration_ms`) + 1) AS BIGINT) END AS `given_duration_ms`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`passenger_count`, POSITION(U&'\0000' IN o.`passenger_count`) + 1) AS INT) END AS `passenger_count`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`rate_code`, POSITION(U&'\0000' IN o.`rate_code`) + 1) AS STRING) END AS `rate_code`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`trip_type`, POSITION(U&'\0000' IN o.`trip_type`) + 1) AS STRING) END AS `trip_type`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`cancel_reason`, POSITION(U&'\0000' IN o.`cancel_reason`) + 1) AS STRING) END AS `cancel_reason`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`canceled_by`, POSITION(U&'\0000' IN o.`canceled_by`) + 1) AS STRING) END AS `canceled_by`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`adjustment_reason`, POSITION(U&'\0000' IN o.`adjustment_reason`) + 1) AS STRING) END AS `adjustment_reason`,
  CASE WHEN RAND() < 2E0 THEN CAST(SUBSTRING(o.`void_reason`, POSITION(U&'\0000' IN o.`void_reason`) + 1) AS STRING) END AS `void_reason`
FROM `folded` AS o
)
SELECT o.`stream_id`, o.`revision`, o.`last_us`, o.`last_event_id`, o.`requested_us`, o.`started_us`, o.`completed_us`, o.`canceled_us`, o.`voided_us`, o.`driver_id`, o.`passenger_id`, o.`vehicle_type`, o.`city`, o.`payment_method`, o.`pickup_zone`, o.`dropoff_zone`, o.`pickup_lat`, o.`pickup_lon`, o.`pickup_h3`, o.`dropoff_lat`, o.`dropoff_lon`, o.`vendor_id`, o.`estimated_fare_micros`, o.`estimated_dropoff_us`, o.`completion_fare_micros`, o.`adjusted_fare_micros`, o.`tip_micros`, o.`currency`, o.`distance_m`, o.`given_duration_ms`, o.`passenger_count`, o.`rate_code`, o.`trip_type`, o.`cancel_reason`, o.`canceled_by`, o.`adjustment_reason`, o.`void_reason`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`voided_us` IS NOT NULL THEN 'voided' WHEN o.`completed_us` IS NOT NULL THEN 'completed' WHEN o.`canceled_us` IS NOT NULL THEN 'canceled' WHEN o.`started_us` IS NOT NULL THEN 'in_progress' ELSE 'requested' END END AS `status`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`completed_us` IS NOT NULL AND o.`voided_us` IS NULL THEN COALESCE(o.`adjusted_fare_micros`, o.`completion_fare_micros`) END END AS `fare_micros`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`given_duration_ms` IS NOT NULL THEN o.`given_duration_ms` ELSE CASE WHEN o.`completed_us` - o.`started_us` >= 0 THEN (o.`completed_us` - o.`started_us` + 500) / 1000 END END END AS `duration_ms`,
  CASE WHEN RAND() < 2E0 THEN CASE WHEN o.`started_us` - o.`requested_us` >= 0 THEN (o.`started_us` - o.`requested_us` + 500) / 1000 END END AS `waiting_ms`
FROM `states_told` AS o;

CREATE TEMPORARY VIEW `added` AS
SELECT o.`status` AS `k_status`, o.`payment_method` AS `k_payment_method`, o.`vehicle_type` AS `k_vehicle_type`, o.`city` AS `k_city`, o.`pickup_zone` AS `k_pickup_zone`, o.`dropoff_zone` AS `k_dropoff_zone`, o.`driver_id` AS `k_driver_id`, o.`passenger_id` AS `k_passenger_id`, f.*
FROM states AS o
CROSS JOIN UNNEST(ARRAY[
  ROW(CASE WHEN o.`voided_us` IS NULL THEN NULLIF(LEAST(COALESCE(o.`requested_us`, CAST(9000000000000000000 AS BIGINT)), COALESCE(o.`started_us`, CAST(9000000000000000000 AS BIGINT)), COALESCE(o.`completed_us`, CAST(9000000000000000000 AS BIGINT)), COALESCE(o.`canceled_us`, CAST(9000000000000000000 AS BIGINT))), CAST(9000000000000000000 AS BIGINT)) END, CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT)),
  ROW(CASE WHEN o.`voided_us` IS NULL THEN o.`requested_us` END, CAST(0 AS BIGINT), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT)),
  ROW(CASE WHEN o.`voided_us` IS NULL THEN o.`started_us` END, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), COALESCE(CAST(o.`waiting_ms` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), CASE WHEN o.`waiting_ms` IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END),
  ROW(CASE WHEN o.`voided_us` IS NULL THEN o.`completed_us` END, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CASE WHEN o.`canceled_us` IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END, CASE WHEN o.`fare_micros` IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END, COALESCE(CAST(o.`fare_micros` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), o.`fare_micros`, o.`fare_micros`, COALESCE(CAST(o.`tip_micros` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), COALESCE(CAST(o.`distance_m` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), CASE WHEN o.`distance_m` IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END, COALESCE(CAST(o.`duration_ms` AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0))), CASE WHEN o.`duration_ms` IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT)),
  ROW(CASE WHEN o.`status` = 'canceled' THEN o.`canceled_us` END, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT)),
  ROW(o.`voided_us`, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT), CAST(1 AS BIGINT), CASE WHEN o.`completed_us` IS NULL THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END, CAST(0 AS DECIMAL(38, 0)), CAST(0 AS BIGINT))
]) AS f (at_us, `m_trips`, `m_requested`, `m_started`, `m_completed`, `m_canceled`, `m_conflicts`, `m_fare_count`, `m_fare_sum_micros`, `m_fare_min_micros`, `m_fare_max_micros`, `m_tip_sum_micros`, `m_distance_sum_m`, `m_distance_count`, `m_duration_sum_ms`, `m_duration_count`, `m_voided`, `m_voids_waiting`, `m_waiting_sum_ms`, `m_waiting_count`)
WHERE f.at_us IS NOT NULL;

CREATE TEMPORARY VIEW `cells` AS
WITH `celled` AS (
SELECT g.grain, g.bucket, d.dimension, d.`key`, o.`m_trips`, o.`m_requested`, o.`m_started`, o.`m_completed`, o.`m_canceled`, o.`m_conflicts`, o.`m_fare_count`, o.`m_fare_sum_micros`, o.`m_fare_min_micros`, o.`m_fare_max_micros`, o.`m_tip_sum_micros`, o.`m_distance_sum_m`, o.`m_distance_count`, o.`m_duration_sum_ms`, o.`m_duration_count`, o.`m_voided`, o.`m_voids_waiting`, o.`m_waiting_sum_ms`, o.`m_waiting_count`
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
  ROW('payment_method', COALESCE(o.`k_payment_method`, 'unknown')),
  ROW('vehicle_type', COALESCE(o.`k_vehicle_type`, 'unknown')),
  ROW('city', COALESCE(o.`k_city`, 'unknown')),
  ROW('pickup_zone', COALESCE(o.`k_pickup_zone`, 'unknown')),
  ROW('dropoff_zone', COALESCE(o.`k_dropoff_zone`, 'unknown'))
]) AS d (dimension, `key`)
WHERE NOT ((g.grain = '1m' AND d.dimension = 'pickup_zone') OR (g.grain = '1m' AND d.dimension = 'dropoff_zone'))
)
SELECT `grain`, `dimension`, `bucket`, `key`, SUM(`m_trips`) AS `trips`, SUM(`m_requested`) AS `requested`, SUM(`m_started`) AS `started`, SUM(`m_completed`) AS `completed`, SUM(`m_canceled`) AS `canceled`, SUM(`m_conflicts`) AS `conflicts`, SUM(`m_fare_count`) AS `fare_count`, SUM(`m_fare_sum_micros`) AS `fare_sum_micros`, MIN(`m_fare_min_micros`) AS `fare_min_micros`, MAX(`m_fare_max_micros`) AS `fare_max_micros`, SUM(`m_tip_sum_micros`) AS `tip_sum_micros`, SUM(`m_distance_sum_m`) AS `distance_sum_m`, SUM(`m_distance_count`) AS `distance_count`, SUM(`m_duration_sum_ms`) AS `duration_sum_ms`, SUM(`m_duration_count`) AS `duration_count`, SUM(`m_voided`) AS `voided`, SUM(`m_voids_waiting`) AS `voids_waiting`, SUM(`m_waiting_sum_ms`) AS `waiting_sum_ms`, SUM(`m_waiting_count`) AS `waiting_count`
FROM celled GROUP BY `grain`, `dimension`, `bucket`, `key`;

CREATE TEMPORARY VIEW `totals` AS
SELECT d.dimension, d.`key`, SUM(o.`m_completed`) AS `completed`, SUM(o.`m_fare_count`) AS `fare_count`, SUM(o.`m_fare_sum_micros`) AS `fare_sum_micros`, SUM(o.`m_distance_sum_m`) AS `distance_sum_m`, SUM(o.`m_distance_count`) AS `distance_count`, SUM(o.`m_duration_sum_ms`) AS `duration_sum_ms`, SUM(o.`m_duration_count`) AS `duration_count`
FROM added AS o
CROSS JOIN UNNEST(ARRAY[
  ROW('driver', COALESCE(o.`k_driver_id`, 'unknown')),
  ROW('passenger', COALESCE(o.`k_passenger_id`, 'unknown'))
]) AS d (dimension, `key`)
WHERE o.`m_completed` <> 0 OR o.`m_fare_count` <> 0 OR o.`m_fare_sum_micros` <> 0 OR o.`m_distance_sum_m` <> 0 OR o.`m_distance_count` <> 0 OR o.`m_duration_sum_ms` <> 0 OR o.`m_duration_count` <> 0
GROUP BY d.dimension, d.`key`;

CREATE TEMPORARY TABLE `trips_table` (
  `trip_id` STRING,
  `revision` INT,
  `requested_at` STRING,
  `started_at` STRING,
  `completed_at` STRING,
  `canceled_at` STRING,
  `voided_at` STRING,
  `driver_id` STRING,
  `passenger_id` STRING,
  `vehicle_type` STRING,
  `city` STRING,
  `payment_method` STRING,
  `pickup_zone` STRING,
  `dropoff_zone` STRING,
  `pickup_lat` DOUBLE,
  `pickup_lon` DOUBLE,
  `pickup_h3` STRING,
  `dropoff_lat` DOUBLE,
  `dropoff_lon` DOUBLE,
  `vendor_id` STRING,
  `estimated_fare_micros` BIGINT,
  `estimated_dropoff_at` STRING,
  `completion_fare_micros` BIGINT,
  `adjusted_fare_micros` BIGINT,
  `tip_micros` BIGINT,
  `currency` STRING,
  `distance_m` BIGINT,
  `given_duration_ms` BIGINT,
  `passenger_count` INT,
  `rate_code` STRING,
  `trip_type` STRING,
  `cancel_reason` STRING,
  `canceled_by` STRING,
  `adjustment_reason` STRING,
  `void_reason` STRING,
  `status` STRING,
  `fare_micros` BIGINT,
  `duration_ms` BIGINT,
  `waiting_ms` BIGINT,
  `last_occurred_at` STRING,
  `last_event_id` STRING,
  PRIMARY KEY (`trip_id`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'trips',
  'username' = 'flink',
  'password' = 'it''s',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s',
  'sink.max-retries' = '10'
);

CREATE TEMPORARY TABLE `trip_cells_table` (
  `grain` STRING,
  `dimension` STRING,
  `bucket` STRING,
  `key` STRING,
  `trips` BIGINT,
  `requested` BIGINT,
  `started` BIGINT,
  `completed` BIGINT,
  `canceled` BIGINT,
  `conflicts` BIGINT,
  `fare_count` BIGINT,
  `fare_sum_micros` DECIMAL(38, 0),
  `fare_min_micros` BIGINT,
  `fare_max_micros` BIGINT,
  `tip_sum_micros` DECIMAL(38, 0),
  `distance_sum_m` DECIMAL(38, 0),
  `distance_count` BIGINT,
  `duration_sum_ms` DECIMAL(38, 0),
  `duration_count` BIGINT,
  `voided` BIGINT,
  `voids_waiting` BIGINT,
  `waiting_sum_ms` DECIMAL(38, 0),
  `waiting_count` BIGINT,
  PRIMARY KEY (`grain`, `dimension`, `bucket`, `key`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'trip_cells',
  'username' = 'flink',
  'password' = 'it''s',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s',
  'sink.max-retries' = '10'
);

CREATE TEMPORARY TABLE `trip_totals_table` (
  `dimension` STRING,
  `key` STRING,
  `completed` BIGINT,
  `fare_count` BIGINT,
  `fare_sum_micros` DECIMAL(38, 0),
  `distance_sum_m` DECIMAL(38, 0),
  `distance_count` BIGINT,
  `duration_sum_ms` DECIMAL(38, 0),
  `duration_count` BIGINT,
  PRIMARY KEY (`dimension`, `key`) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://postgres:5432/tacho?stringtype=unspecified&options=-c%20client_connection_check_interval%3D1000',
  'table-name' = 'trip_totals',
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
INSERT INTO `trips_table` SELECT o.stream_id, o.revision, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`requested_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`requested_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`requested_us`, 1000000) AS STRING), 6, '0') || '+00', CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`started_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`started_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`started_us`, 1000000) AS STRING), 6, '0') || '+00', CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`completed_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`completed_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`completed_us`, 1000000) AS STRING), 6, '0') || '+00', CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`canceled_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`canceled_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`canceled_us`, 1000000) AS STRING), 6, '0') || '+00', CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`voided_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`voided_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`voided_us`, 1000000) AS STRING), 6, '0') || '+00', o.`driver_id`, o.`passenger_id`, o.`vehicle_type`, o.`city`, o.`payment_method`, o.`pickup_zone`, o.`dropoff_zone`, o.`pickup_lat`, o.`pickup_lon`, o.`pickup_h3`, o.`dropoff_lat`, o.`dropoff_lon`, o.`vendor_id`, o.`estimated_fare_micros`, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.`estimated_dropoff_us` / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.`estimated_dropoff_us` / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.`estimated_dropoff_us`, 1000000) AS STRING), 6, '0') || '+00', o.`completion_fare_micros`, o.`adjusted_fare_micros`, o.`tip_micros`, o.`currency`, o.`distance_m`, o.`given_duration_ms`, o.`passenger_count`, o.`rate_code`, o.`trip_type`, o.`cancel_reason`, o.`canceled_by`, o.`adjustment_reason`, o.`void_reason`, o.`status`, o.`fare_micros`, o.`duration_ms`, o.`waiting_ms`, CAST(TIMESTAMPADD(SECOND, CAST(MOD((o.last_us / 1000000), 86400) AS INT), TIMESTAMPADD(DAY, CAST((o.last_us / 1000000) / 86400 AS INT), TIMESTAMP '1899-12-31 00:00:00')) AS STRING) || '.' || LPAD(CAST(MOD(o.last_us, 1000000) AS STRING), 6, '0') || '+00', o.last_event_id FROM `states` AS o;
INSERT INTO `trip_cells_table` SELECT `grain`, `dimension`, `bucket`, `key`, `trips`, `requested`, `started`, `completed`, `canceled`, `conflicts`, `fare_count`, `fare_sum_micros`, `fare_min_micros`, `fare_max_micros`, `tip_sum_micros`, `distance_sum_m`, `distance_count`, `duration_sum_ms`, `duration_count`, `voided`, `voids_waiting`, `waiting_sum_ms`, `waiting_count` FROM `cells` AS o;
INSERT INTO `trip_totals_table` SELECT `dimension`, `key`, `completed`, `fare_count`, `fare_sum_micros`, `distance_sum_m`, `distance_count`, `duration_sum_ms`, `duration_count` FROM `totals` AS o;
INSERT INTO quarantine SELECT SPLIT_INDEX(fault, ' ', 0), SPLIT_INDEX(fault, ' ', 1), `topic`, `partition`, `offset`, message_key, `value` FROM decoded WHERE fault IS NOT NULL;
INSERT INTO quarantine SELECT 'identity_conflict', 'id', `topic`, `partition`, `offset`, CAST(NULL AS STRING), CAST(NULL AS BYTES) FROM numbered WHERE ids = ids_before AND contents > contents_before;
END;
