-- The statements that the cache runs on D1, by name (src/ops). They contain the logic; the code above them
-- only builds two JSON parameters and reads the rows.
--
-- Every parameter is TEXT: D1's binding turns each number into a real, and JSON keeps a 64-bit integer exact.
-- ?1 is the request, an object:
--   ns          name of the namespace            now         microseconds since 1970
--   max_size, capacity, default_ttl, policy      the defaults for what is not configured
-- with further members as each statement says. ?2 is the items, an array of arrays:
--   [id, tag]                                     (get, exists, delete)
--   [id, tag, ttl or null]                        (expire)
--   [id, tag, size, ttl or null, etag, extra]     (set; extra: see migrations/0003_used.sql)
--   [..., frequency, created, last_access, expires or null]   (set with a history, which the entry
--                                                 gets; a time that is 0 or in the future means
--                                                 now; null: by the ttl)
-- id is an integer, tag and etag are lower-case hex (see migrations/0001_schema.sql). Rows that belong to an
-- item give its position in ?2 as `i`. Limits count used bytes, size + extra. An entry lives until live_until,
-- and is kept until kept_until (migrations/0004_idle.sql).
--
-- A SET is one batch (one transaction) of: ensure_namespace, sweep, probe, plan, evict, admit, make_way,
-- put_entries, put_content / put_contents, set_result, settle. `admit` is the one place that decides: it adds
-- the items to the accounts if the condition holds and the limits allow it, and leaves the request's token;
-- the later statements write only if they find the token. If the capacity is 0 it leaves the token followed
-- by '-': then make_way removes existing entries, and nothing is written. If set_result says that more has to
-- be evicted, the caller runs the batch again.

-- name: ensure_namespace
-- ?1 + max_namespaces. No rows. The id is none that still has entries (clear_drop).
INSERT INTO namespaces(id, name, created)
SELECT 1 + max(coalesce((SELECT max(id) FROM namespaces), 0), coalesce((SELECT max(id) FROM dropped), 0)),
	?1 ->> 'ns', ?1 ->> 'now'
WHERE NOT EXISTS (SELECT 1 FROM namespaces WHERE name = ?1 ->> 'ns')
	AND (SELECT count(*) FROM namespaces) < ?1 ->> 'max_namespaces';

-- name: sweep
-- ?1 + sweep_max. Removes up to that many entries of each kind: expired ones whose stale time is over, those
-- that nobody used for too long, and those of cleared namespaces. A row (expired: 1 or 0) each.
DELETE FROM entries WHERE id IN (
	SELECT id FROM (SELECT id FROM entries INDEXED BY entries_expiry
		WHERE expires > 0 AND expires + kept <= ?1 ->> 'now' LIMIT ?1 ->> 'sweep_max')
	UNION ALL
	SELECT id FROM (SELECT id FROM entries INDEXED BY entries_idle
		WHERE idle > 0 AND last_access + idle <= ?1 ->> 'now' LIMIT ?1 ->> 'sweep_max')
	UNION ALL
	SELECT id FROM (SELECT e.id FROM dropped d
		CROSS JOIN entries e INDEXED BY entries_order ON e.ns = d.id LIMIT ?1 ->> 'sweep_max'))
RETURNING kept_until <= ?1 ->> 'now' AS expired;

-- name: forget_dropped
-- No parameters. Forgets cleared namespaces that have no entries left. No rows.
DELETE FROM dropped WHERE NOT EXISTS (SELECT 1 FROM entries WHERE ns = dropped.id);

-- name: probe
-- ?1, ?2. A row (i, live, etag) for each item that has an entry, even an expired one.
SELECT j.key AS i, e.live_until > ?1 ->> 'now' AS live, e.etag
FROM namespaces n JOIN json_each(?2) j
	CROSS JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.ns = n.id AND e.tag = j.value ->> 1
WHERE n.name = ?1 ->> 'ns';

-- name: plan
-- ?1 + kind (null, or absent, present, match, none_match), etags (array of hex), continuing (0; 1 or 2 while
-- an eviction by size or by number continues), ?2. Stores the goal of an eviction in the namespace, if one is
-- needed and allowed. No rows.
UPDATE namespaces AS n SET evicting = 1,
	evict_size = iif(?1 ->> 'continuing' = 1
			OR n.total_size + n.extra_size - g.old_used + g.new_used > l.max_bytes,
		l.max_bytes / 5 * 4 + l.max_bytes % 5 * 4 / 5 - g.new_used + g.old_used, NULL),
	evict_count = l.max_count - g.new_count + g.old_count
FROM (SELECT id AS limits_of, nullif(coalesce(max_size, ?1 ->> 'max_size'), 0) AS max_bytes,
		iif(coalesce(capacity, ?1 ->> 'capacity') < 0, NULL,
			coalesce(capacity, ?1 ->> 'capacity')) AS max_count,
		coalesce(policy, ?1 ->> 'policy') AS way
	FROM namespaces WHERE name = ?1 ->> 'ns') l,
	(SELECT coalesce(sum(j.value ->> 2 + j.value ->> 5), 0) AS new_used, count(j.key) AS new_count,
		coalesce(sum(e.size + e.extra), 0) AS old_used, count(e.id) AS old_count,
		max(e.live_until > ?1 ->> 'now') IS 1 AS live, max(e.etag) AS etag
	FROM json_each(?2) j LEFT JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.tag = j.value ->> 1
		AND e.ns = (SELECT id FROM namespaces WHERE name = ?1 ->> 'ns')) g
