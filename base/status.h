/* The one list of outcomes of an operation of the store. No errno and no library's result code
 * crosses a layer: a backend turns what it saw into one of these, and the HTTP layer turns these
 * into its own statuses (handlers/respond/status.h). */
#ifndef STEADYCACHE_BASE_STATUS_H
#define STEADYCACHE_BASE_STATUS_H

/* X(id, name, sentence for the user) */
#define CACHE_STATUS_MAP(X)                                                                        \
	X(OK, "ok", "ok")                                                                          \
	X(NOT_FOUND, "not_found", "no such entry")                                                 \
	X(PRECONDITION_FAILED, "precondition_failed",                                              \
	  "the entry is not in the state that the request asks for")                               \
	X(INVALID, "invalid", "the request is not valid")                                          \
	X(TOO_LARGE, "too_large",                                                                  \
	  "the entry (key, content type, value and 128 bytes) is larger than the limit of its "    \
	  "namespace (its max_size_mb, or --default-max-size-mb)")                                 \
	X(UNSUPPORTED, "unsupported", "this backend cannot do that")                               \
	X(UNAVAILABLE, "unavailable", "the storage backend cannot be reached; try again")          \
	X(READ_ONLY, "read_only", "the storage is read-only; make its directory writable")         \
	X(NO_MEMORY, "no_memory", "out of memory; try again or give the server more")              \
	X(TIMEOUT, "timeout", "the storage backend did not answer in time")                        \
	X(NO_SPACE, "no_space", "no space left to store the value; free some space")               \
	X(TOO_MANY_NAMESPACES, "too_many_namespaces", "too many namespaces")                       \
	X(CORRUPT, "corrupt", "the stored data are damaged; restart the server to set them aside") \
	X(INTERNAL, "internal", "internal error; the server's log tells more")

enum cache_status {
#define X(id, name, text) CACHE_##id,
	CACHE_STATUS_MAP(X)
#undef X
		CACHE_STATUSES /* how many */
};

/* "not_found"; static storage. */
const char *cache_status_name(enum cache_status status);

/* The default sentence for `status`; static storage. */
const char *cache_status_text(enum cache_status status);

#endif
