#include "server/auth.h"

#include <ctype.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <strings.h>

static void hash_token(const char *token, uint8_t digest[static 32])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, strlen(token), (const uint8_t *)token);
	sha256_digest(&sha, 32, digest);
}

void auth_init(struct auth *auth, const char *key)
{
	*auth = (struct auth){.has_key = key != NULL};
	if (key)
		hash_token(key, auth->digest);
}

static bool refuse(struct response *response, unsigned status, const char *text,
		   const char *challenge)
{
	response_header_static(response, "WWW-Authenticate", challenge);
	response_text(response, status, "text/plain", text);
	return false;
}

static bool check_token(const struct auth *auth, const char *authorization,
			struct response *response)
{
	uint8_t digest[32];

	if (!authorization)
		return refuse(response, 401, "Unauthorized", "Bearer realm=\"\"");
	const char *token = authorization + 6;
	if (strncasecmp(authorization, "Bearer", 6) != 0 || *token != ' ')
		return refuse(response, 400, "Bad Request", "Bearer error=\"invalid_request\"");
	while (*token == ' ')
		token++;
	if (*token == '\0')
		return refuse(response, 400, "Bad Request", "Bearer error=\"invalid_request\"");
	/* Digests have one length, so neither length nor content of the token shows in the time. */
	hash_token(token, digest);
	if (!memeql_sec(digest, auth->digest, sizeof(digest)))
		return refuse(response, 401, "Unauthorized", "Bearer error=\"invalid_token\"");
	return true;
}

/* Length of the host in "host:port" or "[v6]:port"; the whole where it has another form. */
static size_t host_len(const char *host)
{
	size_t len = strcspn(host, *host == '[' ? "]" : ":");

	if (host[len] == ']')
		len++;
	return host[len] == ':' ? len : strlen(host);
}

static bool is_loopback_name(const char *host)
{
	size_t len = host_len(host);

	return (len == 9 && strncasecmp(host, "localhost", 9) == 0) ||
	       (len >= 7 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len) ||
	       (len == 5 && strncmp(host, "[::1]", 5) == 0);
}

/* A server without a token trusts whoever reaches loopback. A web page in the developer's browser
 * must not count: it can send requests to 127.0.0.1, and with a name that it lets point there (DNS
 * rebinding) even read the answers. Browsers cannot help sending Host and Origin as they are. */
static bool check_browser(const char *host, const char *origin, struct response *response)
{
	const char *authority = origin ? strstr(origin, "://") : NULL;
	bool foreign = origin && (!authority || !host || strcasecmp(authority + 3, host) != 0);

	if ((!host || is_loopback_name(host)) && !foreign)
		return true;
	response_text(
		response, 403, "application/problem+json",
		"{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,"
		"\"detail\":\"a server without STEADYCACHE_API_KEY answers only requests to a "
		"loopback address that do not come from another site's page\","
		"\"error\":\"a server without STEADYCACHE_API_KEY answers only requests to a "
		"loopback address that do not come from another site's page\"}");
	return false;
}

bool auth_check(const struct auth *auth, const char *authorization, const char *host,
		const char *origin, struct response *response)
{
	if (auth->has_key)
		return check_token(auth, authorization, response);
	return check_browser(host, origin, response);
}
