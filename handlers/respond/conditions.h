/* Conditional requests and ranges (RFC 9110, sections 13 and 14). */
#ifndef STEADYCACHE_HANDLERS_CONDITIONS_H
#define STEADYCACHE_HANDLERS_CONDITIONS_H

#include "handlers/respond/request.h"

/* The forms in which a value may be sent. They are other representations, so each has a tag of its
 * own (RFC 9110, 8.8.3); the hash in it is that of the value. */
enum etag_form {
	ETAG_OF_VALUE,    /* "hash": its bytes, and its own Content-Encoding if it has one */
	ETAG_OF_IDENTITY, /* "hash-identity": decoded from its own Content-Encoding */
	ETAG_OF_ZSTD,     /* "hash-zstd": encoded as it is kept, though it has no coding itself */
};

/* Most entity tags in one If-Match or If-None-Match. */
#define MAX_ETAGS 32

struct etag_list {
	bool any;         /* `*` */
	bool has_foreign; /* names a tag that this server never makes */
	size_t count;
	struct etag etags[MAX_ETAGS];
	uint8_t forms[MAX_ETAGS]; /* enum etag_form of each */
};

/* Reads the header If-Match (with `strong`, because weak tags never match there) or If-None-Match,
 * whose lines form one list (RFC 9110, 5.3); `first_line` is the first, NULL: there is none. False
 * if it is not a list of entity tags, or is too long. */
bool conditions_read_etags(const struct request *request, const char *name, const char *first_line,
			   bool strong, struct etag_list *ret);
bool conditions_match_etag(const struct etag_list *list, const struct etag *etag,
			   enum etag_form form);

/* Adds the header ETag. */
void conditions_add_etag(struct response *response, const struct etag *etag, enum etag_form form);

/* Fills op->one.condition from the headers of a PUT or DELETE, where the tags of all forms name the
 * same version; `list` must live as long as the op.
 * False: answered with a 400. */
bool conditions_of_write(struct request *request, struct response *response,
			 struct etag_list *list);

/* The status for a GET or HEAD of a value that is sent in that form: 200, 304 or 412, by If-Match,
 * If-None-Match and If-Modified-Since. */
unsigned conditions_of_read(const struct request *request, const struct cache_value *value,
			    enum etag_form form);

enum range_kind {
	RANGE_WHOLE, /* no range, or one to be ignored */
	RANGE_PART,
	RANGE_UNSATISFIABLE,
};

/* The part that Range (and If-Range) of a GET ask for, of a value in the form ETAG_OF_VALUE:
 * ret_offset, ret_len within it. */
enum range_kind conditions_range(const struct request *request, const struct cache_value *value,
				 uint64_t *ret_offset, uint64_t *ret_len);

/* Last-Modified, in seconds, of a value whose modification is known (not 0). Never later than
 * `now_us`. */
int64_t conditions_last_modified_s(const struct cache_value *value, int64_t now_us);

#endif
