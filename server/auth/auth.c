#include "server/auth/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/auth/authorization.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_S  INT64_C(1000000000)

/* ---- The sets ---- */

/* Reads the bytes of a file. False with a reason in `error`. */
static bool read_file(const char *path, struct buffer *ret, char *error, size_t error_size)
{
	FILE *file = fopen(path, "re");
	bool fits = true;
	char piece[4096];
	size_t len = 0;

	if (!file) {
		(void)snprintf(error, error_size, "%s", strerror(errno));
		return false;
	}
	while (fits && (len = fread(piece, 1, sizeof(piece), file)) > 0) {
		buffer_append(ret, (struct slice){.data = piece, .len = len});
		fits = ret->len <= TOKEN_FILE_MAX_BYTES;
	}
	bool failed = ferror(file) != 0;
	if (failed || !fits || ret->failed)
		(void)snprintf(error, error_size, "%s",
			       failed ? strerror(errno)
			       : fits ? "out of memory"
				      : "it is larger than 4 MB");
	(void)fclose(file);
	explicit_bzero(piece, sizeof(piece));
	return !failed && fits && !ret->failed;
}

static bool add_keys(struct token_set *set, const struct auth_sources *sources, char *error,
		     size_t error_size)
{
	struct buffer text = {0};
	char reason[200] = "";

	if (!sources->keys_file)
		return !sources->keys ||
		       token_set_add_keys(set, slice_of(sources->keys), "STEADYCACHE_API_KEY",
					  error, error_size);
	bool added = read_file(sources->keys_file, &text, reason, sizeof(reason));
	if (!added)
		(void)snprintf(error, error_size, "cannot read %s: %s (STEADYCACHE_API_KEY_FILE)",
			       sources->keys_file, reason);
	else
		added = token_set_add_keys(set, buffer_bytes(&text), "STEADYCACHE_API_KEY_FILE",
					   error, error_size);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buffer_deinit(&text);
	return added;
}

static bool add_file(struct token_set *set, const char *path, char *error, size_t error_size)
{
	struct buffer text = {0};
	char reason[300] = "";
	bool added = read_file(path, &text, reason, sizeof(reason)) &&
		     token_set_add_lines(set, &text, reason, sizeof(reason));

	buffer_deinit(&text);
	if (!added)
		(void)snprintf(error, error_size, "the token file %s is refused: %s (--token-file)",
			       path, reason);
	return added;
}

/* NULL with a sentence in `error`. */
static struct token_set *read_set(const struct auth_sources *sources,
				  const struct token_set *previous, char *error, size_t error_size)
{
	struct token_set *set = token_set_create();

	if (set && add_keys(set, sources, error, error_size) &&
	    (!sources->token_file || add_file(set, sources->token_file, error, error_size))) {
		if (token_set_seal(set, previous))
			return set;
	} else if (set) {
		token_set_destroy(set);
		return NULL;
	}
	token_set_destroy(set);
	(void)snprintf(error, error_size, "out of memory for the tokens");
	return NULL;
}

bool auth_init(struct auth *auth, const struct auth_sources *sources,
	       const struct cache_clock *clock, char *error, size_t error_size)
{
	memset(auth, 0, sizeof(*auth));
	auth->sources = *sources;
	auth->clock = clock ? clock : &system_clock;
	auth->wants_token = sources->keys || sources->keys_file || sources->token_file;
	if (!auth->wants_token)
		return true;
	auth->slots[0].set = read_set(sources, NULL, error, error_size);
	return auth->slots[0].set != NULL;
}

void auth_deinit(struct auth *auth)
{
	for (size_t i = 0; i < AUTH_SLOTS; i++)
		token_set_destroy(auth->slots[i].set);
}

/* Frees the sets that nobody holds; returns the number of an empty slot, or AUTH_SLOTS if there is
 * none. */
static unsigned find_free_slot(struct auth *auth)
{
	unsigned current = atomic_load(&auth->current);
	unsigned free_slot = AUTH_SLOTS;

	for (unsigned i = 0; i < AUTH_SLOTS; i++) {
		if (i == current || atomic_load(&auth->slots[i].holders) > 0)
			continue;
		/* A reader that counts itself in from now on finds that the slot is not current. */
		token_set_destroy(auth->slots[i].set);
		auth->slots[i].set = NULL;
		free_slot = i;
	}
	return free_slot;
}

bool auth_reload(struct auth *auth, char *error, size_t error_size)
{
	unsigned slot = find_free_slot(auth);

	if (slot == AUTH_SLOTS) {
		(void)snprintf(error, error_size,
			       "requests under way still use the tokens of the last %d reloads; "
			       "try again",
			       AUTH_SLOTS);
		return false;
	}
	struct token_set *set = read_set(
		&auth->sources, auth->slots[atomic_load(&auth->current)].set, error, error_size);
	if (!set)
		return false;
	auth->slots[slot].set = set;
	atomic_store(&auth->current, slot);
	(void)atomic_fetch_add(&auth->reloads, 1);
	return true;
}