WHERE n.id = l.limits_of AND l.way <> 'none' AND l.max_count IS NOT 0
	AND g.new_count <= coalesce(l.max_count, g.new_count)
	AND g.new_used <= coalesce(l.max_bytes, g.new_used)
	AND (?1 ->> 'continuing' > 0
		OR n.total_size + n.extra_size - g.old_used + g.new_used > l.max_bytes
		OR n.entry_count - g.old_count + g.new_count > l.max_count)
	AND CASE ?1 ->> 'kind' WHEN 'absent' THEN NOT g.live WHEN 'present' THEN g.live
		WHEN 'match' THEN g.live AND g.etag IN (SELECT value FROM json_each(?1, '$.etags'))
		WHEN 'none_match' THEN NOT (g.live
			AND g.etag IN (SELECT value FROM json_each(?1, '$.etags')))
		ELSE 1 END;

-- name: plan_limits
-- ?1 + continuing. As plan, for limits that were lowered. No rows.
UPDATE namespaces AS n SET evicting = 1,
	evict_size = iif(?1 ->> 'continuing' = 1 OR n.total_size + n.extra_size > l.max_bytes,
		l.max_bytes / 5 * 4 + l.max_bytes % 5 * 4 / 5, NULL),
	evict_count = l.max_count
FROM (SELECT id AS limits_of, nullif(coalesce(max_size, ?1 ->> 'max_size'), 0) AS max_bytes,
		iif(coalesce(capacity, ?1 ->> 'capacity') < 0, NULL,
			coalesce(capacity, ?1 ->> 'capacity')) AS max_count,
		coalesce(policy, ?1 ->> 'policy') AS way
	FROM namespaces WHERE name = ?1 ->> 'ns') l
WHERE n.id = l.limits_of AND l.way <> 'none' AND (?1 ->> 'continuing' > 0
	OR n.total_size + n.extra_size > l.max_bytes OR n.entry_count > l.max_count);

-- name: evict
-- ?1 + evict_max, ?2 (entries that are not victims). Removes victims in exact order until the goal is
-- reached, but no more than evict_max. A row each.
--
-- Frecency without sorting: within one frequency the entry that has been unused the longest has the lowest
-- score, so only the first of each frequency can be the next victim. `heads` steps through the distinct
-- frequencies; the queue of the recursive `walk` is a priority queue (ORDER BY score): it yields the best
-- head and takes in the entry after it. LRU is the same with the last access as the score; FIFO has an index
-- of its own. The LIMIT is a guess, from the average size, of how many victims are needed: if it is too low,
-- the next batch continues.
WITH RECURSIVE
n AS (SELECT id, coalesce(policy, ?1 ->> 'policy') AS policy, max(?1 ->> 'now', clock) AS now,
		max(0, coalesce(total_size + extra_size - evict_size, 0)) AS need_used,
		max(0, coalesce(entry_count - evict_count, 0)) AS need_count,
		json_array_length(?2) + min(?1 ->> 'evict_max', 4 + max(0,
			coalesce(entry_count - evict_count, 0),
			coalesce((total_size + extra_size - evict_size) * 1.25 * entry_count
				/ max(total_size + extra_size, 1), 0)))
			AS most
	FROM namespaces WHERE name = ?1 ->> 'ns' AND evicting = 1),
heads(frequency, ns, policy, now) AS (
	SELECT (SELECT e.frequency FROM entries e INDEXED BY entries_order
		WHERE e.ns = n.id ORDER BY e.frequency LIMIT 1), n.id, n.policy, n.now
	FROM n WHERE policy <> 'fifo'
	UNION ALL
	SELECT (SELECT e.frequency FROM entries e INDEXED BY entries_order
		WHERE e.ns = h.ns AND e.frequency > h.frequency
		ORDER BY e.frequency LIMIT 1), h.ns, h.policy, h.now
	FROM heads h WHERE h.frequency IS NOT NULL),
walk(score, last_access, id, frequency, used, ns, policy, now) AS (
	SELECT iif(h.policy = 'lru', e.last_access,
			e.frequency / (1.0 + max(0, h.now - e.last_access) / 1000000.0)),
		e.last_access, e.id, e.frequency, e.size + e.extra, h.ns, h.policy, h.now
	FROM heads h CROSS JOIN entries e NOT INDEXED ON e.id = (SELECT id FROM entries INDEXED BY entries_order
		WHERE ns = h.ns AND frequency = h.frequency
		ORDER BY last_access, id LIMIT 1)
	UNION ALL
	SELECT iif(w.policy = 'lru', e.last_access,
			e.frequency / (1.0 + max(0, w.now - e.last_access) / 1000000.0)),
		e.last_access, e.id, e.frequency, e.size + e.extra, w.ns, w.policy, w.now
	FROM walk w CROSS JOIN entries e NOT INDEXED ON e.id = coalesce(
		(SELECT id FROM entries INDEXED BY entries_order
			WHERE ns = w.ns AND frequency = w.frequency
				AND last_access = w.last_access AND id > w.id ORDER BY id LIMIT 1),
		(SELECT id FROM entries INDEXED BY entries_order
			WHERE ns = w.ns AND frequency = w.frequency
				AND last_access > w.last_access ORDER BY last_access, id LIMIT 1))
	ORDER BY 1, 2, 3
	LIMIT coalesce((SELECT CAST(most AS INTEGER) FROM n), 0)),
