#include "server/http/admit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#include "base/percent.h"
#include "handlers/respond/error.h"
#include "handlers/respond/request.h"
#include "handlers/respond/response.h"
#include "handlers/respond/status.h"
#include "server/auth/auth.h"
#include "server/auth/authorization.h"
#include "server/auth/site_check.h"
#include "server/auth/token_set.h"
#include "server/http/admit_query.h"
#include "server/http/head.h"
#include "server/http/routes.h"
#include "server/log/trace.h"

/* ---- The connection ---- */

static bool check_load(struct exchange *exchange)
{
	if (!exchange->record->over_limit)
		return true;
	response_header_static(&exchange->response, "Retry-After", "1");
	respond_error(&exchange->request, &exchange->response, 503,
		      "too many connections; try again later (STEADYCACHE_MAX_CONNECTIONS)");
	return false;
}

/* The path of a target in absolute form, "http://host/path", which a server must accept (RFC 9112,
 * 3.2.2); other targets unchanged. */
static const char *path_of(const char *url)
{
	if (*url == '/')
		return url;
	const char *authority = strncasecmp(url, "http://", 7) == 0    ? url + 7
				: strncasecmp(url, "https://", 8) == 0 ? url + 8
								       : NULL;

	if (!authority)
		return url;
	const char *path = strchr(authority, '/');
	return path ? path : "/";
}

/* Answers a request that the guard has refused. */
static bool check_framing(struct exchange *exchange)
{
	const struct guard *guard = &exchange->record->guard;

	if (!guard->is_refused)
		return true;
	respond_error(&exchange->request, &exchange->response, guard->head.status, "%s",
		      guard->head.problem);
	return false;
}

bool admit_connection(struct exchange *exchange, const char *url)
{
	const char *path = path_of(url);
	bool is_d1 = strncmp(path, "/api", 4) == 0 && (path[4] == '/' || path[4] == '\0');

	exchange->request.error_style = is_d1 ? ERROR_D1 : ERROR_PROBLEM;
	if (!check_load(exchange))
		return false;
	head_read(&exchange->head, exchange->connection);
	exchange->head.content_length = exchange->record->guard.head.content_length;
	exchange->request.declared_bytes = exchange->head.content_length;
	if (trace_has_come(&exchange->head.trace)) {
		trace_check(&exchange->head);
		exchange->returns_id = exchange->head.trace.request_ids > 0;
	}
	return check_framing(exchange);
}

bool admit_body(struct exchange *exchange)
{
	if (check_framing(exchange))
		return true;
	exchange->answered = true;
	exchange->response.close = true;
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
	if (room)
		respond_error(
			&exchange->request, &exchange->response, 400,
			"the path has a %% that two hex digits do not follow; write it as %%25");
	else
		respond_error(&exchange->request, &exchange->response, 503, "%s",
			      status_text(CACHE_NO_MEMORY));
	return false;
}

static void refuse_method(struct exchange *exchange, unsigned allowed)
{
	router_allow(allowed,
		     response_header_room(&exchange->response, "Allow", ROUTER_ALLOW_SIZE - 1));
	respond_error(&exchange->request, &exchange->response, 405,
		      "this path does not take that method; Allow names those that it takes");
}

/* ---- What the client may do ---- */

/* Whether the metrics are open to everybody, or, on loopback, to requests that a server without a
 * token would accept. */
static bool needs_no_token(const struct exchange *exchange, const struct route *route)
{
	return route &&
	       (route->right == RIGHT_PUBLIC ||
		(route->is_metrics && exchange->shared->metrics_access != METRICS_WITH_TOKEN));
}

/* `is_basic`: the token of Basic is to be used; else none. */
static bool check_site(struct exchange *exchange, const struct route *route, bool is_basic)
{
	const struct head *head = &exchange->head;
	const char *problem = NULL;
	const struct site_request asked = {
		.host = head_find(head, SLICE("Host")),
		.origin = head_find(head, SLICE("Origin")),
		.fetch_site = head_find(head, SLICE("Sec-Fetch-Site")),
		.fetch_mode = head_find(head, SLICE("Sec-Fetch-Mode")),
		.is_page_load = route && route->is_page && exchange->request.method == HTTP_GET,
		.is_basic = is_basic,
		.any_host =
			needs_no_token(exchange, route) &&
			(!route->is_metrics || exchange->shared->metrics_access == METRICS_FOR_ALL),
	};
	unsigned status = site_check(&asked, exchange->shared->listen_hosts, &problem);

	if (status != 0)
		respond_error(&exchange->request, &exchange->response, status, "%s", problem);
	return status == 0;
}

