/* The tokens that are in force: keys with every right, and those of a token file. A set is made,
 * sealed, and then only read (but for the counters of its rates), by any number of threads; a new
 * one takes its place when the file changes (auth.h). */
#ifndef STEADYCACHE_SERVER_TOKEN_SET_H
#define STEADYCACHE_SERVER_TOKEN_SET_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/token_line.h"
#include "server/auth/rate_limit.h"

/* Tokens of one set, and bytes of a file. */
#define TOKENS_MAX           4096
#define TOKEN_FILE_MAX_BYTES (4 << 20)

struct token {
	/* What its line says; the slices point into the set. A key has no name and all rights. */
	struct token_line line;
	bool all_namespaces;
	struct rate_limit rate;
};

struct token_set;

/* NULL: out of memory. */
struct token_set *token_set_create(void);
/* NULL is fine. */
void token_set_destroy(struct token_set *set);

/* Adds the keys of `text`, one a line; blanks around them and empty lines do not count. `source`
 * (what the user set) is named in `error`. */
bool token_set_add_keys(struct token_set *set, struct slice text, const char *source, char *error,
			size_t error_size);
/* Adds the lines of a token file; empty ones and those that begin with '#' do not count. `error`
 * names the line. The set takes over `text`, whatever the result. */
bool token_set_add_lines(struct token_set *set, struct buffer *text, char *error,
			 size_t error_size);

/* Ends the making of a set, which then goes on with the rates of `previous` (NULL: none). False:
 * out of memory. */
bool token_set_seal(struct token_set *set, const struct token_set *previous);

/* How many tokens it has. */
size_t token_set_count(const struct token_set *set);

/* The token with that digest, or NULL. Neither the time nor the places that are looked at tell
 * anything of the digests in the set. Thread: any, after the seal. */
struct token *token_set_find(const struct token_set *set,
			     const uint8_t digest[static TOKEN_DIGEST_BYTES]);

/* Whether the token may touch the namespace. */
static inline bool token_may_use(const struct token *token, struct slice ns)
{
	return token->all_namespaces || token_patterns_match(token->line.namespaces, ns);
}

#endif
