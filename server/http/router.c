#include "server/http/router.h"

#include "server/http/routes.h"

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{"GET", HTTP_GET},           {"POST", HTTP_POST},     {"PUT", HTTP_PUT},
	{"HEAD", HTTP_HEAD},         {"DELETE", HTTP_DELETE}, {"PATCH", HTTP_PATCH},
	{"PROPFIND", HTTP_PROPFIND}, {"MKCOL", HTTP_MKCOL},   {"OPTIONS", HTTP_OPTIONS},
};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

enum http_method router_method(const char *name)
{
	for (size_t i = 0; i < METHODS; i++)
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].method;
	return HTTP_OTHER;
}

const char *router_method_name(enum http_method method)
{
	for (size_t i = 0; i < METHODS; i++)
		if (methods[i].method == method)
			return methods[i].name;
	return "other";
}

static bool match_pattern(const char *pattern, struct slice path, struct route_match *match)
{
	const char *at = path.data;
	const char *end = path.data + path.len;

	while (*pattern) {
		if (*pattern != '{') {
			if (at == end || *at++ != *pattern++)
				return false;
			continue;
		}
		bool is_key = pattern[1] == 'k';
		const char *slash = is_key ? NULL : memchr(at, '/', (size_t)(end - at));
		const char *stop = slash ? slash : end;

		if (stop == at)
			return false;
		struct slice part = {.data = at, .len = (size_t)(stop - at)};
		if (is_key)
			match->key = part;
		else
			match->ns = part;
		at = stop;
		pattern = strchr(pattern, '}') + 1;
	}
	return at == end;
}

struct route_match router_match(enum http_method method, struct slice path)
{
	struct route_match match = {0};

	for (size_t i = 0; i < route_count; i++) {
		struct route_match candidate = {.allowed = match.allowed};

		if (!match_pattern(routes[i].pattern, path, &candidate))
			continue;
		candidate.allowed |= routes[i].methods;
		if (routes[i].methods & method) {
			candidate.route = &routes[i];
			return candidate;
		}
		match = candidate;
	}
	return match;
}
