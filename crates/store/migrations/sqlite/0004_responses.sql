-- Answers in OpenAI's Responses dialect, so that a later call may go on from one by its id. `input` and `output`
-- are the items of one turn, joined by commas; the turns before are found by `previous`.
CREATE TABLE responses (
    id       TEXT PRIMARY KEY,
    previous TEXT,
    tenant   TEXT,
    at       INTEGER NOT NULL,
    input    TEXT NOT NULL,
    output   TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX responses_by_time ON responses (at);
