-- migration: 3
-- The limit counts what an entry takes: its size, the bytes of its key and content type, and a fixed overhead
-- (src/content.ts). All but the size is in `extra`, and the sum of that in the namespace: used bytes are
-- total_size + extra_size. 0 means that an entry was not measured yet, and only its size counts. POST
-- /upgrade measures entries piece by piece, and `measured` holds its progress. A Worker of an earlier version
-- writes unmeasured entries, and the account stays correct.
ALTER TABLE entries ADD COLUMN extra INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespaces ADD COLUMN extra_size INTEGER NOT NULL DEFAULT 0;
-- The time of the last use or set, for an order that never runs backwards: each of many in one batch has a
-- microsecond of its own, in the order of the request.
ALTER TABLE namespaces ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;

CREATE TABLE measured (upto INTEGER NOT NULL);
INSERT INTO measured VALUES (-1);

DROP TRIGGER entries_removed;
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN
	DELETE FROM contents WHERE id = OLD.id;
	UPDATE namespaces SET entry_count = entry_count - 1, total_size = total_size - OLD.size,
		extra_size = extra_size - OLD.extra,
		frequency_sum = frequency_sum - OLD.frequency,
		evictions = evictions + evicting,
		expirations = expirations + (OLD.expires > 0
			AND OLD.expires <= CAST(unixepoch('subsec') * 1000000 AS INTEGER))
	WHERE id = OLD.ns;
END;

-- A cleared namespace has a new id, and nothing in it.
CREATE TRIGGER namespaces_renewed AFTER UPDATE OF id ON namespaces WHEN NEW.id <> OLD.id BEGIN
	UPDATE namespaces SET extra_size = 0 WHERE id = NEW.id;
END;
