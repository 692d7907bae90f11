-- Events that were written together with their run's beginning stand in its row: a short run is one row then,
-- not one here and one there. `first` is like `events.body` and holds `firsts` events; NULL where there are none.
ALTER TABLE runs ADD COLUMN first TEXT;
ALTER TABLE runs ADD COLUMN firsts INTEGER NOT NULL DEFAULT 0;
