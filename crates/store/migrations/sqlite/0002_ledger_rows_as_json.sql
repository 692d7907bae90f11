-- A row is its key and the line of JSON that the spool had: three small values and a text to bind instead of
-- 38 columns. What is filtered by and summed is read out of the line when somebody asks. It is a view that
-- does this: generated columns are computed with every insert too, which cost four times what they saved.

CREATE TABLE ledger_rows (
    call    BLOB    NOT NULL,
    attempt INTEGER NOT NULL,
    run     BLOB,
    line    TEXT    NOT NULL,
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
CREATE INDEX ledger_run ON ledger_rows (run) WHERE run IS NOT NULL;

CREATE VIEW ledger AS SELECT
    call,
    attempt,
    run,
    line,
    line ->> '$.at' AS at,
    line ->> '$.caller' AS caller,
    line ->> '$.provider' AS provider,
    line ->> '$.model' AS model,
    line ->> '$.outcome' AS outcome,
    coalesce(line ->> '$.usage.input', 0) AS input,
    coalesce(line ->> '$.usage.output', 0) AS output,
    coalesce(line ->> '$.usage.cache_read', 0) AS cache_read,
    coalesce(line ->> '$.usage.cache_write', 0) AS cache_write,
    coalesce(line ->> '$.usage.cache_write_1h', 0) AS cache_write_1h,
    coalesce(line ->> '$.usage.reasoning', 0) AS reasoning,
    coalesce(line ->> '$.usage.audio_input', 0) AS audio_input,
    coalesce(line ->> '$.usage.audio_output', 0) AS audio_output,
    line ->> '$.usage_source' AS usage_source,
    -- A decimal text of dollars, as whole dollars and pico-dollars of the same sign; both NULL where unknown.
    CAST(line ->> '$.cost' AS INTEGER) AS cost_usd,
    iif(line ->> '$.cost' LIKE '-%', -1, 1)
        * CAST(substr(substr(line ->> '$.cost', instr(line ->> '$.cost', '.') + 1) || '000000000000', 1, 12)
               AS INTEGER) AS cost_pico
FROM ledger_rows;
