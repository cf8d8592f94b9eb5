#include "pieces.h"

#include <string.h>

#define PAGE_HEADER_BYTES 16 /* LMDB's, of a page that has one datum */
#define KEY_BYTES         12

struct piece_key {
	unsigned char bytes[KEY_BYTES];
};

/* Where in the parts the next byte is. */
struct place {
	const struct slice *parts;
	size_t part, at;
};

static size_t piece_bytes(const struct driver *driver)
{
	return driver->page_bytes - PAGE_HEADER_BYTES;
}

uint64_t lmdb_pieces_count(const struct driver *driver, uint64_t len)
{
	return len / piece_bytes(driver) + (len % piece_bytes(driver) != 0);
}

static size_t len_of_piece(const struct driver *driver, uint64_t len, uint64_t number)
{
	uint64_t rest = len - number * piece_bytes(driver);

	return rest < piece_bytes(driver) ? (size_t)rest : piece_bytes(driver);
}

static MDB_val make_key(struct piece_key *key, uint64_t id, uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		key->bytes[i] = (unsigned char)(id >> (56 - 8 * i));
	for (unsigned i = 0; i < 4; i++)
		key->bytes[8 + i] = (unsigned char)(number >> (24 - 8 * i));
	return (MDB_val){KEY_BYTES, key->bytes};
}

/* The next `len` bytes of the parts: to `to`, or compared with `with`. False: they differ. */
static bool walk(struct place *place, size_t len, char *to, const char *with)
{
	for (size_t done = 0; done < len;) {
		const struct slice *part = &place->parts[place->part];
		size_t step =
			part->len - place->at < len - done ? part->len - place->at : len - done;

		if (step > 0 && to)
			memcpy(to + done, part->data + place->at, step);
		if (step > 0 && with && memcmp(with + done, part->data + place->at, step) != 0)
			return false;
		done += step;
		place->at += step;
		if (place->at == part->len && done < len)
			place->part++, place->at = 0;
	}
	return true;
}

static uint64_t total_of(const struct slice *parts, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	return total;
}

int lmdb_pieces_put(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		    uint64_t old_len, const struct slice *parts, size_t count)
{
	uint64_t len = total_of(parts, count), needed = lmdb_pieces_count(driver, len);
	uint64_t old = lmdb_pieces_count(driver, old_len);
	struct place place = {.parts = parts};
	struct piece_key bytes;

	for (uint64_t i = 0; i < needed; i++) {
		MDB_val key = make_key(&bytes, id, i);
		MDB_val data = {len_of_piece(driver, len, i), NULL};
		/* A new string has the largest number. */
		int rc = mdb_cursor_put(tables->pieces, &key, &data,
					MDB_RESERVE | (old == 0 ? MDB_APPEND : 0U));

		if (rc != 0)
			return rc;
		(void)walk(&place, data.mv_size, data.mv_data, NULL);
	}
	for (uint64_t i = needed; i < old; i++) {
		MDB_val key = make_key(&bytes, id, i);
		int rc = mdb_cursor_get(tables->pieces, &key, NULL, MDB_SET);

		if (rc == 0)
			rc = mdb_cursor_del(tables->pieces, 0);
		if (rc != 0 && rc != MDB_NOTFOUND)
			return rc;
	}
	return 0;
}

/* Piece `number` of the string, of which the cursor has the piece before. */
static int piece_at(const struct lmdb_tables *tables, uint64_t id, uint64_t number, size_t len,
		    MDB_val *ret)
{
	struct piece_key bytes;
	MDB_val wanted = make_key(&bytes, id, number), key = wanted;
	int rc = mdb_cursor_get(tables->pieces, &key, ret, number == 0 ? MDB_SET_KEY : MDB_NEXT);

	if (rc == MDB_NOTFOUND || (rc == 0 && (key.mv_size != KEY_BYTES || ret->mv_size != len ||
					       memcmp(key.mv_data, bytes.bytes, KEY_BYTES) != 0)))
		return MDB_CORRUPTED;
	return rc;
}

int lmdb_pieces_get(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		    char *room, uint64_t len)
{
	uint64_t count = lmdb_pieces_count(driver, len);

	for (uint64_t i = 0; i < count; i++) {
		MDB_val data;
		int rc = piece_at(tables, id, i, len_of_piece(driver, len, i), &data);

		if (rc != 0)
			return rc;
		memcpy(room, data.mv_data, data.mv_size);
		room += data.mv_size;
	}
	return 0;
}

bool lmdb_pieces_equal(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		       const struct slice *parts, size_t count)
{
	uint64_t len = total_of(parts, count), pieces = lmdb_pieces_count(driver, len);
	struct place place = {.parts = parts};

	for (uint64_t i = 0; i < pieces; i++) {
		MDB_val data;

		if (piece_at(tables, id, i, len_of_piece(driver, len, i), &data) != 0 ||
		    !walk(&place, data.mv_size, NULL, data.mv_data))
			return false;
	}
	return true;
}

int lmdb_pieces_remove(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		       uint64_t len)
{
	return lmdb_pieces_put(driver, tables, id, len, NULL, 0);
}

int lmdb_pieces_next_id(MDB_cursor *pieces, uint64_t *ret)
{
	MDB_val key, data;
	int rc = mdb_cursor_get(pieces, &key, &data, MDB_LAST);
	uint64_t id = 0;

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	for (unsigned i = 0; rc == 0 && i < 8 && i < key.mv_size; i++)
		id = id << 8 | ((const unsigned char *)key.mv_data)[i];
	*ret = id + 1;
	return 0;
}