/* Browsers say who they are; over plain HTTP to another machine only by their name. */
static bool is_browser(const struct head *head)
{
	const char *agent = head_find(head, SLICE("User-Agent"));

	return head_find(head, SLICE("Sec-Fetch-Site")) ||
	       head_find(head, SLICE("Sec-Fetch-Mode")) ||
	       head_find(head, SLICE("Sec-Fetch-Dest")) ||
	       (agent && strncasecmp(agent, "Mozilla/", 8) == 0);
}

static bool check_token(struct exchange *exchange, const struct route *route)
{
	struct access *access = &exchange->access;
	const struct head *head = &exchange->head;
	const char *authorization = head_find(head, SLICE("Authorization"));
	const struct auth_request asked = {
		.authorization = authorization,
		.is_repeated =
			authorization && head_find_line(head, SLICE("Authorization"), 1) != NULL,
		.is_original = exchange->request.error_style == ERROR_D1,
	};

	/* Browsers remember a user name and a password, and send both for pages of any site. */
	if (authorization && authorization_scheme(authorization) == AUTHORIZATION_BASIC &&
	    !check_site(exchange, route, true))
		return false;
	enum auth_verdict verdict =
		auth_check(exchange->shared->auth, &asked, access, &exchange->response);

	if (verdict == AUTH_REFUSED && exchange->response.status == 401 && !asked.is_original &&
	    !is_browser(head))
		auth_offer_basic(&exchange->response);
	if (verdict != AUTH_TOO_FAST)
		return verdict == AUTH_GOES_ON;
	response_header_printf(&exchange->response, "Retry-After", "%u", access->retry_after_s);
	respond_error(&exchange->request, &exchange->response, 429,
		      "the token \"%.*s\" is used more often than its rate allows; try again later",
		      (int)access->token->line.name.len, access->token->line.name.data);
	return false;
}

/* Whether the client may use what `route` leads to, as far as that can be checked without its
 * right; NULL: an unknown path. */
static bool check_access(struct exchange *exchange, const struct route *route)
{
	bool is_open = needs_no_token(exchange, route);

	if (!exchange->shared->auth->wants_token ||
	    (is_open && route->is_metrics &&
	     exchange->shared->metrics_access == METRICS_ON_LOOPBACK))
		return check_site(exchange, route, false);
	return is_open || check_token(exchange, route);
}

static bool may_use(const struct request *request, struct slice ns)
{
	const struct exchange *exchange = request->source_user;

	return token_may_use(exchange->access.token, ns);
}

static bool check_namespace(struct exchange *exchange, struct slice ns)
{
	if (request_may_use(&exchange->request, ns))
		return true;
	const struct slice name = exchange->access.token->line.name;
	respond_error(&exchange->request, &exchange->response, 403,
		      "the token \"%.*s\" may not use the namespace \"%.*s\"", (int)name.len,
		      name.data, (int)ns.len, ns.data);
	return false;
}

bool admit_op(struct exchange *exchange)
{
	const struct request *request = &exchange->request;
	struct slice ns = request->op.ns;

	/* The path's namespace was checked before; for an op on no namespace the route decides. */
	return ns.len == 0 || ns.data == request->ns.data || check_namespace(exchange, ns);
}

static bool check_right(struct exchange *exchange, enum route_right right)
{
	static const enum token_right needed[] = {
		[RIGHT_READ] = TOKEN_READ,          [RIGHT_WRITE] = TOKEN_WRITE,
		[RIGHT_READ_OF_ALL] = TOKEN_READ,   [RIGHT_ADMIN] = TOKEN_ADMIN,
		[RIGHT_ADMIN_OF_ALL] = TOKEN_ADMIN,
	};
	const struct token *token = exchange->access.token;

	if (right == RIGHT_UNSET) {
		respond_error(&exchange->request, &exchange->response, 403,
			      "this path is open to nobody");
		return false;
	}
	if (!token)
		return true;
	const struct slice name = token->line.name;
	if (!(token->line.rights & needed[right])) {
		respond_error(&exchange->request, &exchange->response, 403,
			      "the token \"%.*s\" has not the right \"%s\"", (int)name.len,
			      name.data, token_right_name(needed[right]));
		return false;
	}
	bool of_all = right == RIGHT_READ_OF_ALL || right == RIGHT_ADMIN_OF_ALL;
	if (of_all && !token->all_namespaces) {
		respond_error(&exchange->request, &exchange->response, 403,
			      "the token \"%.*s\" is not one for all namespaces (\"*\")",
			      (int)name.len, name.data);
		return false;
	}
	if (!token->all_namespaces)
		exchange->request.may_use = may_use;
	return true;
}

/* ---- The path ---- */

