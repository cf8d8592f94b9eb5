-- migration: 2
-- Serving stale. `kept`: microseconds for which an entry stays after it has expired, which is the
-- stale_ttl of its namespace (seconds; NULL: 0). It stands in the entry so that the sweep finds by
-- the index what is to go, and never walks over what is kept.
ALTER TABLE namespaces ADD COLUMN stale_ttl INTEGER;
ALTER TABLE namespaces ADD COLUMN stale_hits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
DROP INDEX entries_expiry;
CREATE INDEX entries_expiry ON entries (expires + kept) WHERE expires > 0;