candidates(score, at, id, used) AS (
	SELECT score, last_access, id, used FROM walk
	UNION ALL
	SELECT 0, created, id, used FROM (
		SELECT e.created, e.id, e.size + e.extra AS used FROM n CROSS JOIN entries e INDEXED BY entries_fifo
			ON e.ns = n.id AND e.fifo = 1
		WHERE n.policy = 'fifo' ORDER BY e.created, e.id
		LIMIT coalesce((SELECT CAST(most AS INTEGER) FROM n), 0))),
ranked AS (
	SELECT id, row_number() OVER upto AS place, sum(used) OVER upto - used AS gone
	FROM candidates WHERE id NOT IN (SELECT value ->> 0 FROM json_each(?2))
	WINDOW upto AS (ORDER BY score, at, id ROWS UNBOUNDED PRECEDING))
DELETE FROM entries WHERE id IN (SELECT ranked.id FROM ranked, n
	WHERE place <= ?1 ->> 'evict_max' AND (place <= need_count OR gone < need_used))
RETURNING 1 AS evicted;

-- name: admit
-- As plan, + token, strict (1: a planned eviction must have reached its goal). No rows. Policy none admits
-- what does not grow, for each of the two limits by itself.
UPDATE namespaces AS n SET admitted = ?1 ->> 'token' || iif(l.max_count IS 0, '-', ''),
	entry_count = n.entry_count + iif(l.max_count IS 0, 0, g.new_count - g.old_count),
	total_size = n.total_size + iif(l.max_count IS 0, 0, g.new_size - g.old_size),
	extra_size = n.extra_size + iif(l.max_count IS 0, 0,
		g.new_used - g.new_size - g.old_used + g.old_size),
	clock = max(n.clock + 1, ?1 ->> 'now') + g.new_count - 1,
	frequency_sum = n.frequency_sum + iif(l.max_count IS 0, 0, g.frequency_change),
	sets = n.sets + iif(l.max_count IS 0, 0, g.new_count),
	expirations = n.expirations + iif(l.max_count IS 0, 0, g.expired),
	evictions = n.evictions + iif(l.max_count IS 0, g.old_count - g.expired, 0)
FROM (SELECT id AS limits_of, nullif(coalesce(max_size, ?1 ->> 'max_size'), 0) AS max_bytes,
		iif(coalesce(capacity, ?1 ->> 'capacity') < 0, NULL,
			coalesce(capacity, ?1 ->> 'capacity')) AS max_count,
		coalesce(policy, ?1 ->> 'policy') AS way
	FROM namespaces WHERE name = ?1 ->> 'ns') l,
	(SELECT coalesce(sum(j.value ->> 2), 0) AS new_size, count(j.key) AS new_count,
		coalesce(sum(j.value ->> 2 + j.value ->> 5), 0) AS new_used,
		coalesce(sum(e.size), 0) AS old_size, count(e.id) AS old_count,
		coalesce(sum(e.size + e.extra), 0) AS old_used,
		coalesce(sum(coalesce(j.value ->> 6, 1) - iif(j.value ->> 6 IS NOT NULL
			OR e.live_until <= ?1 ->> 'now',
			coalesce(e.frequency, 0), 0)), 0) AS frequency_change,
		count(iif(e.live_until <= ?1 ->> 'now', 1, NULL)) AS expired,
		max(e.live_until > ?1 ->> 'now') IS 1 AS live, max(e.etag) AS etag
	FROM json_each(?2) j LEFT JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.tag = j.value ->> 1
		AND e.ns = (SELECT id FROM namespaces WHERE name = ?1 ->> 'ns')) g
WHERE n.id = l.limits_of
	AND (l.max_count IS 0 OR (g.new_used <= coalesce(l.max_bytes, g.new_used)
		AND g.new_count <= coalesce(l.max_count, g.new_count)
		AND (n.entry_count - g.old_count + g.new_count
				<= coalesce(l.max_count, n.entry_count - g.old_count + g.new_count)
			OR (l.way = 'none' AND g.new_count <= g.old_count))
		AND (n.total_size + n.extra_size - g.old_used + g.new_used
				<= coalesce(l.max_bytes, n.total_size + n.extra_size - g.old_used + g.new_used)
			OR (l.way = 'none' AND g.new_used <= g.old_used))
		AND (n.evicting = 0 OR ?1 ->> 'strict' = 0 OR n.entry_count <= g.old_count
			OR (n.total_size + n.extra_size <= coalesce(n.evict_size, n.total_size + n.extra_size)
				AND n.entry_count <= coalesce(n.evict_count, n.entry_count)))))
	AND CASE ?1 ->> 'kind' WHEN 'absent' THEN NOT g.live WHEN 'present' THEN g.live
		WHEN 'match' THEN g.live AND g.etag IN (SELECT value FROM json_each(?1, '$.etags'))
		WHEN 'none_match' THEN NOT (g.live
			AND g.etag IN (SELECT value FROM json_each(?1, '$.etags')))
		ELSE 1 END;

