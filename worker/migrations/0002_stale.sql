-- migration: 2
-- Stale serving. `kept` is how long an entry stays after it has expired, in microseconds: the stale_ttl of
-- its namespace (in seconds; NULL: 0). It is stored in the entry so that the sweep finds what to remove by
-- the index, and never walks over entries that are kept.
ALTER TABLE namespaces ADD COLUMN stale_ttl INTEGER;
ALTER TABLE namespaces ADD COLUMN stale_hits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
DROP INDEX entries_expiry;
CREATE INDEX entries_expiry ON entries (expires + kept) WHERE expires > 0;
