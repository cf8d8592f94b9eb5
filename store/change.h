/* Changes of entries as they happen: what a backend tells whoever watches (backend_config.changed).
 *
 * A store that only this process writes tells all of its changes. Of a store that several servers
 * share each tells its own writes, and the others' as far as it hears of them (news.h). */
#ifndef STEADYCACHE_STORE_CHANGE_H
#define STEADYCACHE_STORE_CHANGE_H

#include "base/slice.h"

enum cache_change_kind {
	CHANGE_SET,    /* ns, key: a value was stored, or has another time to live */
	CHANGE_DELETE, /* ns, key: removed by a client */
	CHANGE_EXPIRE, /* ns, key: removed because its time was over, or it was idle */
	CHANGE_EVICT,  /* ns, key: removed for room */
	CHANGE_CLEAR,  /* ns, key: its prefix; empty: the whole namespace */
	CHANGE_MISSED, /* changes were not told; ns may be empty: of any */
};

struct cache_change {
	enum cache_change_kind kind;
	struct slice ns, key; /* borrowed until the receiver returns */
};

#endif
