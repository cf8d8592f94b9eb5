/* The members of a line of an import: the line as its readers leave it, its numbers and times, and
 * what is said where it is refused.
 *
 * The members borrow from the text. One thread at a time. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_MEMBER_H
#define STEADYCACHE_HANDLERS_IMPORT_MEMBER_H

#include "handlers/json/json_read.h"
#include "handlers/respond/request.h"

#define IMPORT_ERROR_BYTES 200

enum {
	MEMBER_NAMESPACE,
	MEMBER_KEY,
	MEMBER_KEY_BASE64,
	MEMBER_VALUE,
	MEMBER_VALUE_BASE64,
	MEMBER_CONTENT_TYPE,
	MEMBER_CONTENT_TYPE_BASE64,
	MEMBER_FREQUENCY,
	MEMBER_LAST_ACCESS,
	MEMBER_CREATED_AT,
	MEMBER_EXPIRES_AT,
	MEMBER_SIZE,
	MEMBER_FORMAT,
	MEMBER_VERSION,
	MEMBER_CURSOR,
	MEMBER_COMPLETE,
	MEMBER_ENTRIES,
	MEMBER_ERROR,
	MEMBERS
};

/* One line as its readers leave it. */
struct import_line {
	const struct handler_context *context;
	struct scan_member members[MEMBERS];
	bool no_memory; /* that, and not the line, is at fault */
	char *error;
};

/* The name of a member, which is a literal. */
static inline const char *import_member_name(const struct import_line *line, size_t index)
{
	return line->members[index].name.data;
}

/* Sets the error, printf-like, one sentence; false. */
bool import_member_refuse(struct import_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same where memory is lacking. */
bool import_member_refuse_no_memory(struct import_line *line);

/* Numbers. False: refused. Where the member is missing or null *ret stays.
 *
 * A time in seconds, as microseconds. */
bool import_member_time(struct import_line *line, size_t index, int64_t *ret);
/* A whole number from 0 to `max`. */
bool import_member_whole(struct import_line *line, size_t index, int64_t max, uint64_t *ret);

#endif
