#include "backends/sqlite/file/key_index.h"

#include <string.h>
#include <xxhash.h>

int64_t key_index_hash(uint64_t seed, struct slice key)
{
	return (int64_t)XXH3_64bits_withSeed(key.data, key.len, seed);
}

void key_index_bind(sqlite3_stmt *statement, int parameter, int64_t namespace_id, struct slice key,
		    uint64_t seed)
{
	const char *data = key.len ? key.data : ""; /* a NULL pointer would bind NULL */

	(void)sqlite3_bind_int64(statement, parameter, namespace_id);
	(void)sqlite3_bind_blob64(statement, parameter + 1, data, key_index_len(key),
				  SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, parameter + 2, key_index_hash(seed, key));
	(void)sqlite3_bind_blob64(statement, parameter + 3, data, key.len, SQLITE_STATIC);
}

size_t key_index_len(struct slice key)
{
	return key.len < INDEXED_KEY_BYTES ? key.len : INDEXED_KEY_BYTES;
}

size_t key_index_prefix_bound(struct slice prefix, char bound[static KEY_BOUND_BYTES])
{
	size_t len = key_index_len(prefix);

	if (len > 0)
		memcpy(bound, prefix.data, len);
	while (len > 0 && bound[len - 1] == '\xFF')
		len--;
	if (len == 0) {
		memset(bound, 0xFF, KEY_BOUND_BYTES);
		return KEY_BOUND_BYTES;
	}
	bound[len - 1]++;
	return len;
}
