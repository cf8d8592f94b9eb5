#include "records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pieces.h"
#include "siphash.h"

#define KEY_MAX_BYTES       511 /* LMDB's, as it is usually built */
#define BODY_HERE_MAX_BYTES 256
#define LONG_NAME           0xFF /* no length of a namespace */
#define PREFIX_BYTES        9    /* of the key of a long name: what its name decides */
#define LONG_KEY_BYTES      (PREFIX_BYTES + 8)

/* Bits of the hash of a long name; tests use a few only, so that hashes are the same. */
#ifndef LMDB_NAME_BITS
#define LMDB_NAME_BITS 64
#endif

struct fixed {
	uint64_t body_len;
	uint64_t body_id;  /* of its string; 0: it stands behind the head */
	uint64_t name_id;  /* 0: the name is the key */
	uint64_t name_len; /* of that string */
	uint32_t head_len;
	uint32_t unused;
};

#define VALUE_MAX_BYTES (sizeof(struct fixed) + DRIVER_HEAD_MAX_BYTES + BODY_HERE_MAX_BYTES)

struct name {
	unsigned char key[KEY_MAX_BYTES];
	size_t key_len; /* of a long name: PREFIX_BYTES until its number is known */
	bool is_long;
	unsigned char ns_len;
	struct slice parts[3]; /* as a string of pieces: length of the namespace, namespace, key */
};

struct found {
	MDB_val value;
	struct fixed fixed; /* zeros if it cannot be read */
	bool is_whole;
};

static void write_number(unsigned char to[8], uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		to[i] = (unsigned char)(number >> (56 - 8 * i));
}

static void append(struct name *name, struct slice bytes)
{
	if (bytes.len > 0)
		memcpy(name->key + name->key_len, bytes.data, bytes.len);
	name->key_len += bytes.len;
}

static void make_name(struct name *name, const struct driver *driver, struct slice ns,
		      struct slice key)
{
	name->ns_len = (unsigned char)ns.len;
	name->parts[0] = (struct slice){(const char *)&name->ns_len, 1};
	name->parts[1] = ns;
	name->parts[2] = key;
	name->is_long = key.len > KEY_MAX_BYTES - 1 - ns.len;
	name->key_len = 0;
	if (!name->is_long) {
		for (size_t i = 0; i < 3; i++)
			append(name, name->parts[i]);
		return;
	}
	name->key[0] = LONG_NAME;
	write_number(name->key + 1,
		     siphash(driver->secret, name->parts, 3) >> (64 - LMDB_NAME_BITS));
	name->key_len = PREFIX_BYTES;
}

static void finish_long_key(struct name *name, uint64_t id)
{
	write_number(name->key + PREFIX_BYTES, id);
	name->key_len = LONG_KEY_BYTES;
}

static uint64_t name_len(const struct name *name)
{
	return 1 + name->parts[1].len + name->parts[2].len;
}

/* Reads `value`. False: it is damaged, and `fixed` zeros. */
static bool read_fixed(MDB_val value, struct fixed *fixed)
{
	*fixed = (struct fixed){0};
	if (value.mv_size < sizeof(*fixed))
		return false;
	memcpy(fixed, value.mv_data, sizeof(*fixed));
	uint64_t here = fixed->body_id == 0 ? fixed->body_len : 0;
	if (fixed->head_len <= DRIVER_HEAD_MAX_BYTES && here <= BODY_HERE_MAX_BYTES &&
	    value.mv_size == sizeof(*fixed) + fixed->head_len + here)
		return true;
	*fixed = (struct fixed){0};
	return false;
}

static const char *head_of(const struct found *found)
{
	return (const char *)found->value.mv_data + sizeof(struct fixed);
}

/* Among those with the same hash; completes the key of `name`. */
static int find_long(const struct driver *driver, const struct lmdb_tables *tables,
		     struct name *name, struct found *ret)
{
	MDB_val key = {PREFIX_BYTES, name->key};
	int rc = mdb_cursor_get(tables->records, &key, &ret->value, MDB_SET_RANGE);

