/* A line of a token file: what one token may do. The server reads such lines, and `steadycache
 * token new` writes them; both use this reader.
 *
 *     name=ci sha256=<64 hex digits> rights=read,write namespaces=build-*,tmp rate=50:200
 *     expires=2027-01-31
 *
 * Fields may stand in any order, on one line with blanks between them. `rate` (requests a
 * second, and how many at once) and `expires` (a date or time in UTC, or Unix seconds) are
 * optional. */
#ifndef STEADYCACHE_BASE_TOKEN_LINE_H
#define STEADYCACHE_BASE_TOKEN_LINE_H

#include <stdint.h>

#include "base/slice.h"

#define TOKEN_DIGEST_BYTES 32
#define TOKEN_NAME_MAX_LEN 64

enum token_right {
	TOKEN_READ = 1 << 0,
	TOKEN_WRITE = 1 << 1,
	TOKEN_ADMIN = 1 << 2,
	TOKEN_ALL_RIGHTS = TOKEN_READ | TOKEN_WRITE | TOKEN_ADMIN,
};

struct token_line {
	struct slice name;                  /* letters, digits, '_', '.' or '-' */
	uint8_t digest[TOKEN_DIGEST_BYTES]; /* SHA-256 of the token */
	unsigned rights;                    /* enum token_right, or-ed; never 0 */
	struct slice namespaces;            /* patterns separated by commas; never empty */
	double rate_per_s;                  /* 0: no limit */
	double burst;                       /* requests; at least 1 if there is a rate */
	int64_t expires_at_us;              /* since 1970; 0: never */
};

/* Reads a line without its line feed; the slices of `ret` point into it. False with the reason
 * in `error`, which never repeats a value: it may be a token that was pasted there. */
bool token_line_parse(struct slice line, struct token_line *ret, char *error, size_t error_size);

/* The SHA-256 of a token. */
void token_digest(struct slice token, uint8_t ret[static TOKEN_DIGEST_BYTES]);

/* Whether one of `patterns` (separated by commas; '*' matches any characters) matches the whole
 * `name`. The time is bounded by the product of the lengths. */
bool token_patterns_match(struct slice patterns, struct slice name);

/* "read", "write" or "admin". */
const char *token_right_name(enum token_right right);

#endif