-- name: make_way
-- ?1 + token, ?2. Removes a row that another entry holds in an item's place: an entry of a cleared namespace,
-- or one whose hash collides. If the capacity is 0 it removes the item's own entry. No rows.
DELETE FROM entries WHERE id IN (SELECT e.id
	FROM namespaces n JOIN json_each(?2) j CROSS JOIN entries e NOT INDEXED ON e.id = j.value ->> 0
		AND n.admitted = ?1 ->> 'token' || iif(e.ns = n.id AND e.tag = j.value ->> 1, '-', '')
	WHERE n.name = ?1 ->> 'ns' AND n.admitted IN (?1 ->> 'token', ?1 ->> 'token' || '-'));

-- name: put_entries
-- ?1 + token, ?2. No rows. Each item takes a time of its own, from those that admit took from the namespace's
-- clock, as its last access, and as its creation if it has no history. Such a creation is never before
-- `modified`; one from a history is.
INSERT INTO entries(id, ns, tag, size, frequency, last_access, created, modified, expires, etag,
	fifo, kept, extra, idle)
SELECT j.value ->> 0, n.id, j.value ->> 1, j.value ->> 2, coalesce(j.value ->> 6, 1),
	min(coalesce(nullif(j.value ->> 8, 0), n.clock), n.clock - json_array_length(?2) + 1 + j.key),
	iif(j.value ->> 6 IS NULL, n.clock - json_array_length(?2) + 1 + j.key,
		min(coalesce(nullif(j.value ->> 7, 0), ?1 ->> 'now'), ?1 ->> 'now' - 1)), ?1 ->> 'now',
	CASE WHEN j.value ->> 9 IS NOT NULL THEN j.value ->> 9
		WHEN coalesce(j.value ->> 3, n.default_ttl, ?1 ->> 'default_ttl') = 0 THEN 0
		ELSE ?1 ->> 'now'
			+ coalesce(j.value ->> 3, n.default_ttl, ?1 ->> 'default_ttl') * 1000000 END,
	j.value ->> 4, coalesce(n.policy, ?1 ->> 'policy') = 'fifo', coalesce(n.stale_ttl, 0) * 1000000,
	j.value ->> 5, coalesce(n.max_idle, 0) * 1000000
FROM namespaces n JOIN json_each(?2) j
WHERE n.name = ?1 ->> 'ns' AND n.admitted = ?1 ->> 'token'
ON CONFLICT(id) DO UPDATE SET size = excluded.size,
	frequency = iif(excluded.created >= excluded.modified AND live_until > excluded.modified,
		frequency + 1, excluded.frequency),
	created = iif(excluded.created >= excluded.modified AND live_until > excluded.modified,
		created, excluded.created),
	last_access = excluded.last_access, modified = excluded.modified,
	expires = excluded.expires, etag = excluded.etag, fifo = max(fifo, excluded.fifo),
	kept = excluded.kept, extra = excluded.extra, idle = excluded.idle;

-- name: put_contents
-- ?1 + token, ?2: an array of [id, key is text (1 or 0), key as text or hex, type, encoding, value]. No rows.
INSERT INTO contents(id, ns, key_is_text, key, type, encoding, value)
SELECT j.value ->> 0, n.id, j.value ->> 1,
	CASE j.value ->> 1 WHEN 1 THEN CAST(j.value ->> 2 AS BLOB) ELSE unhex(j.value ->> 2) END,
	j.value ->> 3, j.value ->> 4, j.value ->> 5
FROM namespaces n JOIN json_each(?2) j
WHERE n.name = ?1 ->> 'ns' AND n.admitted = ?1 ->> 'token'
ON CONFLICT(id) DO UPDATE SET type = excluded.type, encoding = excluded.encoding,
	value = excluded.value;

-- name: put_content
-- One item whose value or key is too large for a JSON array. ?1 + token, ?2: [id, key is text, type,
-- encoding], ?3 key as text or hex, ?4 value. No rows.
INSERT INTO contents(id, ns, key_is_text, key, type, encoding, value)
SELECT ?2 ->> 0, n.id, ?2 ->> 1, CASE ?2 ->> 1 WHEN 1 THEN CAST(?3 AS BLOB) ELSE unhex(?3) END,
	?2 ->> 2, ?2 ->> 3, ?4
FROM namespaces n
WHERE n.name = ?1 ->> 'ns' AND n.admitted = ?1 ->> 'token'
ON CONFLICT(id) DO UPDATE SET type = excluded.type, encoding = excluded.encoding,
	value = excluded.value;