	while (rc == 0 && key.mv_size == LONG_KEY_BYTES &&
	       memcmp(key.mv_data, name->key, PREFIX_BYTES) == 0) {
		ret->is_whole = read_fixed(ret->value, &ret->fixed);
		if (ret->is_whole && ret->fixed.name_len == name_len(name) &&
		    lmdb_pieces_equal(driver, tables, ret->fixed.name_id, name->parts, 3)) {
			finish_long_key(name, ret->fixed.name_id);
			return 0;
		}
		rc = mdb_cursor_get(tables->records, &key, &ret->value, MDB_NEXT);
	}
	return rc == 0 ? MDB_NOTFOUND : rc;
}

static int find(const struct driver *driver, const struct lmdb_tables *tables, struct name *name,
		struct found *ret)
{
	if (name->is_long)
		return find_long(driver, tables, name, ret);
	MDB_val key = {name->key_len, name->key};
	int rc = mdb_cursor_get(tables->records, &key, &ret->value, MDB_SET_KEY);
	if (rc == 0)
		ret->is_whole = read_fixed(ret->value, &ret->fixed);
	return rc;
}

int lmdb_records_get(const struct driver *driver, const struct lmdb_tables *tables, struct slice ns,
		     struct slice key, char *room, uint64_t len)
{
	struct name name;
	struct found found;

	make_name(&name, driver, ns, key);
	int rc = find(driver, tables, &name, &found);
	if (rc != 0)
		return rc;
	if (!found.is_whole || found.fixed.body_len != len)
		return MDB_CORRUPTED;
	if (found.fixed.body_id != 0)
		return lmdb_pieces_get(driver, tables, found.fixed.body_id, room, len);
	if (len > 0)
		memcpy(room, head_of(&found) + found.fixed.head_len, len);
	return 0;
}

/* ---- Changes ---- */

static int put_body(struct driver *driver, const struct lmdb_tables *tables, struct slice body,
		    const struct fixed *old, struct fixed *fixed)
{
	uint64_t old_len = old->body_id != 0 ? old->body_len : 0;

	fixed->body_len = body.len;
	if (body.len <= BODY_HERE_MAX_BYTES)
		return old_len > 0 ? lmdb_pieces_remove(driver, tables, old->body_id, old_len) : 0;
	fixed->body_id = old_len > 0 ? old->body_id : driver->next_id++;
	return lmdb_pieces_put(driver, tables, fixed->body_id, old_len, &body, 1);
}

static int put_name(struct driver *driver, const struct lmdb_tables *tables, struct name *name,
		    const struct fixed *old, struct fixed *fixed)
{
	if (!name->is_long)
		return 0;
	fixed->name_len = name_len(name);
	fixed->name_id = old->name_id;
	if (old->name_id != 0)
		return 0;
	fixed->name_id = driver->next_id++;
	finish_long_key(name, fixed->name_id);
	return lmdb_pieces_put(driver, tables, fixed->name_id, 0, name->parts, 3);
}

static int put(struct driver *driver, const struct lmdb_tables *tables, struct name *name,
	       const struct driver_change *change, const struct found *found)
{
	static const struct fixed none;
	const struct fixed *old = found ? &found->fixed : &none;
	struct fixed fixed = {.head_len = (uint32_t)change->head.len};
	char value[VALUE_MAX_BYTES];

	if (change->head.len > DRIVER_HEAD_MAX_BYTES)
		return MDB_BAD_VALSIZE;
	int rc = put_body(driver, tables, change->body, old, &fixed);
	if (rc == 0)
		rc = put_name(driver, tables, name, old, &fixed);
	if (rc != 0)
		return rc;
	size_t len = sizeof(fixed);
	memcpy(value, &fixed, sizeof(fixed));
	if (change->head.len > 0)
		memcpy(value + len, change->head.data, change->head.len);
	len += change->head.len;
	if (fixed.body_id == 0 && change->body.len > 0) {
		memcpy(value + len, change->body.data, change->body.len);
		len += change->body.len;
	}
	MDB_val key = {name->key_len, name->key}, data = {len, value};
	return mdb_cursor_put(tables->records, &key, &data, 0);
}

static int use(const struct lmdb_tables *tables, struct name *name,
	       const struct driver_change *change, const struct found *found)
{
	char value[VALUE_MAX_BYTES];
	MDB_val key = {name->key_len, name->key}, data = {found->value.mv_size, value};

	if (!found->is_whole || found->fixed.head_len != change->head.len)
		return 0;
	memcpy(value, found->value.mv_data, data.mv_size);
	if (change->head.len > 0)
		memcpy(value + sizeof(struct fixed), change->head.data, change->head.len);
	return mdb_cursor_put(tables->records, &key, &data, MDB_CURRENT);
}

