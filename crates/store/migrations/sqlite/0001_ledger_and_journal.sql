-- Ids are the 16 bytes of a UUID version 7, so keys grow with time. Times are microseconds since the Unix
-- epoch, UTC; durations are microseconds.

CREATE TABLE ledger (
    call            BLOB    NOT NULL,
    attempt         INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    trace           BLOB    NOT NULL,
    run             BLOB,
    step            TEXT,
    caller          TEXT,
    tenant          TEXT,
    user            TEXT,
    asked           TEXT    NOT NULL,
    provider        TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    dialect         TEXT    NOT NULL,
    streamed        INTEGER NOT NULL,
    fallback        INTEGER NOT NULL,
    simulated       INTEGER NOT NULL,
    outcome         TEXT    NOT NULL,
    status          INTEGER,
    fault           TEXT,
    code            TEXT,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    cache_write     INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    audio_input     INTEGER NOT NULL,
    audio_output    INTEGER NOT NULL,
    usage_source    TEXT    NOT NULL,
    -- The cost is cost_usd dollars and 0 <= cost_pico < 10^12 pico-dollars more; both NULL where unknown.
    cost_usd        INTEGER,
    cost_pico       INTEGER,
    dns_us          INTEGER,
    connect_us      INTEGER,
    tls_us          INTEGER,
    first_byte_us   INTEGER,
    first_token_us  INTEGER,
    transfer_us     INTEGER,
    total_us        INTEGER,
    PRIMARY KEY (call, attempt)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_run ON ledger (run) WHERE run IS NOT NULL;

-- Long texts, stored once by the BLAKE3 hash of their bytes.
CREATE TABLE contents (
    hash BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    run     BLOB    NOT NULL PRIMARY KEY,
    chain   TEXT    NOT NULL,
    source  BLOB    NOT NULL REFERENCES contents (hash),
    inputs  TEXT    NOT NULL,
    trace   BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    status  TEXT    NOT NULL,
    result  TEXT,
    ended   INTEGER,
    -- Who works on it. Whoever comes with an older epoch can write no more.
    epoch   INTEGER NOT NULL,
    owner   TEXT,
    until   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    run   BLOB    NOT NULL REFERENCES runs (run),
    seq   INTEGER NOT NULL,
    body  TEXT    NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