-- name: set_result
-- ?1 + token. One row (none: there are too many namespaces): admitted, the settings in force, by_size (1: the
-- planned eviction is one by size).
SELECT admitted IS ?1 ->> 'token' AS admitted, coalesce(max_size, ?1 ->> 'max_size') AS max_size,
	coalesce(capacity, ?1 ->> 'capacity') AS capacity,
	coalesce(default_ttl, ?1 ->> 'default_ttl') AS default_ttl,
	coalesce(policy, ?1 ->> 'policy') AS policy, put_status, evict_size IS NOT NULL AS by_size,
	evicting AND entry_count > 0
		AND (total_size + extra_size > coalesce(evict_size, total_size + extra_size)
		OR entry_count > coalesce(evict_count, entry_count)) AS unfinished
FROM namespaces WHERE name = ?1 ->> 'ns';

-- name: settle
-- ?1. Ends what plan or plan_limits began. No rows.
UPDATE namespaces SET evicting = 0, evict_size = NULL, evict_count = NULL
WHERE name = ?1 ->> 'ns' AND evicting = 1;

-- name: mark_fifo
-- ?1. Gives all entries of a namespace their position in the order of creation. No rows.
UPDATE entries SET fifo = 1
WHERE ns = (SELECT id FROM namespaces WHERE name = ?1 ->> 'ns') AND fifo = 0;

-- name: mark_kept
-- ?1. Gives the entries of a namespace its stale time after that was configured. No rows.
UPDATE entries SET kept = s.kept
FROM (SELECT id, coalesce(stale_ttl, 0) * 1000000 AS kept FROM namespaces WHERE name = ?1 ->> 'ns') s
WHERE entries.ns = s.id AND entries.expires > 0 AND entries.kept <> s.kept;

-- name: mark_idle
-- ?1. Gives the entries of a namespace its idle time after that was configured. No rows.
UPDATE entries SET idle = s.idle
FROM (SELECT id, coalesce(max_idle, 0) * 1000000 AS idle FROM namespaces WHERE name = ?1 ->> 'ns') s
WHERE entries.ns = s.id AND entries.idle <> s.idle;

-- name: get_items
-- ?1 + stale (1: also finds an entry in its stale time), ?2. A row for each item that is found; stale: 1 if it
-- has expired.
SELECT j.key AS i, c.value, c.encoding, c.type, e.etag, e.modified, e.expires,
	e.live_until <= ?1 ->> 'now' AS stale
FROM namespaces n JOIN json_each(?2) j
	CROSS JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.ns = n.id AND e.tag = j.value ->> 1
	CROSS JOIN contents c ON c.id = e.id
WHERE n.name = ?1 ->> 'ns'
	AND iif(?1 ->> 'stale', e.kept_until, e.live_until) > ?1 ->> 'now';

-- name: get_many
-- As get_items, for many: + max_bytes. If their values together have more bytes, each is NULL. The sum is
-- computed only if it can exceed max_bytes, by the size of the namespace or of the entries.
SELECT j.key AS i, iif(n.total_size <= ?1 ->> 'max_bytes'
		OR (SELECT sum(e.size) FROM json_each(?2) j CROSS JOIN entries e NOT INDEXED
			ON e.id = j.value ->> 0) <= ?1 ->> 'max_bytes'
		OR (SELECT sum(octet_length(c.value)) FROM json_each(?2) j CROSS JOIN contents c
			ON c.id = j.value ->> 0) <= ?1 ->> 'max_bytes', c.value, NULL) AS value,
	c.encoding, c.type, e.etag, e.modified, e.expires, e.live_until <= ?1 ->> 'now' AS stale
FROM namespaces n JOIN json_each(?2) j
	CROSS JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.ns = n.id AND e.tag = j.value ->> 1
	CROSS JOIN contents c ON c.id = e.id
WHERE n.name = ?1 ->> 'ns'
	AND iif(?1 ->> 'stale', e.kept_until, e.live_until) > ?1 ->> 'now';

-- name: count_gets
-- ?1 + stale, ?2. Updates the accounts for touch_items, and takes times from the namespace's clock. No rows.
UPDATE namespaces AS n SET hits = n.hits + g.hits, misses = n.misses + g.misses,
	clock = max(n.clock + 1, ?1 ->> 'now') + json_array_length(?2) - 1,
	frequency_sum = n.frequency_sum + g.hits, stale_hits = n.stale_hits + g.stale_hits
FROM (SELECT count(e.id) AS hits, count(*) - count(e.id) AS misses,
		count(iif(e.live_until <= ?1 ->> 'now', 1, NULL)) AS stale_hits
	FROM json_each(?2) j LEFT JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.tag = j.value ->> 1
		AND e.ns = (SELECT id FROM namespaces WHERE name = ?1 ->> 'ns')
		AND iif(?1 ->> 'stale', e.kept_until, e.live_until) > ?1 ->> 'now') g
WHERE n.name = ?1 ->> 'ns';

-- name: touch_items
-- ?1 + stale, ?2. Counts a use of each entry that get_items finds, each with a time of its own. No rows.
UPDATE entries AS e SET frequency = e.frequency + 1, last_access = g.at
FROM (SELECT o.id, n.clock - json_array_length(?2) + 1 + j.key AS at
	FROM namespaces n JOIN json_each(?2) j
		CROSS JOIN entries o NOT INDEXED ON o.id = j.value ->> 0 AND o.ns = n.id AND o.tag = j.value ->> 1
	WHERE n.name = ?1 ->> 'ns'
		AND iif(?1 ->> 'stale', o.kept_until, o.live_until) > ?1 ->> 'now') g
