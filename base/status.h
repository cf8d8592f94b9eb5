/* The one list of outcomes of an operation of the store. No errno and no library's result code
 * crosses a layer: a backend turns what it saw into one of these, and the HTTP layer turns these
 * into a status and a sentence. */
#ifndef STEADYCACHE_BASE_STATUS_H
#define STEADYCACHE_BASE_STATUS_H

#pragma GCC visibility push(default) /* offered: docs/internals/embedding.md */

/* X(id, name, HTTP status, sentence for the user) */
#define CACHE_STATUS_MAP(X)                                                                        \
	X(OK, "ok", 200, "ok")                                                                     \
	X(NOT_FOUND, "not_found", 404, "no such entry")                                            \
	X(PRECONDITION_FAILED, "precondition_failed", 412,                                         \
	  "the entry is not in the state that the request asks for")                               \
	X(INVALID, "invalid", 400, "the request is not valid")                                     \
	X(TOO_LARGE, "too_large", 413,                                                             \
	  "the entry (key, content type, value and 128 bytes) is larger than the limit of its "    \
	  "namespace")                                                                             \
	X(UNSUPPORTED, "unsupported", 501, "this backend cannot do that")                          \
	X(UNAVAILABLE, "unavailable", 503, "the storage backend cannot be reached; try again")     \
	X(READ_ONLY, "read_only", 503, "the storage is read-only; make its directory writable")    \
	X(NO_MEMORY, "no_memory", 503, "out of memory; try again or give the server more")         \
	X(TIMEOUT, "timeout", 504, "the storage backend did not answer in time")                   \
	X(NO_SPACE, "no_space", 507, "no space left to store the value; free some space")          \
	X(TOO_MANY_NAMESPACES, "too_many_namespaces", 507,                                         \
	  "too many namespaces; raise STEADYCACHE_MAX_NAMESPACES")                                 \
	X(CORRUPT, "corrupt", 500,                                                                 \
	  "the stored data are damaged; restart the server to set them aside")                     \
	X(INTERNAL, "internal", 500, "internal error; the server's log tells more")

enum cache_status {
#define X(id, name, http, text) CACHE_##id,
	CACHE_STATUS_MAP(X)
#undef X
		CACHE_STATUSES /* how many */
};

/* The HTTP status code that stands for `status`. */
unsigned cache_status_http(enum cache_status status);

/* "not_found"; static storage. */
const char *cache_status_name(enum cache_status status);

/* The default sentence for `status`; static storage. */
const char *cache_status_text(enum cache_status status);

#pragma GCC visibility pop

#endif