static struct auth_slot *hold_current(struct auth *auth)
{
	for (;;) {
		unsigned number = atomic_load(&auth->current);
		struct auth_slot *slot = &auth->slots[number];

		(void)atomic_fetch_add(&slot->holders, 1);
		if (atomic_load(&auth->current) == number)
			return slot;
		(void)atomic_fetch_sub(&slot->holders, 1);
	}
}

void auth_leave(struct access *access)
{
	if (access->slot)
		(void)atomic_fetch_sub(&access->slot->holders, 1);
	*access = (struct access){0};
}

/* ---- Requests ---- */

#define NO_CREDENTIALS "Bearer realm=\"\""
#define UNKNOWN_TOKEN  "Bearer error=\"invalid_token\""
#define EXPIRED_TOKEN  UNKNOWN_TOKEN ", error_description=\"expired\""
#define BAD_REQUEST    "Bearer error=\"invalid_request\""

static enum auth_verdict refuse(struct response *response, unsigned status, const char *challenge)
{
	response_header_static(response, "WWW-Authenticate", challenge);
	response_text(response, status, "text/plain",
		      status == 401 ? "Unauthorized" : "Bad Request");
	return AUTH_REFUSED;
}

/* Answers a request without a token. In the original a scheme other than Bearer is a bad request;
 * elsewhere it is unknown, and the answer names those that are known (RFC 9110, 15.5.2). */
static enum auth_verdict refuse_without_token(const struct auth_request *request,
					      struct response *response)
{
	bool is_malformed = request->authorization &&
			    (request->is_original || request->is_repeated ||
			     authorization_scheme(request->authorization) == AUTHORIZATION_BEARER);

	return is_malformed ? refuse(response, 400, BAD_REQUEST)
			    : refuse(response, 401, NO_CREDENTIALS);
}

static enum auth_verdict refuse_unknown(const struct auth_request *request,
					struct response *response)
{
	bool is_bearer = authorization_scheme(request->authorization) == AUTHORIZATION_BEARER;

	return request->is_original && !is_bearer ? refuse(response, 400, BAD_REQUEST)
						  : refuse(response, 401, UNKNOWN_TOKEN);
}

static bool has_expired(const struct auth *auth, const struct token *token)
{
	return token->line.expires_at_us != 0 &&
	       cache_clock_now_us(auth->clock) >= token->line.expires_at_us;
}

bool auth_is_stale(const struct auth *auth, const struct access *access)
{
	return access->reloads != atomic_load(&auth->reloads) ||
	       (access->token && has_expired(auth, access->token));
}

/* Checks whether `token` has expired or used up its rate. */
static enum auth_verdict check_limits(const struct auth *auth, struct token *token,
				      struct access *ret, struct response *response)
{
	int64_t wait_ns = 0;

	if (has_expired(auth, token))
		return refuse(response, 401, EXPIRED_TOKEN);
	if (token->rate.step_ns != 0)
		wait_ns = rate_limit_take(&token->rate, monotonic_now_us() * NS_PER_US);
	ret->retry_after_s = (unsigned)((wait_ns + NS_PER_S - 1) / NS_PER_S);
	return wait_ns > 0 ? AUTH_TOO_FAST : AUTH_GOES_ON;
}

/* The digest of the request's token; false if it has none. Digests have equal lengths, so the time
 * reveals neither length nor content of a token. */
static bool digest_token(const struct auth_request *request, uint8_t ret[static TOKEN_DIGEST_BYTES])
{
	char room[BASIC_MAX_BYTES];

	if (!request->authorization || request->is_repeated)
		return false;
	enum authorization_scheme scheme = authorization_scheme(request->authorization);
	if (scheme == AUTHORIZATION_OTHER)
		return false;
	struct slice token = authorization_token(request->authorization, room);
	bool is_there = token.len > 0;
	if (is_there)
		token_digest(token, ret);
	if (scheme == AUTHORIZATION_BASIC)
		explicit_bzero(room, sizeof(room));
	return is_there;
}

static enum auth_verdict check_token(struct auth *auth, const struct auth_request *request,
				     struct access *ret, struct response *response)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	if (!digest_token(request, digest))
		return refuse_without_token(request, response);
	ret->slot = hold_current(auth);
	struct token *found = token_set_find(ret->slot->set, digest);
	if (!found)
		return refuse_unknown(request, response);
	if (found->line.name.len == 0) {
		auth_leave(ret); /* a key: nothing of the set is needed any more */
		return AUTH_GOES_ON;
	}
	ret->token = found;
	return check_limits(auth, found, ret, response);
}

/* A line of its own: some clients read only the first of a list. */
void auth_offer_basic(struct response *response)
{
	response_header_static(response, "WWW-Authenticate",
			       "Basic realm=\"steadycache\", charset=\"UTF-8\"");
}

enum auth_verdict auth_check(struct auth *auth, const struct auth_request *request,
			     struct access *ret, struct response *response)
{
	enum auth_verdict verdict = AUTH_GOES_ON;
	/* Before the tokens are looked at: a set that is replaced meanwhile counts as the former.
	 */
	unsigned reloads = atomic_load(&auth->reloads);

	*ret = (struct access){0};
	if (auth->wants_token)
		verdict = check_token(auth, request, ret, response);
	ret->reloads = reloads;
	return verdict;
}
