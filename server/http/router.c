#include "server/http/router.h"

#include "server/http/routes.h"

/* In the order of Allow. */
static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{"GET", HTTP_GET},           {"HEAD", HTTP_HEAD},   {"PUT", HTTP_PUT},
	{"DELETE", HTTP_DELETE},     {"POST", HTTP_POST},   {"PATCH", HTTP_PATCH},
	{"PROPFIND", HTTP_PROPFIND}, {"MKCOL", HTTP_MKCOL}, {"OPTIONS", HTTP_OPTIONS},
};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

static unsigned present_facades = FACADES_ALL;

void router_open(unsigned facades)
{
	present_facades = facades;
}

bool router_has(unsigned facade)
{
	return (present_facades & facade) != 0;
}

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

/* Adds what the rows of a table say to the match. True: one takes the method. */
static bool search(const struct route_table *table, enum http_method method, struct slice path,
		   struct route_match *match)
{
	for (const struct route *row = table->rows; row < table->rows + table->count; row++) {
		struct route_match candidate = {0};

		if ((row->is_collection && !(path.len > 0 && path.data[path.len - 1] == '/')) ||
		    !match_pattern(row->pattern, path, &candidate))
			continue;
		candidate.allowed = match->allowed | row->methods;
		candidate.client_headers =
			row->client_headers ? row->client_headers : match->client_headers;
		candidate.key.data -= row->key_back;
		candidate.key.len += row->key_back;
		*match = candidate;
		if ((row->methods & method) == 0)
			continue;
		match->route = row;
		return true;
	}
	return false;
}

static bool search_facades(enum http_method method, struct slice path, struct route_match *match)
{
	for (size_t i = 1; i < ROUTE_TABLES; i++)
		if ((route_tables[i].facade & present_facades) != 0 &&
		    search(&route_tables[i], method, path, match))
			return true;
	return false;
}

/* Whether a facade may have a path that is one of an entry, too: /cache/{ns}/v1/..., for any digit,
 * or one that ends with a slash. The facade's is the more exact one. */
static bool is_of_facade_first(struct slice path)
{
	static const char entries[] = "/cache/";
	const size_t len = sizeof(entries) - 1;

	if (path.len <= len || memcmp(path.data, entries, len) != 0)
		return false;
	const char *end = path.data + path.len;
	if (end[-1] == '/')
		return true;
	const char *slash = memchr(path.data + len, '/', path.len - len);
	return slash && end - slash > 3 && slash[1] == 'v' && slash[2] >= '0' && slash[2] <= '9' &&
	       slash[3] == '/';
}

struct route_match router_match(enum http_method method, struct slice path)
{
	struct route_match match = {0};
	bool is_first = is_of_facade_first(path);

	if ((is_first && search_facades(method, path, &match)) ||
	    search(&route_tables[0], method, path, &match) || is_first)
		return match;
	(void)search_facades(method, path, &match);
	return match;
}

void router_allow(unsigned allowed, char ret[static ROUTER_ALLOW_SIZE])
{
	char *at = ret;

	for (size_t i = 0; i < METHODS; i++) {
		if (((allowed | HTTP_OPTIONS) & methods[i].method) == 0)
			continue;
		at = stpcpy(at, at > ret ? ", " : "");
		at = stpcpy(at, methods[i].name);
	}
}
