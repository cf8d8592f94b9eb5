/* Conditional requests and ranges (RFC 9110, sections 13 and 14). */
#ifndef STEADYCACHE_HANDLERS_CONDITIONS_H
#define STEADYCACHE_HANDLERS_CONDITIONS_H

#include "handlers/respond/request.h"

/* Most entity tags in one If-Match or If-None-Match. */
#define MAX_ETAGS 32

struct etag_list {
	bool any;         /* `*` */
	bool has_foreign; /* names a tag that this server never makes */
	size_t count;
	struct etag etags[MAX_ETAGS];
};

/* Reads the header If-Match (with `strong`, because weak tags never match there) or If-None-Match,
 * whose lines form one list (RFC 9110, 5.3); `first_line` is the first, NULL: there is none. False
 * if it is not a list of entity tags, or is too long. */
bool conditions_read_etags(const struct request *request, const char *name, const char *first_line,
			   bool strong, struct etag_list *ret);
bool conditions_match_etag(const struct etag_list *list, const struct etag *etag);

/* Fills op->one.condition from the headers of a PUT or DELETE; `list` must live as long as the op.
 * False: answered with a 400. */
bool conditions_of_write(struct request *request, struct response *response,
			 struct etag_list *list);

/* The status for a GET or HEAD of a value: 200, 304 or 412, by If-Match, If-None-Match and
 * If-Modified-Since. */
unsigned conditions_of_read(const struct request *request, const struct cache_value *value);

enum range_kind {
	RANGE_WHOLE, /* no range, or one to be ignored */
	RANGE_PART,
	RANGE_UNSATISFIABLE,
};

/* The part that Range (and If-Range) of a GET ask for: ret_offset, ret_len within the value. */
enum range_kind conditions_range(const struct request *request, const struct cache_value *value,
				 uint64_t *ret_offset, uint64_t *ret_len);

/* Last-Modified, in seconds, of a value whose modification is known (not 0). Never later than
 * `now_us`. */
int64_t conditions_last_modified_s(const struct cache_value *value, int64_t now_us);

#endif
