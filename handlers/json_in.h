/* Reading a request's JSON. Every function that returns false (or NULL) has answered the request
 * with a 400 that names the field and what it has to be. */
#ifndef STEADYCACHE_HANDLERS_JSON_IN_H
#define STEADYCACHE_HANDLERS_JSON_IN_H

#include <jansson.h>

#include "handlers/handlers.h"

/* The body as a JSON object, owned by the caller. */
json_t *json_in_object(const struct request *request, struct response *response);

/* A string member that must be there; borrowed from `object`. `path` is how the error calls the
 * object ("" or "items[3]."). */
bool json_in_string(const struct request *request, struct response *response, const json_t *object,
		    const char *path, const char *name, struct slice *ret);
/* A number of megabytes >= 0 that must be there, as bytes: whole ones, and only 0 is 0. */
bool json_in_megabytes(const struct request *request, struct response *response,
		       const json_t *object, const char *name, uint64_t *ret_bytes);
/* A whole number 0..max. Where the member is missing *ret keeps its value. */
bool json_in_whole(const struct request *request, struct response *response, const json_t *object,
		   const char *path, const char *name, int64_t max, int64_t *ret);
/* An array member that must be there; borrowed. */
bool json_in_array(const struct request *request, struct response *response, const json_t *object,
		   const char *name, const json_t **ret);

static inline struct slice json_in_slice(const json_t *string)
{
	return (struct slice){.data = json_string_value(string), .len = json_string_length(string)};
}

#endif
