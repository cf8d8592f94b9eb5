/* The items of calls (call.h): keys and values out of the members that were read. */
#ifndef STEADYCACHE_HANDLERS_CALL_VALUE_H
#define STEADYCACHE_HANDLERS_CALL_VALUE_H

#include "handlers/batch/call.h"

/* What the body says of a value; each may be of a member that is not there. */
struct item_fields {
	const struct scan_member *value, *size, *ttl, *content_type, *encoding;
};

/* The member `key` of what errors call `path` ("items[3]."). False: it is missing or too long, and
 * the request is answered. */
bool call_value_item_key(const struct request *request, struct response *response, const char *path,
			 const struct scan_member *member, struct slice *ret);

/* Gives `item`, whose key and default TTL are set, the value and the rest of what `fields` say.
 * `path` is how errors call it ("items[3]."). False: something is wrong, and the request is
 * answered. */
bool call_value_fill_item(const struct request *request, struct response *response,
			  const char *path, const struct item_fields *fields,
			  struct cache_item *item);

/* The `key` member into op->one. */
bool call_value_read_key(struct request *request, struct response *response);
/* `value` and `size` of a call of one item into op->one. */
bool call_value_read(struct request *request, struct response *response);

#endif
