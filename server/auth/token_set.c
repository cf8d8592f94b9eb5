#include "server/auth/token_set.h"

#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/array.h"

struct token_set {
	struct token *tokens;
	size_t count, capacity;
	struct buffer text; /* of the file; the tokens' slices point into it */
	/* Open addressing, by a hash of the digest with a secret seed; index + 1, 0: free. */
	uint32_t *table;
	size_t table_mask;
	uint64_t seed;
};

struct token_set *token_set_create(void)
{
	return calloc(1, sizeof(struct token_set));
}

void token_set_destroy(struct token_set *set)
{
	if (!set)
		return;
	buffer_deinit(&set->text);
	free(set->tokens);
	free(set->table);
	free(set);
}

/* ---- Adding ---- */

/* Why the token of that line cannot be in the set; NULL: it can. */
static const char *conflict(const struct token_set *set, const struct token_line *line)
{
	if (set->count == TOKENS_MAX)
		return "there are more than 4096 tokens";
	for (size_t i = 0; i < set->count; i++) {
		const struct token_line *other = &set->tokens[i].line;

		if (line->name.len > 0 && slice_equal(line->name, other->name))
			return "another line has this name";
		if (memcmp(line->digest, other->digest, sizeof(line->digest)) == 0)
			return other->name.len > 0 ? "another line has this sha256"
						   : "STEADYCACHE_API_KEY holds this token too";
	}
	return NULL;
}

static bool add(struct token_set *set, const struct token_line *line)
{
	struct token *grown =
		array_with_room(set->tokens, set->count, &set->capacity, sizeof(*grown));

	if (!grown)
		return false;
	set->tokens = grown;
	struct token *token = &set->tokens[set->count++];
	*token = (struct token){
		.line = *line,
		.all_namespaces = slice_equal(line->namespaces, SLICE("*")),
	};
	rate_limit_init(&token->rate, line->rate_per_s, line->burst);
	return true;
}

/* Cuts off a line, without its line feed and a carriage return before that. */
static struct slice cut_line(struct slice *rest)
{
	const char *feed = memchr(rest->data, '\n', rest->len);
	struct slice line = {.data = rest->data,
			     .len = feed ? (size_t)(feed - rest->data) : rest->len};
	size_t taken = line.len + (feed != NULL);

	rest->data += taken;
	rest->len -= taken;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* A header cannot contain control characters other than a tab. */
static bool can_be_sent(struct slice key)
{
	for (size_t i = 0; i < key.len; i++)
		if (((unsigned char)key.data[i] < ' ' && key.data[i] != '\t') ||
		    key.data[i] == 0x7F)
			return false;
	return true;
}

bool token_set_add_keys(struct token_set *set, struct slice text, const char *source, char *error,
			size_t error_size)
{
	const char *problem = NULL;
	size_t before = set->count;

	while (text.len > 0 && !problem) {
		struct slice key = slice_trim(cut_line(&text));
		struct token_line line = {.rights = TOKEN_ALL_RIGHTS, .namespaces = SLICE("*")};

		if (key.len == 0)
			continue;
		token_digest(key, line.digest);
		if (!can_be_sent(key))
			problem = "a key has a control character, which no client could send";
		else if (conflict(set, &line))
			problem = "a key stands there twice, or there are too many";
		else if (!add(set, &line))
			problem = "out of memory";
	}
	if (!problem && set->count == before)
		problem = "it holds no key";
	if (problem)
		(void)snprintf(error, error_size, "%s: %s", source, problem);
	return !problem;
}

bool token_set_add_lines(struct token_set *set, struct buffer *text, char *error, size_t error_size)
{
	size_t before = set->count;
	unsigned number = 0;
	char reason[200] = "";

	set->text = *text;
	*text = (struct buffer){0};
	struct slice rest = buffer_bytes(&set->text);
	while (rest.len > 0) {
		struct slice row = slice_trim(cut_line(&rest));
		struct token_line line;
		const char *problem = NULL;

		number++;
		if (row.len == 0 || *row.data == '#')
			continue;
		if (!token_line_parse(row, &line, reason, sizeof(reason)))
			problem = reason;
		else
			problem = conflict(set, &line);
		if (!problem && !add(set, &line))
			problem = "out of memory";
		if (problem) {
			(void)snprintf(error, error_size, "line %u: %s", number, problem);
			return false;
		}
	}
	if (set->count == before)
		(void)snprintf(error, error_size, "it holds no token");
	return set->count > before;
}

/* ---- Finding ---- */

static size_t place_of(const struct token_set *set, const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	return XXH3_64bits_withSeed(digest, TOKEN_DIGEST_BYTES, set->seed) & set->table_mask;
}

bool token_set_seal(struct token_set *set, const struct token_set *previous)
{
	size_t size = 16;

	while (size < set->count * 4)
		size *= 2;
	set->table = calloc(size, sizeof(*set->table));
	if (!set->table)
		return false;
	set->table_mask = size - 1;
	if (getrandom(&set->seed, sizeof(set->seed), 0) != (ssize_t)sizeof(set->seed))
		abort(); /* the kernel promises that many bytes at once */
	for (uint32_t i = 0; i < set->count; i++) {
		struct token *token = &set->tokens[i];
		size_t place = place_of(set, token->line.digest);
		struct token *old = previous ? token_set_find(previous, token->line.digest) : NULL;

		while (set->table[place] != 0)
			place = (place + 1) & set->table_mask;
		set->table[place] = i + 1;
		if (old)
			atomic_store(&token->rate.used_until_ns,
				     atomic_load(&old->rate.used_until_ns));
	}
	return true;
}

struct token *token_set_find(const struct token_set *set,
			     const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	struct token *found = NULL;

	for (size_t place = place_of(set, digest); set->table[place] != 0;
	     place = (place + 1) & set->table_mask) {
		struct token *token = &set->tokens[set->table[place] - 1];

		/* No early exit: the time is that of the run of slots, whichever token matches. */
		if (memeql_sec(token->line.digest, digest, TOKEN_DIGEST_BYTES))
			found = token;
	}
	return found;
}
