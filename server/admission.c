#include <inttypes.h>
#include <stdlib.h>

#include "handlers/percent.h"
#include "server/exchange_state.h"

/* ---- The connection ---- */

static bool check_load(struct exchange *exchange)
{
	if (!exchange->record || !exchange->record->over_limit)
		return true;
	response_header_static(&exchange->response, "Retry-After", "1");
	respond_error(&exchange->request, &exchange->response, 503,
		      "too many connections; try again later (STEADYCACHE_MAX_CONNECTIONS)");
	return false;
}

/* Whether the request line has a NUL, where the library's strings end: "PUT /cache/n/a\0b" would
 * write to "a". The library cuts the line in place, so that the version follows the target in
 * memory; where some other release of it does not, the distance makes no sense and is not used. */
static bool has_nul(const struct exchange *exchange, const char *url, const char *version)
{
	uintptr_t from = (uintptr_t)url;
	uintptr_t to = (uintptr_t)version;

	return to > from + exchange->target_len + 1 &&
	       to - from <= exchange->shared->max_head_bytes;
}

static bool takes_any_length(const struct exchange *exchange, const char *url)
{
	struct route_match match = router_match(exchange->request.method, slice_of(url));

	return match.route && match.route->handler->take;
}

bool admit_connection(struct exchange *exchange, const char *url, const char *version)
{
	const char *problem = NULL;
	size_t max = exchange->shared->max_body_bytes;
	bool is_d1 = strncmp(url, "/api", 4) == 0 && (url[4] == '/' || url[4] == '\0');

	exchange->request.error_style = is_d1 ? ERROR_D1 : ERROR_PROBLEM;
	if (!check_load(exchange))
		return false;
	unsigned status = head_read(&exchange->head, exchange->connection, version, &problem);
	if (status == 0 && has_nul(exchange, url, version)) {
		status = 400;
		problem = "the path has a NUL byte; write it as %00";
	}
	if (status != 0) {
		respond_error(&exchange->request, &exchange->response, status, "%s", problem);
		return false;
	}
	uint64_t length = exchange->head.content_length;
	if (length == LENGTH_UNKNOWN || length <= max || takes_any_length(exchange, url))
		return true;
	respond_error(&exchange->request, &exchange->response, 413,
		      "the body has %" PRIu64
		      " bytes; the server takes up to %zu (STEADYCACHE_MAX_BODY_MB)",
		      length, max);
	return false;
}

/* ---- The request ---- */

static bool decode_part(struct exchange *exchange, struct slice raw, char *room, size_t room_size,
			struct slice *ret)
{
	*ret = raw;
	if (!memchr(raw.data, '%', raw.len))
		return true;
	if (raw.len > room_size) {
		free(exchange->long_key);
		room = exchange->long_key = malloc(raw.len);
	}
	if (room && percent_decode(raw, room, &ret->len)) {
		ret->data = room;
		return true;
	}
	respond_error(&exchange->request, &exchange->response, 400,
		      "the path has a %% that two hex digits do not follow; write it as %%25");
	return false;
}

static void refuse_method(struct exchange *exchange, unsigned allowed)
{
	response_header_printf(
		&exchange->response, "Allow", "%s%s%s%s", allowed & HTTP_GET ? "GET, HEAD" : "",
		allowed & HTTP_PUT ? (allowed & HTTP_GET ? ", PUT" : "PUT") : "",
		allowed & HTTP_DELETE ? ", DELETE" : "", allowed & HTTP_POST ? "POST" : "");
	respond_error(&exchange->request, &exchange->response, 405,
		      "this path does not take that method; Allow names those that it takes");
}

/* Whether the client may have what `route` leads to; NULL: nothing that is there. */
static bool check_access(struct exchange *exchange, const struct route *route)
{
	static const struct auth without_key = {.has_key = false};
	const struct auth *auth = &exchange->shared->auth;
	const struct head *head = &exchange->head;

	if (route && route->is_public)
		return true;
	if (route && route->is_metrics) {
		if (exchange->shared->metrics_access == METRICS_FOR_ALL)
			return true;
		if (exchange->shared->metrics_access == METRICS_ON_LOOPBACK)
			auth = &without_key;
	}
	return auth_check(auth, head_find(head, SLICE("Authorization")),
			  head_find(head, SLICE("Host")), head_find(head, SLICE("Origin")),
			  &exchange->response);
}

static bool decode_namespace(struct exchange *exchange, struct slice raw)
{
	struct request *request = &exchange->request;

	if (raw.len > sizeof(exchange->ns))
		raw.len = sizeof(exchange->ns); /* too long for a name in any case */
	if (!decode_part(exchange, raw, exchange->ns, sizeof(exchange->ns), &request->ns))
		return false;
	if (namespace_name_is_valid(request->ns))
		return true;
	respond_error(request, &exchange->response, 400,
		      "a namespace has 1 to %d letters, digits, '_', '.' or '-', and does not "
		      "begin with '.' or '-'",
		      NAMESPACE_MAX_LEN);
	return false;
}

bool admit_request(struct exchange *exchange, const char *url)
{
	struct request *request = &exchange->request;
	struct route_match match = router_match(request->method, slice_of(url));

	exchange->route = match.route;
	if (!check_access(exchange, match.route))
		return false;
	if (!match.route && match.allowed != 0) {
		refuse_method(exchange, match.allowed);
		return false;
	}
	if (!match.route) {
		respond_error(request, &exchange->response, 404, "there is nothing at this path");
		return false;
	}
	return (match.ns.len == 0 || decode_namespace(exchange, match.ns)) &&
	       (match.key.len == 0 || decode_part(exchange, match.key, exchange->key,
						  sizeof(exchange->key), &request->key));
}
