/* The headers that an entry keeps (base/value_head.h), between HTTP and the head of its value. */
#ifndef STEADYCACHE_HANDLERS_ENTRY_HEADERS_H
#define STEADYCACHE_HANDLERS_ENTRY_HEADERS_H

#include "handlers/respond/request.h"

/* The head of the value that a PUT with these headers stores. */
struct entry_head {
	struct value_head_room room;
	/* HEAD_ADDED, or what is wrong with the first header that cannot be kept. */
	enum value_head_verdict verdict;
	char wrong_name[VALUE_HEADER_NAME_MAX_LEN + 1];
};

/* Headers without a value, and a Content-Encoding of identity, say nothing and are left out. */
void entry_headers_read(const struct request *request, struct entry_head *ret);

/* Whether all of a PUT's headers can be kept. False: answered with 400, or 431 if they are too
 * long. */
bool entry_headers_fit(const struct request *request, struct response *response);

/* Whether the head of `value` says how caches may keep it. */
bool entry_headers_rule_caches(const struct cache_value *value);

/* Adds the headers that `value` has, and Vary where what is sent depends on Accept-Encoding. The
 * value must live as long as the response. `is_decoded`: it is sent without its own encoding. */
void entry_headers_add(struct response *response, const struct cache_value *value, bool is_decoded);

#endif