WHERE e.id = g.id;

-- name: exist_items
-- ?1, ?2. A row (i) for each item that exists and has not expired.
SELECT j.key AS i
FROM namespaces n JOIN json_each(?2) j
	CROSS JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.ns = n.id AND e.tag = j.value ->> 1
WHERE n.name = ?1 ->> 'ns' AND e.live_until > ?1 ->> 'now';

-- name: count_deletes
-- ?1 + kind, etags, ?2. Updates the accounts for delete_items, and runs before it. No rows.
UPDATE namespaces SET deletes = deletes + (SELECT count(*)
	FROM json_each(?2) j CROSS JOIN entries e NOT INDEXED
		ON e.id = j.value ->> 0 AND e.ns = namespaces.id AND e.tag = j.value ->> 1
	WHERE e.live_until > ?1 ->> 'now'
		AND CASE ?1 ->> 'kind' WHEN 'absent' THEN 0
			WHEN 'match' THEN e.etag IN (SELECT value FROM json_each(?1, '$.etags'))
			WHEN 'none_match' THEN e.etag NOT IN (SELECT value FROM json_each(?1, '$.etags'))
			ELSE 1 END)
WHERE name = ?1 ->> 'ns';

-- name: delete_items
-- ?1 + kind, etags, ?2. A row (expired: 1 or 0) for each entry removed. The caller learns from probe in the
-- same batch whether the condition of a single item held.
DELETE FROM entries WHERE id IN (SELECT e.id
	FROM namespaces n JOIN json_each(?2) j
		CROSS JOIN entries e NOT INDEXED ON e.id = j.value ->> 0 AND e.ns = n.id AND e.tag = j.value ->> 1
	WHERE n.name = ?1 ->> 'ns'
		AND CASE WHEN e.live_until <= ?1 ->> 'now'
				THEN ?1 ->> 'kind' IS NULL OR ?1 ->> 'kind' IN ('absent', 'none_match')
			ELSE CASE ?1 ->> 'kind' WHEN 'absent' THEN 0
				WHEN 'match' THEN e.etag IN (SELECT value FROM json_each(?1, '$.etags'))
				WHEN 'none_match'
					THEN e.etag NOT IN (SELECT value FROM json_each(?1, '$.etags'))
				ELSE 1 END END)
RETURNING live_until <= ?1 ->> 'now' AS expired;

-- name: expire_items
-- ?1 + kind, etags, ?2. Gives live entries another time to live. As with delete_items, the caller learns from
-- probe what was done. No rows.
UPDATE entries AS e SET expires = iif(g.ttl = 0, 0, ?1 ->> 'now' + g.ttl * 1000000), kept = g.kept
FROM (SELECT o.id, coalesce(j.value ->> 2, n.default_ttl, ?1 ->> 'default_ttl') AS ttl,
		coalesce(n.stale_ttl, 0) * 1000000 AS kept
	FROM namespaces n JOIN json_each(?2) j
		CROSS JOIN entries o NOT INDEXED ON o.id = j.value ->> 0 AND o.ns = n.id AND o.tag = j.value ->> 1
	WHERE n.name = ?1 ->> 'ns' AND o.live_until > ?1 ->> 'now'
		AND CASE ?1 ->> 'kind' WHEN 'absent' THEN 0
			WHEN 'match' THEN o.etag IN (SELECT value FROM json_each(?1, '$.etags'))
			WHEN 'none_match' THEN o.etag NOT IN (SELECT value FROM json_each(?1, '$.etags'))
			ELSE 1 END) g
WHERE e.id = g.id;

-- name: clear_count
-- ?1. One row (entry_count), or none.
SELECT entry_count FROM namespaces WHERE name = ?1 ->> 'ns';

-- name: clear_drop
-- ?1. Clearing takes effect at once, whatever the size: the namespace gets a new id (clear_renew), and sweep
-- removes the rows of the former one. No rows.
INSERT INTO dropped(id) SELECT id FROM namespaces WHERE name = ?1 ->> 'ns' AND entry_count > 0;

-- name: clear_renew
-- ?1. After clear_drop. No rows.
UPDATE namespaces SET id = 1 + max((SELECT max(id) FROM namespaces), (SELECT max(id) FROM dropped)), deletes = deletes + entry_count,
	entry_count = 0, total_size = 0, frequency_sum = 0
WHERE name = ?1 ->> 'ns' AND entry_count > 0;

-- name: drop_namespace
-- ?1. After clear_drop, in place of clear_renew. No rows.
DELETE FROM namespaces WHERE name = ?1 ->> 'ns';

