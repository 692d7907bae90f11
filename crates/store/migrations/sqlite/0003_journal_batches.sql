-- One row may hold several events that were written together: `body` is then a JSON array of `count` events,
-- the first of which has the number `seq`. Rows of one event are as before.
ALTER TABLE events ADD COLUMN count INTEGER NOT NULL DEFAULT 1;

-- Whose run it is: the key that started it and its tenant. NULL: the operator's, and runs from before.
ALTER TABLE runs ADD COLUMN caller TEXT;
ALTER TABLE runs ADD COLUMN tenant TEXT;
