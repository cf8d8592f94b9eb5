/* Where the rows of keys are that were written lately to a file that follows (settings.h), and what
 * they said then, so that the next value of such a key needs no look-up. A hint may be wrong: the
 * statements that use it say in their conditions what they rely on, and change nothing then.
 *
 * A table of fixed size, each hash in one place; the later one wins. Of the writer's thread. */
#ifndef STEADYCACHE_SQLITE_HINTS_H
#define STEADYCACHE_SQLITE_HINTS_H

#include <stdbool.h>
#include <stdint.h>

struct hint {
	int64_t hash; /* of the key, whatever its namespace */
	int64_t id;   /* of its row; 0: none */
	int64_t size_bytes;
	uint32_t frequency;
	uint32_t type_len; /* bytes of the content type */
};

struct hints {
	struct hint *places; /* NULL: none yet */
};

/* The hint for a key of this hash; NULL: none. */
const struct hint *hints_find(const struct hints *hints, int64_t hash);
/* Without memory nothing is noted. */
void hints_note(struct hints *hints, const struct hint *hint);
void hints_deinit(struct hints *hints);

#endif
