-- The tables of the cache. sql/statements.sql works on them, and explains how.
--
-- An entry has two rows with one id: a small one that every use changes, and a large one that holds the value
-- and that a use does not touch. The id is the first 63 bits of SHA-256 over "namespace NUL key". `tag` is
-- the next 64 bits; a row whose tag differs belongs to another key.
CREATE TABLE namespaces (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	-- Configured settings; NULL: the default of the caller.
	max_size INTEGER, capacity INTEGER, default_ttl INTEGER, policy TEXT,
	-- Kept up to date, never computed.
	entry_count INTEGER NOT NULL DEFAULT 0,
	total_size INTEGER NOT NULL DEFAULT 0,
	frequency_sum INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL,
	-- The token of the last set that was admitted.
	admitted TEXT,
	-- Set only while a batch evicts: the goals for total_size and entry_count.
	evicting INTEGER NOT NULL DEFAULT 0, evict_size INTEGER, evict_count INTEGER,
	hits INTEGER NOT NULL DEFAULT 0, misses INTEGER NOT NULL DEFAULT 0,
	sets INTEGER NOT NULL DEFAULT 0, deletes INTEGER NOT NULL DEFAULT 0,
	evictions INTEGER NOT NULL DEFAULT 0, expirations INTEGER NOT NULL DEFAULT 0
);

-- Former ids of cleared namespaces whose entries have still to be removed.
CREATE TABLE dropped (id INTEGER PRIMARY KEY);

-- Times are microseconds since 1970; expires 0: never. etag: 32 hex digits.
CREATE TABLE entries (
	id INTEGER PRIMARY KEY,
	ns INTEGER NOT NULL,
	tag TEXT NOT NULL,
	size INTEGER NOT NULL,
	frequency INTEGER NOT NULL,
	last_access INTEGER NOT NULL,
	created INTEGER NOT NULL,
	modified INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	etag TEXT NOT NULL,
	fifo INTEGER NOT NULL
);

-- Within each frequency the entry that has been unused the longest comes first.
CREATE INDEX entries_order ON entries (ns, frequency, last_access);
CREATE INDEX entries_fifo ON entries (ns, created) WHERE fifo = 1;
CREATE INDEX entries_expiry ON entries (expires) WHERE expires > 0;

-- encoding 0: value is the text; 1: value is base64 of the bytes (not UTF-8, or with a NUL). The key comes
-- before the value, so that reading it does not walk through the value's pages.
CREATE TABLE contents (
	id INTEGER PRIMARY KEY,
	ns INTEGER NOT NULL,
	key_is_text INTEGER NOT NULL,
	key BLOB NOT NULL,
	type TEXT NOT NULL,
	encoding INTEGER NOT NULL,
	value TEXT NOT NULL
);

-- Listings in byte order. A key may be a whole prompt: the index holds 64 bytes of each.
CREATE INDEX contents_key ON contents (ns, ifnull(substr(key, 1, 64), x''));

-- Whatever removes an entry, its value and its share of the accounts go with it.
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN
	DELETE FROM contents WHERE id = OLD.id;
	UPDATE namespaces SET entry_count = entry_count - 1, total_size = total_size - OLD.size,
		frequency_sum = frequency_sum - OLD.frequency,
		evictions = evictions + evicting,
		expirations = expirations + (OLD.expires > 0
			AND OLD.expires <= CAST(unixepoch('subsec') * 1000000 AS INTEGER))
	WHERE id = OLD.ns;
END;
