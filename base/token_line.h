/* A line of a token file: what one token may do. The server reads such lines, and `steadycache
 *token new` writes them, so both are held to this one reader.
 *
 *	name=ci sha256=<64 hex digits> rights=read,write namespaces=build-*,tmp rate=50:200
 *expires=2027-01-31
 *
 * Fields stand in any order with blanks between them. `rate` (requests a second, and how many at
 * once) and `expires` (a date or time in UTC, or Unix seconds) may be left out. */
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
	struct slice namespaces;            /* patterns with commas between them; never empty */
	double rate_per_s;                  /* 0: no limit */
	double burst;                       /* requests; at least 1 where there is a rate */
	int64_t expires_at_us;              /* since 1970; 0: never */
};

/* Reads a line without its line feed; the slices of `ret` borrow from it. False with what is wrong
 * in `error`, which never repeats a value: it may be a token that somebody pasted there. */
bool token_line_parse(struct slice line, struct token_line *ret, char *error, size_t error_size);

/* The SHA-256 of a token. */
void token_digest(struct slice token, uint8_t ret[static TOKEN_DIGEST_BYTES]);

/* Whether one of `patterns` (commas between them; '*' stands for any run of characters) is that of
 * the whole `name`. Its time is bounded by the product of the lengths. */
bool token_patterns_match(struct slice patterns, struct slice name);

/* "read", "write" or "admin". */
const char *token_right_name(enum token_right right);

#endif
