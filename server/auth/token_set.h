/* The tokens in force: keys with every right, and those of a token file. A set is made, sealed, and
 * then only read (except the counters of its rates), by any number of threads; a new one replaces
 * it when the file changes (auth.h). */
#ifndef STEADYCACHE_SERVER_TOKEN_SET_H
#define STEADYCACHE_SERVER_TOKEN_SET_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/token_line.h"
#include "server/auth/rate_limit.h"

/* Most tokens in one set, and most bytes of a file. */
#define TOKENS_MAX           4096
#define TOKEN_FILE_MAX_BYTES (4 << 20)

struct token {
	/* Its line; the slices point into the set. A key has no name and all rights. */
	struct token_line line;
	bool all_namespaces;
	struct rate_limit rate;
};

struct token_set;

/* NULL: out of memory. */
struct token_set *token_set_create(void);
/* NULL is allowed. */
void token_set_destroy(struct token_set *set);

/* Adds the keys of `text`, one a line; blanks around them and empty lines are ignored. `error`
 * names `source` (what the user set). */
bool token_set_add_keys(struct token_set *set, struct slice text, const char *source, char *error,
			size_t error_size);
/* Adds the lines of a token file; empty ones and those that begin with '#' are ignored. `error`
 * names the line. The set takes over `text`, whatever the result. */
bool token_set_add_lines(struct token_set *set, struct buffer *text, char *error,
			 size_t error_size);

/* Completes a set, which then continues the rates of `previous` (NULL: none). False: out of
 * memory. */
bool token_set_seal(struct token_set *set, const struct token_set *previous);

/* The token with that digest, or NULL. Neither the time nor the slots that are read reveal anything
 * about the digests in the set. Any thread, after the seal. */
struct token *token_set_find(const struct token_set *set,
			     const uint8_t digest[static TOKEN_DIGEST_BYTES]);

/* Whether the token may use the namespace. */
static inline bool token_may_use(const struct token *token, struct slice ns)
{
	return token->all_namespaces || token_patterns_match(token->line.namespaces, ns);
}

#endif
