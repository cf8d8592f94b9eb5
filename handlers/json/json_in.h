/* Reading a request's JSON. Every function that returns false has answered the request: with a 400
 * that names the field and what it has to be, or with 503 if it is out of memory. */
#ifndef STEADYCACHE_HANDLERS_JSON_IN_H
#define STEADYCACHE_HANDLERS_JSON_IN_H

#include "handlers/json/json_read.h"
#include "handlers/respond/request.h"

/* Reads the body, which must be a JSON object, with json_read. */
bool json_in_read(struct request *request, struct response *response, struct scan_member *members,
		  size_t count, struct scan_list *list, struct slice *ret_unknown);

/* A required string member; borrowed from the body. `path` is the object's name in errors ("" or
 * "items[3]."). */
bool json_in_string(const struct request *request, struct response *response, const char *path,
		    const struct scan_member *member, struct slice *ret);
/* A required number of megabytes >= 0, converted to whole bytes; only 0 becomes 0. The member is a
 * SCAN_ANY. */
bool json_in_megabytes(const struct request *request, struct response *response,
		       const struct scan_member *member, uint64_t *ret_bytes);
/* A whole number 0..max. If the member is missing *ret keeps its value. */
bool json_in_whole(const struct request *request, struct response *response, const char *path,
		   const struct scan_member *member, int64_t max, int64_t *ret);
/* Whether the list exists, is an array, and has elements of the right type (`of`: "a string"). */
bool json_in_list(const struct request *request, struct response *response,
		  const struct scan_list *list, const char *of);

#endif