-- name: clear_prefix
-- ?1 + prefix_is_text, low, high (hex: bounds of the first 64 bytes), limit, ?2: the prefix as text or
-- hex. Removes up to `limit` entries. A row (expired: 1 or 0) each.
DELETE FROM entries WHERE id IN (SELECT c.id
	FROM namespaces n JOIN contents c INDEXED BY contents_key ON c.ns = n.id
	WHERE n.name = ?1 ->> 'ns' AND ifnull(substr(c.key, 1, 64), x'') >= unhex(?1 ->> 'low')
		AND ifnull(substr(c.key, 1, 64), x'') < unhex(?1 ->> 'high')
		AND substr(c.key, 1, ?1 ->> 'prefix_length')
			= CASE ?1 ->> 'prefix_is_text' WHEN 1 THEN CAST(?2 AS BLOB) ELSE unhex(?2) END
	LIMIT ?1 ->> 'limit')
RETURNING live_until <= ?1 ->> 'now' AS expired;

-- name: add_deletes
-- ?1 + deletes. Updates the accounts for clear_prefix. No rows.
UPDATE namespaces SET deletes = deletes + ?1 ->> 'deletes' WHERE name = ?1 ->> 'ns';

-- name: scan
-- ?1 + low, high, prefix_is_text, prefix_length, after_is_text (null: from the beginning), limit, short, ?2
-- prefix, ?3 after. Up to `limit` rows in byte order of the key. The key is text or hex as key_is_text says,
-- or NULL if it has more than `short` bytes; keys_of reads those that are needed.
SELECT CAST(c.id AS TEXT) AS id, length(c.key) AS length, c.key_is_text,
	iif(length(c.key) <= ?1 ->> 'short', iif(c.key_is_text, CAST(c.key AS TEXT), hex(c.key)), NULL) AS key,
	e.size, e.etag, e.frequency, e.last_access, e.created, e.expires
FROM namespaces n CROSS JOIN contents c INDEXED BY contents_key ON c.ns = n.id
	CROSS JOIN entries e NOT INDEXED ON e.id = c.id
WHERE n.name = ?1 ->> 'ns' AND ifnull(substr(c.key, 1, 64), x'') >= unhex(?1 ->> 'low')
	AND ifnull(substr(c.key, 1, 64), x'') < unhex(?1 ->> 'high')
	AND (?1 ->> 'prefix_length' = 0 OR substr(c.key, 1, ?1 ->> 'prefix_length')
		= CASE ?1 ->> 'prefix_is_text' WHEN 1 THEN CAST(?2 AS BLOB) ELSE unhex(?2) END)
	AND CASE ?1 ->> 'after_is_text' WHEN 1 THEN c.key > CAST(?3 AS BLOB)
		WHEN 0 THEN c.key > unhex(?3) ELSE 1 END
	AND e.live_until > ?1 ->> 'now'
ORDER BY ifnull(substr(c.key, 1, 64), x''), c.key
LIMIT ?1 ->> 'limit';

-- name: keys_of
-- ?1: {"ids": [...]} . A row (id, key) for each that still exists.
SELECT CAST(c.id AS TEXT) AS id, iif(c.key_is_text, CAST(c.key AS TEXT), hex(c.key)) AS key
FROM json_each(?1, '$.ids') j CROSS JOIN contents c ON c.id = CAST(j.value AS INTEGER);

-- name: stats
-- ?1 (ns null: all namespaces). A row each, by name. The settings are the configured ones, NULL if the
-- default applies.
SELECT n.name, n.max_size, n.capacity, n.default_ttl, n.policy, n.stale_ttl, n.max_idle, n.compression,
	n.put_status, n.entry_count, n.total_size,
	n.total_size + n.extra_size AS used_bytes, n.frequency_sum, coalesce((SELECT frequency FROM entries INDEXED BY entries_order
		WHERE ns = n.id ORDER BY frequency DESC LIMIT 1), 0) AS max_frequency,
	n.hits, n.misses, n.stale_hits, n.sets, n.deletes, n.evictions, n.expirations
FROM namespaces n
WHERE ?1 ->> 'ns' IS NULL OR n.name = ?1 ->> 'ns'
ORDER BY n.name;

-- name: configure
-- ?1 + set_max_size, set_capacity, set_default_ttl, set_policy, set_stale_ttl, set_max_idle, set_compression,
-- set_put_status, each null if it does not change. No rows.
UPDATE namespaces SET max_size = coalesce(?1 ->> 'set_max_size', max_size),
	capacity = coalesce(?1 ->> 'set_capacity', capacity),
	default_ttl = coalesce(?1 ->> 'set_default_ttl', default_ttl),
	policy = coalesce(?1 ->> 'set_policy', policy),
	stale_ttl = coalesce(?1 ->> 'set_stale_ttl', stale_ttl),
	max_idle = coalesce(?1 ->> 'set_max_idle', max_idle),
	compression = coalesce(?1 ->> 'set_compression', compression),
	put_status = coalesce(?1 ->> 'set_put_status', put_status)
WHERE name = ?1 ->> 'ns';

-- name: check
-- No parameters. One row, if the tables exist.
SELECT (SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT 1))
	+ (SELECT count(*) FROM (SELECT 1 FROM contents LIMIT 1)) AS rows_seen;

-- The upgrade from the original Worker's tables (src/upgrade.ts); one batch for each piece:
-- upgrade_account, upgrade_contents, upgrade_entries, and the removal of the old rows.