static bool decode_namespace(struct exchange *exchange, struct slice raw)
{
	struct request *request = &exchange->request;

	/* A longer text is too long for a name, whatever it decodes to. */
	bool fits = raw.len <= sizeof(exchange->ns);
	if (fits && !decode_part(exchange, raw, exchange->ns, sizeof(exchange->ns), &request->ns))
		return false;
	if (fits && namespace_name_is_valid(request->ns))
		return true;
	respond_error(request, &exchange->response, 400,
		      "a namespace has 1 to %d letters, digits, '_', '.' or '-', and does not "
		      "begin with '.' or '-'",
		      NAMESPACE_MAX_LEN);
	return false;
}

/* ---- The body ---- */

static bool check_length(struct exchange *exchange)
{
	size_t max = exchange->shared->max_body_bytes;
	uint64_t max_streamed = exchange->request.context->intake.max_bytes;
	uint64_t length = exchange->head.content_length;

	if (length == LENGTH_UNKNOWN || exchange->handler->take)
		return true;
	if (exchange->handler->streamed && length >= exchange->shared->stream_from_bytes) {
		exchange->handler = exchange->handler->streamed;
		if (length <= max_streamed)
			return true;
		respond_error(&exchange->request, &exchange->response, 413,
			      "the value has %" PRIu64 " bytes; the server takes up to %" PRIu64
			      " (STEADYCACHE_LARGE_VALUE_MAX_MB)",
			      length, max_streamed);
		return false;
	}
	if (length <= max)
		return true;
	respond_error(&exchange->request, &exchange->response, 413,
		      "the body has %" PRIu64
		      " bytes; the server takes up to %zu (STEADYCACHE_MAX_BODY_MB)",
		      length, max);
	return false;
}

/* Methods of which a path that takes no others is there for WebDAV only. */
#define COLLECTION_METHODS ((unsigned)(HTTP_PROPFIND | HTTP_MKCOL))

/* OPTIONS says what a path takes, which is no secret, so it needs no token. A page of another site
 * learns nothing by it: without Access-Control-Allow-Origin its browser sends nothing further. */
static bool answer_options(struct exchange *exchange, struct slice path)
{
	struct response *response = &exchange->response;
	bool is_server = slice_equal(path, SLICE("*"));
	struct route_match match = router_match(HTTP_OPTIONS, path);
	unsigned allowed = is_server ? HTTP_OTHER - 1 : match.allowed;

	if (!exchange->shared->auth->wants_token && !check_site(exchange, NULL, false))
		return false;
	if (allowed == 0) {
		respond_error(&exchange->request, response, 404, "there is nothing at this path");
		return false;
	}
	response->status = 204;
	router_allow(allowed, response_header_room(response, "Allow", ROUTER_ALLOW_SIZE - 1));
	if ((allowed & HTTP_PROPFIND) != 0 && router_has(FACADE_WEBDAV))
		response_header_static(response, "DAV", "1");
	if (match.client_headers)
		response_header_static(response, "Access-Control-Allow-Headers",
				       match.client_headers);
	return false;
}

bool admit_request(struct exchange *exchange, const char *url)
{
	struct request *request = &exchange->request;
	struct slice path = slice_of(path_of(url));

	if (request->method == HTTP_OPTIONS)
		return answer_options(exchange, path);
	struct route_match match = router_match(request->method, path);
	const struct route *route = match.route;

	exchange->route = route;
	exchange->handler = route ? route->handler : NULL;
	if (route && route->error_style != ERROR_PROBLEM)
		request->error_style = route->error_style;
	if (!check_access(exchange, route))
		return false;
	if (!route && (match.allowed & ~COLLECTION_METHODS) != 0) {
		refuse_method(exchange, match.allowed);
		return false;
	}
	if (!route) {
		respond_error(request, &exchange->response, 404, "there is nothing at this path");
		return false;
	}
	if (route->ns_default)
		match.ns = admit_query_namespace(exchange, route);
	/* Before the right: a write that is refused ends the lease on its key. */
	if ((match.ns.len > 0 && !decode_namespace(exchange, match.ns)) ||
	    (match.key.len > 0 && !decode_part(exchange, match.key, exchange->key,
					       sizeof(exchange->key), &request->key)))
		return false;
	if ((!needs_no_token(exchange, route) && !check_right(exchange, route->right)) ||
	    (match.ns.len > 0 && !check_namespace(exchange, request->ns)))
		return false;
	bool is_read = request->method == HTTP_GET || request->method == HTTP_HEAD;
	return (is_read ||
		admit_query_check(exchange, route->parameters ? route->parameters : "")) &&
	       check_length(exchange);
}
