/* In which form a client gets a value that is kept compressed (base/value_zstd.h): as it is kept,
 * or decoded (RFC 9110, 8.4.1 and 12.5.3). */
#ifndef STEADYCACHE_HANDLERS_ENTRY_CODED_H
#define STEADYCACHE_HANDLERS_ENTRY_CODED_H

#include "base/value_zstd.h"
#include "handlers/respond/conditions.h"
#include "handlers/respond/request.h"

static inline bool entry_coded_is(const struct cache_value *value)
{
	return value->flags & CACHE_VALUE_ZSTD;
}

/* Chooses the form of op.one.value, which entry_coded_is, and adds Vary. *ret is ETAG_OF_ZSTD, or
 * ETAG_OF_VALUE: then the decoded value is in its place. A request with a Range always gets that:
 * it means the bytes that were stored. False: answered, as the value is damaged. */
bool entry_coded_choose(struct request *request, struct response *response, enum etag_form *ret);

#endif
