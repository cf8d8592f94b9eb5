/* The members of a line of an import: the line in the form that both readers produce, its numbers
 * and times, and the errors that refuse it.
 *
 * The members borrow from the text. One thread at a time. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_MEMBER_H
#define STEADYCACHE_HANDLERS_IMPORT_MEMBER_H

#include "handlers/json/json_read.h"
#include "handlers/respond/request.h"

#define IMPORT_ERROR_BYTES 320

enum {
	MEMBER_NAMESPACE,
	MEMBER_KEY,
	MEMBER_KEY_BASE64,
	MEMBER_VALUE,
	MEMBER_VALUE_BASE64,
	MEMBER_CONTENT_TYPE,
	MEMBER_CONTENT_TYPE_BASE64,
	MEMBER_HEADERS,
	MEMBER_FREQUENCY,
	MEMBER_LAST_ACCESS,
	MEMBER_CREATED_AT,
	MEMBER_EXPIRES_AT,
	MEMBER_MODIFIED_AT,
	MEMBER_SIZE,
	MEMBER_FORMAT,
	MEMBER_VERSION,
	MEMBER_CURSOR,
	MEMBER_COMPLETE,
	MEMBER_ENTRIES,
	MEMBER_ERROR,
	MEMBERS
};

/* One line in the form that both readers produce. */
struct import_line {
	const struct handler_context *context;
	struct scan_member members[MEMBERS];
	bool no_memory; /* the cause is memory, not the line */
	char *error;
};

/* The name of a member, which is a literal. */
static inline const char *import_member_name(const struct import_line *line, size_t index)
{
	return line->members[index].name.data;
}

/* Sets the error, one sentence in printf format; returns false. */
bool import_member_refuse(struct import_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same if memory is exhausted. */
bool import_member_refuse_no_memory(struct import_line *line);

/* Numbers. False: refused. If the member is missing or null *ret is unchanged.
 *
 * A time in seconds, as microseconds. */
bool import_member_time(struct import_line *line, size_t index, int64_t *ret);
/* A whole number from 0 to `max`. */
bool import_member_whole(struct import_line *line, size_t index, int64_t max, uint64_t *ret);

#endif