-- name: upgrade_limit
-- ?1 + max_size. Takes over a limit if none was configured. No rows.
UPDATE namespaces SET max_size = ?1 ->> 'max_size'
WHERE name = ?1 ->> 'ns' AND max_size IS NULL;

-- name: upgrade_account
-- ?1 + token, ?2: an array of [id, tag, size, etag, frequency, last_access, created, extra]. No rows.
UPDATE namespaces AS n SET admitted = ?1 ->> 'token', entry_count = n.entry_count + g.entry_count,
	total_size = n.total_size + g.total_size, extra_size = n.extra_size + g.extra_size,
	frequency_sum = n.frequency_sum + g.frequency_sum
FROM (SELECT count(*) AS entry_count, coalesce(sum(value ->> 2), 0) AS total_size,
		coalesce(sum(value ->> 7), 0) AS extra_size,
		coalesce(sum(value ->> 4), 0) AS frequency_sum
	FROM json_each(?2) WHERE value ->> 0 NOT IN (SELECT id FROM entries
		WHERE id IN (SELECT value ->> 0 FROM json_each(?2)))) g
WHERE n.name = ?1 ->> 'ns';

-- name: upgrade_contents
-- As put_contents, but keeps what was set in the meantime. No rows.
INSERT INTO contents(id, ns, key_is_text, key, type, encoding, value)
SELECT j.value ->> 0, n.id, j.value ->> 1,
	CASE j.value ->> 1 WHEN 1 THEN CAST(j.value ->> 2 AS BLOB) ELSE unhex(j.value ->> 2) END,
	j.value ->> 3, j.value ->> 4, j.value ->> 5
FROM namespaces n JOIN json_each(?2) j
WHERE n.name = ?1 ->> 'ns' AND n.admitted = ?1 ->> 'token'
ON CONFLICT(id) DO NOTHING;

-- name: upgrade_content
-- ?1 + token, ?2: [id, key is text, type, encoding], ?3 key, ?4 value, as put_content, but keeps what was set
-- in the meantime. No rows.
INSERT INTO contents(id, ns, key_is_text, key, type, encoding, value)
SELECT ?2 ->> 0, n.id, ?2 ->> 1, CASE ?2 ->> 1 WHEN 1 THEN CAST(?3 AS BLOB) ELSE unhex(?3) END,
	?2 ->> 2, ?2 ->> 3, ?4
FROM namespaces n
WHERE n.name = ?1 ->> 'ns' AND n.admitted = ?1 ->> 'token'
ON CONFLICT(id) DO NOTHING;

-- name: upgrade_entries
-- As upgrade_account. No rows.
INSERT INTO entries(id, ns, tag, size, frequency, last_access, created, modified, expires, etag,
	fifo, extra)
SELECT j.value ->> 0, n.id, j.value ->> 1, j.value ->> 2, j.value ->> 4, min(j.value ->> 5, ?1 ->> 'now'),
	min(j.value ->> 6, ?1 ->> 'now'), min(j.value ->> 6, ?1 ->> 'now'), 0, j.value ->> 3, 0, j.value ->> 7
FROM namespaces n JOIN json_each(?2) j
WHERE n.name = ?1 ->> 'ns' AND n.admitted = ?1 ->> 'token'
ON CONFLICT(id) DO NOTHING;

-- Measures the entries of an earlier version (migrations/0003_used.sql), a piece at a time in the order of
-- their ids; one batch: measure_accounts, measure_entries, measure_on.

-- name: measure_accounts
-- ?1 + overhead, limit. No rows.
UPDATE namespaces SET extra_size = extra_size + g.extra
FROM (SELECT ns, sum(extra) AS extra FROM (SELECT e.ns, iif(e.extra > 0, 0,
			length(c.key) + octet_length(c.type) + ?1 ->> 'overhead') AS extra
		FROM entries e NOT INDEXED CROSS JOIN contents c ON c.id = e.id
		WHERE e.id > (SELECT upto FROM measured) ORDER BY e.id LIMIT ?1 ->> 'limit')
	GROUP BY ns) g
WHERE namespaces.id = g.ns;

-- name: measure_entries
-- ?1 + overhead, limit. Times in the future, which only an import can have brought, become now. No rows.
UPDATE entries AS o NOT INDEXED SET extra = g.extra, last_access = min(o.last_access, ?1 ->> 'now'),
	created = min(o.created, ?1 ->> 'now'), modified = min(o.modified, ?1 ->> 'now')
FROM (SELECT id, extra FROM (SELECT e.id, e.extra AS had,
			length(c.key) + octet_length(c.type) + ?1 ->> 'overhead' AS extra
		FROM entries e NOT INDEXED CROSS JOIN contents c ON c.id = e.id
		WHERE e.id > (SELECT upto FROM measured) ORDER BY e.id LIMIT ?1 ->> 'limit')
	WHERE had = 0) g
WHERE o.id = g.id;

-- name: measure_on
-- ?1 + limit. One row: done (1: all have been measured).
UPDATE measured SET upto = coalesce((SELECT max(id) FROM (SELECT id FROM entries NOT INDEXED
		WHERE id > (SELECT upto FROM measured) ORDER BY id LIMIT ?1 ->> 'limit')), 9223372036854775807)
RETURNING upto = 9223372036854775807 AS done;
