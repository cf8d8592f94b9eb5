/* What the body of a call says of one item, whichever reader read it (call.h). */
#ifndef STEADYCACHE_HANDLERS_CALL_VALUE_H
#define STEADYCACHE_HANDLERS_CALL_VALUE_H

#include "handlers/call.h"

struct item_fields {
	struct slice key, value;
	int64_t size, ttl_s;
	struct slice content_type, encoding;
	bool has_type, has_encoding;
};

/* Of the members of an item of a batch (SCANNED_ITEM_...); only with `has_extras` from `ttl` on. */
void item_fields_of_scanned(const struct scan_member *members, bool has_extras,
			    struct item_fields *ret);

/* False: the key is too long, and the request is answered. */
bool call_check_key(const struct request *request, struct response *response, struct slice key);

/* A sealed value of what standard base64, padding required, stands for. NULL: it is no base64 (or
 * no memory is left). */
struct cache_value *call_decode_base64(struct slice text, struct slice content_type,
				       struct cache_value_room room);

/* Gives `item`, whose key is set, the value and the rest of what `fields` say. `path` is how errors
 * call it ("items[3]."). False: something is wrong, and the request is answered. */
bool item_fill(const struct request *request, struct response *response, const char *path,
	       const struct item_fields *fields, struct cache_item *item);

#endif
