/* The description of the API in the program, in two forms: made by cmake/openapi.cmake. */
#ifndef STEADYCACHE_HANDLERS_OPENAPI_FILES_H
#define STEADYCACHE_HANDLERS_OPENAPI_FILES_H

#include <stddef.h>

enum openapi_form { OPENAPI_YAML, OPENAPI_JSON, OPENAPI_FORMS };

struct openapi_file {
	const char *content_type;
	const char *etag; /* in double quotes, in the form of struct etag */
	/* Part of the program's file, which the system reads on demand. */
	const char *begin;
	const char *end;
};

extern const struct openapi_file openapi_files[OPENAPI_FORMS];

#endif
