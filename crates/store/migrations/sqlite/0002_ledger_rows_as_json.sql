-- A row is its key and the line of JSON that the spool had: three small values and a text to bind instead of
-- 38 columns, which was a seventh of a call's CPU. What is filtered by and summed is read out of the line,
-- when somebody asks.

CREATE TABLE ledger_rows (
    call            BLOB    NOT NULL,
    attempt         INTEGER NOT NULL,
    run             BLOB,
    line            TEXT    NOT NULL,
    at              INTEGER AS (line ->> '$.at'),
    caller          TEXT    AS (line ->> '$.caller'),
    provider        TEXT    AS (line ->> '$.provider'),
    model           TEXT    AS (line ->> '$.model'),
    outcome         TEXT    AS (line ->> '$.outcome'),
    input           INTEGER AS (coalesce(line ->> '$.usage.input', 0)),
    output          INTEGER AS (coalesce(line ->> '$.usage.output', 0)),
    cache_read      INTEGER AS (coalesce(line ->> '$.usage.cache_read', 0)),
    cache_write     INTEGER AS (coalesce(line ->> '$.usage.cache_write', 0)),
    cache_write_1h  INTEGER AS (coalesce(line ->> '$.usage.cache_write_1h', 0)),
    reasoning       INTEGER AS (coalesce(line ->> '$.usage.reasoning', 0)),
    audio_input     INTEGER AS (coalesce(line ->> '$.usage.audio_input', 0)),
    audio_output    INTEGER AS (coalesce(line ->> '$.usage.audio_output', 0)),
    usage_source    TEXT    AS (line ->> '$.usage_source'),
    -- A decimal text of dollars, as whole dollars and pico-dollars of the same sign; both NULL where unknown.
    cost_usd        INTEGER AS (CAST(line ->> '$.cost' AS INTEGER)),
    cost_pico       INTEGER AS (
        iif(line ->> '$.cost' LIKE '-%', -1, 1)
        * CAST(substr(substr(line ->> '$.cost', instr(line ->> '$.cost', '.') + 1) || '000000000000', 1, 12)
               AS INTEGER)
    ),
    PRIMARY KEY (call, attempt)
) STRICT, WITHOUT ROWID;

-- json_patch leaves out what is NULL.
INSERT INTO ledger_rows (call, attempt, run, line)
SELECT call, attempt, run, json_patch('{}', json_object(
    'call', 'call_' || lower(hex(call)),
    'attempt', attempt,
    'at', at,
    'trace', lower(hex(trace)),
    'caller', caller,
    'tenant', tenant,
    'user', user,
    'asked', asked,
    'provider', provider,
    'model', model,
    'dialect', dialect,
    'streamed', json(iif(streamed, 'true', 'false')),
    'fallback', json(iif(fallback, 'true', 'false')),
    'simulated', json(iif(simulated, 'true', 'false')),
    'outcome', outcome,
    'status', status,
    'fault', fault,
    'code', code,
    'usage', json_object(
        'input', input,
        'output', output,
        'cache_read', cache_read,
        'cache_write', cache_write,
        'cache_write_1h', cache_write_1h,
        'reasoning', reasoning,
        'audio_input', audio_input,
        'audio_output', audio_output
    ),
    'usage_source', usage_source,
    -- Below zero the old columns were rounded down: -0.25 was -1 dollar and 0.75.
    'cost', iif(cost_usd < 0 AND cost_pico > 0,
        format('-%d.%012d', -cost_usd - 1, 1000000000000 - cost_pico),
        iif(cost_usd IS NULL, NULL, format('%d.%012d', cost_usd, cost_pico))),
    'timing', json_object(
        'dns', dns_us,
        'connect', connect_us,
        'tls', tls_us,
        'first_byte', first_byte_us,
        'first_token', first_token_us,
        'transfer', transfer_us,
        'total', total_us
    ),
    'run', iif(run IS NULL, NULL, 'run_' || lower(hex(run))),
    'step', step
)) FROM ledger;

DROP TABLE ledger;
ALTER TABLE ledger_rows RENAME TO ledger;
CREATE INDEX ledger_run ON ledger (run) WHERE run IS NOT NULL;
