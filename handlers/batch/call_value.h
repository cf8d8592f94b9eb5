/* The items of calls (call.h): keys and values from the members that were read. */
#ifndef STEADYCACHE_HANDLERS_CALL_VALUE_H
#define STEADYCACHE_HANDLERS_CALL_VALUE_H

#include "handlers/batch/call.h"

/* The members about a value; any of them may be missing in the body. */
struct item_fields {
	const struct scan_member *value, *size, *ttl, *content_type, *encoding, *headers;
};

/* The member `key` of the item that errors call `path` ("items[3]."). False: it is missing or too
 * long, and the request is answered. */
bool call_value_item_key(const struct request *request, struct response *response, const char *path,
			 const struct scan_member *member, struct slice *ret);

/* Sets the value of `item`, whose key and default TTL are set, and everything else that `fields`
 * say. `path` is its name in errors ("items[3]."). False: something is wrong, and the request is
 * answered. */
bool call_value_fill_item(const struct request *request, struct response *response,
			  const char *path, const struct item_fields *fields,
			  struct cache_item *item);

/* Reads the `key` member into op->one. */
bool call_value_read_key(struct request *request, struct response *response);
/* Reads `value` and `size` of a call of one item into op->one. */
bool call_value_read(struct request *request, struct response *response);

#endif
