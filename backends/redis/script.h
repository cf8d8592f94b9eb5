/* The policy beside the data: the files of backends/redis/script, joined, as the build embeds it.
 * Its first file tells the data model and the calls. */
#ifndef STEADYCACHE_REDIS_SCRIPT_H
#define STEADYCACHE_REDIS_SCRIPT_H

#include "base/slice.h"

/* What the names of the library and its functions begin with: FCALL steadycache_2_set, and so on.
 */
#define REDIS_SCRIPT_LIBRARY "steadycache_2"

extern const char redis_script_text[], redis_script_text_end[];
extern const unsigned redis_script_first_line; /* its length, with the line feed */

/* The SHA-1 that EVALSHA wants, in hexadecimal digits. */
extern const char redis_script_sha1[41];

/* The whole, for FUNCTION LOAD. */
static inline struct slice redis_script_library(void)
{
	return (struct slice){.data = redis_script_text,
			      .len = (size_t)(redis_script_text_end - redis_script_text)};
}

/* What SCRIPT LOAD takes. */
static inline struct slice redis_script_body(void)
{
	struct slice whole = redis_script_library();

	return (struct slice){.data = whole.data + redis_script_first_line,
			      .len = whole.len - redis_script_first_line};
}

#endif
