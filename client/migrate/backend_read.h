/* Reading entries of a backend, without counting that as uses. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_BACKEND_READ_H
#define STEADYCACHE_CLIENT_MIGRATE_BACKEND_READ_H

#include "client/migrate/end.h"

/* Whether the same op may succeed later. */
bool backend_read_is_passing(enum cache_status status);

/* Fills `failure` from the answer of an op, and returns false. */
bool migrate_fail_op(struct migrate_failure *failure, const char *what, enum cache_status status,
		     const char *detail, unsigned retry_after_s);

/* Makes `op` a get of the items. `ns` must live as long as the op. */
void backend_read_fill_get(const struct backend *backend, const char *ns, struct cache_op *op,
			   struct cache_item *items, size_t count);

/* Takes the item's value, or a copy of it, that nobody else sees, with the same bytes, ETag, flags
 * and times. NULL: out of memory. */
struct cache_value *backend_read_take_value(struct cache_item *item);

/* As `look` of a source. Any thread. */
bool backend_read_changes(struct backend *backend, const struct migrate_batch *batch,
			  struct migrate_batch *ret, struct migrate_failure *failure);

#endif
