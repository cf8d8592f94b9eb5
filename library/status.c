#include "library/status.h"

/* X(id, name, sentence); the order is that of the numbers. The store's own sentences speak of a
 * server and its flags. */
#define STATUS_MAP(X)                                                                              \
	X(OK, "ok", "ok")                                                                          \
	X(NOT_FOUND, "not_found", "no such entry")                                                 \
	X(PRECONDITION_FAILED, "precondition_failed",                                              \
	  "the entry is not in the state that the condition asks for")                             \
	X(INVALID, "invalid", "an argument is not valid")                                          \
	X(TOO_LARGE, "too_large",                                                                  \
	  "the entry (key, content type, value and 128 bytes) is larger than its namespace may "   \
	  "be; raise max_size_bytes")                                                              \
	X(UNSUPPORTED, "unsupported", "this backend cannot do that")                               \
	X(UNAVAILABLE, "unavailable", "the store cannot be reached; try again")                    \
	X(READ_ONLY, "read_only", "the store is read-only; make its directory writable")           \
	X(NO_MEMORY, "no_memory", "out of memory")                                                 \
	X(TIMEOUT, "timeout", "the store did not answer in time")                                  \
	X(NO_SPACE, "no_space", "no space left to store the value; free some space")               \
	X(TOO_MANY_NAMESPACES, "too_many_namespaces",                                              \
	  "there are as many namespaces as max_namespaces allows")                                 \
	X(CORRUPT, "corrupt", "the stored data are damaged; open the store again")                 \
	X(INTERNAL, "internal", "internal error")                                                  \
	X(CLOSED, "closed", "the store is being closed, or was opened before fork()")

static const struct {
	const char *name, *text;
} table[] = {
#define X(id, a_name, sentence) [STEADYCACHE_##id] = {.name = (a_name), .text = (sentence)},
	STATUS_MAP(X)
#undef X
};

/* Two lists of the same outcomes. */
#define X(id, name, text)                                                                          \
	_Static_assert((int)CACHE_##id == (int)STEADYCACHE_##id, "statuses: " name);
CACHE_STATUS_MAP(X)
#undef X
_Static_assert((int)CACHE_STATUSES == (int)STEADYCACHE_CLOSED, "as many statuses");

enum steadycache_status library_status_of(enum cache_status status)
{
	return (enum steadycache_status)status;
}

static int is_known(enum steadycache_status status)
{
	return (size_t)status < sizeof(table) / sizeof(table[0]);
}

const char *steadycache_status_name(enum steadycache_status status)
{
	return is_known(status) ? table[status].name : "unknown";
}

const char *steadycache_status_text(enum steadycache_status status)
{
	return is_known(status) ? table[status].text : "a status that this version does not know";
}