static int remove_found(const struct driver *driver, const struct lmdb_tables *tables,
			const struct found *found)
{
	const struct fixed *fixed = &found->fixed;
	int rc = mdb_cursor_del(tables->records, 0);

	if (rc == 0 && fixed->body_id != 0)
		rc = lmdb_pieces_remove(driver, tables, fixed->body_id, fixed->body_len);
	if (rc == 0 && fixed->name_id != 0)
		rc = lmdb_pieces_remove(driver, tables, fixed->name_id, fixed->name_len);
	return rc;
}

int lmdb_records_change(struct driver *driver, const struct lmdb_tables *tables,
			const struct driver_change *change)
{
	struct name name;
	struct found found;

	make_name(&name, driver, change->ns, change->key);
	int rc = find(driver, tables, &name, &found);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (change->kind == DRIVER_PUT)
		return put(driver, tables, &name, change, rc == 0 ? &found : NULL);
	if (rc == MDB_NOTFOUND)
		return 0;
	return change->kind == DRIVER_USE ? use(tables, &name, change, &found)
					  : remove_found(driver, tables, &found);
}

uint64_t lmdb_records_pages(const struct driver *driver, const struct driver_change *change)
{
	uint64_t name =
		change->key.len < KEY_MAX_BYTES ? 0 : lmdb_pieces_count(driver, change->key.len);

	return lmdb_pieces_count(driver, change->body.len) + name + 2;
}

/* ---- All of them ---- */

/* The name of the record of that key; a long one is read into *room, which grows. False: it cannot
 * be read. *ret_rc: out of memory. */
static bool read_name(const struct driver *driver, const struct lmdb_tables *tables, MDB_val key,
		      const struct fixed *fixed, char **room, size_t *room_len, struct slice *ret,
		      int *ret_rc)
{
	*ret = (struct slice){key.mv_data, key.mv_size};
	if (key.mv_size > 0 && *(const unsigned char *)key.mv_data != LONG_NAME)
		return true;
	if (key.mv_size != LONG_KEY_BYTES || fixed->name_id == 0 || fixed->name_len == 0 ||
	    fixed->name_len > UINT32_MAX)
		return false;
	if (*room_len < fixed->name_len) {
		char *larger = realloc(*room, (size_t)fixed->name_len);

		if (!larger) {
			*ret_rc = ENOMEM;
			return false;
		}
		*room = larger;
		*room_len = (size_t)fixed->name_len;
	}
	*ret = (struct slice){*room, (size_t)fixed->name_len};
	return lmdb_pieces_get(driver, tables, fixed->name_id, *room, fixed->name_len) == 0;
}

int lmdb_records_visit(const struct driver *driver, const struct lmdb_tables *tables,
		       driver_visit *visit, void *user, bool *ret_stopped, uint64_t *ret_unreadable)
{
	char *room = NULL;
	size_t room_len = 0;
	MDB_val key;
	struct found found;
	int rc = mdb_cursor_get(tables->records, &key, &found.value, MDB_FIRST), name_rc = 0;

	*ret_stopped = false;
	*ret_unreadable = 0;
	for (; rc == 0; rc = mdb_cursor_get(tables->records, &key, &found.value, MDB_NEXT)) {
		struct slice name;

		if (!read_fixed(found.value, &found.fixed) ||
		    !read_name(driver, tables, key, &found.fixed, &room, &room_len, &name,
			       &name_rc) ||
		    (unsigned char)name.data[0] > DRIVER_NS_MAX_LEN ||
		    name.len < 1 + (size_t)(unsigned char)name.data[0]) {
			if (name_rc != 0)
				break;
			++*ret_unreadable;
			continue;
		}
		struct slice ns = {name.data + 1, (unsigned char)name.data[0]};
		struct slice rest = {ns.data + ns.len, name.len - 1 - ns.len};
		if (!visit(user, ns, rest, (struct slice){head_of(&found), found.fixed.head_len},
			   found.fixed.body_len)) {
			*ret_stopped = true;
			break;
		}
	}
	free(room);
	return name_rc != 0 ? name_rc : rc == MDB_NOTFOUND ? 0 : rc;
}
