-- migration: 4
-- `idle` is how long an entry is kept without a use, in microseconds: the max_idle of its namespace (in
-- seconds; NULL: 0). 0: however long. As `kept`, it is stored in the entry, so that the sweep finds what to
-- remove by an index; the entries of namespaces without it are not in that index.
ALTER TABLE namespaces ADD COLUMN max_idle INTEGER;
-- What only the fronts use: 1: values are kept compressed with zstd (NULL, 0: not); the HTTP status of a PUT
-- that stored something (NULL, 0: 201 or 204).
ALTER TABLE namespaces ADD COLUMN compression INTEGER;
ALTER TABLE namespaces ADD COLUMN put_status INTEGER;
ALTER TABLE entries ADD COLUMN idle INTEGER NOT NULL DEFAULT 0;
CREATE INDEX entries_idle ON entries (last_access + idle) WHERE idle > 0;

-- An entry lives until live_until, and may be served as stale until kept_until.
ALTER TABLE entries ADD COLUMN live_until INTEGER GENERATED ALWAYS AS (min(
	iif(expires > 0, expires, 9223372036854775807), iif(idle > 0, last_access + idle, 9223372036854775807)));
ALTER TABLE entries ADD COLUMN kept_until INTEGER GENERATED ALWAYS AS (min(
	iif(expires > 0, expires + kept, 9223372036854775807), iif(idle > 0, last_access + idle, 9223372036854775807)));

-- contents.encoding 2 + flags: value names bytes that are elsewhere. 32 + flags: value is base64 of the bytes
-- compressed with zstd. Flags (1: UTF-8; 2: no escapes in JSON) and ETag are those of the bytes for which it
-- stands.

DROP TRIGGER entries_removed;
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN
	DELETE FROM contents WHERE id = OLD.id;
	UPDATE namespaces SET entry_count = entry_count - 1, total_size = total_size - OLD.size,
		extra_size = extra_size - OLD.extra,
		frequency_sum = frequency_sum - OLD.frequency,
		evictions = evictions + evicting,
		expirations = expirations + (OLD.live_until <= CAST(unixepoch('subsec') * 1000000 AS INTEGER))
	WHERE id = OLD.ns;
END;
