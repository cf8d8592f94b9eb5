/* Turborepo's remote cache, at the root and below a namespace.
 *
 * An artifact at the root is the entry v8/artifacts/{hash} of the namespace that the team names, so
 * both ways to say where the cache is lead to the same entries. */
#include "server/http/routes_turborepo.h"

#define PATH         "v8/artifacts/"
#define KEY_BACK     (sizeof(PATH) - 1)
#define TEAM         "slug, teamId, "
#define DEFAULT_TEAM "turbo"

/* With --preflight the client sends its token only if this has it. */
#define CLIENT_HEADERS                                                                             \
	"Authorization, Content-Type, User-Agent, X-Artifact-Client-CI, "                          \
	"X-Artifact-Client-Interactive, X-Artifact-Duration, X-Artifact-Tag"

#define ROW(the_methods, path, symbol, needed)                                                     \
	.methods = (the_methods), .pattern = (path), .handler = &(symbol),                         \
	.error_style = ERROR_TURBOREPO, .right = (needed), .client_headers = CLIENT_HEADERS
#define ROOT(methods, path, symbol, needed)                                                        \
	ROW(methods, "/" PATH path, symbol, needed), .ns_parameters = TEAM,                        \
						     .ns_default = DEFAULT_TEAM
#define BELOW(methods, path, symbol, needed) ROW(methods, "/cache/{ns}/" PATH path, symbol, needed)
#define READ                                 (HTTP_GET | HTTP_HEAD)

const struct route routes_turborepo[ROUTES_TURBOREPO] = {
	{ROOT(READ, "status", handler_turborepo_status, RIGHT_READ)},
	{ROOT(HTTP_POST, "events", handler_turborepo_events, RIGHT_READ), .parameters = TEAM},
	{ROOT(READ, "{key}", handler_entry_get, RIGHT_READ), .key_back = KEY_BACK},
	{ROOT(HTTP_PUT, "{key}", handler_entry_put, RIGHT_WRITE), .key_back = KEY_BACK,
	 .parameters = "ttl, " TEAM},
	{BELOW(READ, "status", handler_turborepo_status, RIGHT_READ)},
	{BELOW(HTTP_POST, "events", handler_turborepo_events, RIGHT_READ), .parameters = TEAM},
	{BELOW(READ, "{key}", handler_entry_get, RIGHT_READ), .key_back = KEY_BACK},
	{BELOW(HTTP_PUT, "{key}", handler_entry_put, RIGHT_WRITE), .key_back = KEY_BACK,
	 .parameters = "ttl, " TEAM},
};
