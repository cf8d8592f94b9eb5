/* server/http/router.c over server/http/routes.c: which handler a path and method lead to. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/http/router.h"
#include "server/http/routes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define READ         (HTTP_GET | HTTP_HEAD)

static const enum http_method all_methods[HTTP_METHODS] = {
	HTTP_GET,   HTTP_HEAD,    HTTP_PUT,      HTTP_POST,  HTTP_DELETE,
	HTTP_PATCH, HTTP_OPTIONS, HTTP_PROPFIND, HTTP_MKCOL, HTTP_OTHER};

/* "/cache/{ns}/{key}" with "n" and "k". */
static void fill_pattern(const char *pattern, char path[static 64])
{
	size_t len = 0;

	for (const char *at = pattern; *at; at++) {
		if (*at == '{') {
			path[len++] = at[1];
			at = strchr(at, '}');
		} else {
			path[len++] = *at;
		}
	}
	path[len] = '\0';
}

Test(router, every_route_is_reached_by_each_of_its_methods)
{
	for (size_t i = 0; i < route_count; i++) {
		char path[64];

		fill_pattern(routes[i].pattern, path);
		for (size_t m = 0; m < COUNT(all_methods); m++) {
			struct route_match match = router_match(all_methods[m], slice_of(path));

			cr_expect_neq(match.allowed, 0, "%s", path);
			if (routes[i].methods & all_methods[m])
				cr_expect_eq(match.route, &routes[i], "%s", path);
			else
				cr_expect(match.route == NULL ||
						  match.route->methods & all_methods[m],
					  "%s", path);
		}
	}
}

Test(router, paths_that_may_be_read_may_be_asked_for_their_head)
{
	for (size_t i = 0; i < route_count; i++)
		cr_expect_eq(!(routes[i].methods & HTTP_GET), !(routes[i].methods & HTTP_HEAD),
			     "%s", routes[i].pattern);
}

Test(router, only_health_description_and_pages_are_public_and_only_api_speaks_d1)
{
	for (size_t i = 0; i < route_count; i++) {
		const char *pattern = routes[i].pattern;
		bool health = !strcmp(pattern, "/healthz") || !strcmp(pattern, "/readyz");
		bool page = !strcmp(pattern, "/docs") || !strcmp(pattern, "/ui") ||
			    !strcmp(pattern, "/assets/{key}");
		bool description = !strncmp(pattern, "/openapi.", 9);

		cr_expect_eq(routes[i].right == RIGHT_PUBLIC, health || page || description, "%s",
			     pattern);
		cr_expect_eq(routes[i].error_style == ERROR_D1, !strncmp(pattern, "/api/", 5), "%s",
			     pattern);
	}
}

Test(router, every_route_says_which_right_it_needs)
{
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &routes[i];
		/* Without {ns} and without a body that names a namespace, all are meant, or those
		 * that the token may use; /pickle uses none. */
		bool on_all = !strstr(route->pattern, "{ns}") && route->error_style != ERROR_D1;

		cr_expect_neq(route->right, RIGHT_UNSET, "%s", route->pattern);
		cr_expect(!on_all || route->right == RIGHT_PUBLIC ||
				  route->right == RIGHT_ADMIN_OF_ALL ||
				  route->right == RIGHT_READ_OF_ALL ||
				  !strcmp(route->pattern, "/export") ||
				  !strcmp(route->pattern, "/pickle") ||
				  !strcmp(route->pattern, "/import") ||
				  !strcmp(route->pattern, "/cache") ||
				  !strcmp(route->pattern, "/stats"),
			  "%s", route->pattern);
		if (route->methods & (HTTP_PUT | HTTP_DELETE))
			cr_expect_gt(route->right, RIGHT_READ, "%s", route->pattern);
	}
}

Test(router, a_refused_method_tells_all_that_the_path_takes)
{
	static const struct {
		const char *path;
		unsigned allowed;
	} cases[] = {
		{"/cache/n/k", READ | HTTP_PUT | HTTP_DELETE | HTTP_PATCH},
		{"/cache/n", READ | HTTP_PUT | HTTP_DELETE},
		{"/cache", READ},
		{"/stats", READ},
		{"/stats/n", READ},
		{"/api/get", HTTP_POST},
		{"/batch/n/get", HTTP_POST},
		{"/sync", HTTP_POST},
		{"/healthz", READ},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t m = 0; m < COUNT(all_methods); m++) {
			struct route_match match =
				router_match(all_methods[m], slice_of(cases[i].path));

			if (cases[i].allowed & all_methods[m]) {
				cr_expect_not_null(match.route, "%s", cases[i].path);
				continue;
			}
			cr_expect_null(match.route, "%s", cases[i].path);
			cr_expect_eq(match.allowed, cases[i].allowed, "%s", cases[i].path);
		}
}

Test(router, unknown_paths_take_nothing)
{
	static const char *const paths[] = {
		"",           "/",         "cache",          "/Cache",     "/cache/",
		"/cache//",   "/cache//k", "/cache/n/",      "/caches",    "/cach",
		"/api",       "/api/",     "/api/Get",       "/api/get/",  "/api/getx",
		"/api/batch", "/batch/n",  "/batch//get",    "/batch/n/x", "/batch/n/get/",
		"/batch/get", "/stats/",   "/stats/n/x",     "/healthz/",  "/healthz?",
		"//cache/n",  "/sync/x",   "/batch/a/b/get",
	};

	for (size_t i = 0; i < COUNT(paths); i++)
		for (size_t m = 0; m < COUNT(all_methods); m++) {
			struct route_match match = router_match(all_methods[m], slice_of(paths[i]));

			cr_expect_null(match.route, "%s", paths[i]);
			cr_expect_eq(match.allowed, 0, "%s", paths[i]);
		}
}

Test(router, a_key_is_all_that_follows_the_namespace)
{
	static const struct {
		struct slice path, ns, key;
	} cases[] = {
		{SLICE("/cache/n/k"), SLICE("n"), SLICE("k")},
		{SLICE("/cache/n/a/b"), SLICE("n"), SLICE("a/b")},
		{SLICE("/cache/n//"), SLICE("n"), SLICE("/")},
		{SLICE("/cache/n//a//b/"), SLICE("n"), SLICE("/a//b/")},
		{SLICE("/cache/n/../../x"), SLICE("n"), SLICE("../../x")},
		{SLICE("/cache/n/."), SLICE("n"), SLICE(".")},
		{SLICE("/cache/%6e/%2F%00"), SLICE("%6e"), SLICE("%2F%00")},
		{SLICE("/cache/{ns}/{key}"), SLICE("{ns}"), SLICE("{key}")},
		{SLICE("/cache/ /\0\xFF"), SLICE(" "), SLICE("\0\xFF")},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct route_match match = router_match(HTTP_GET, cases[i].path);

		cr_assert_not_null(match.route, "case %zu", i);
		cr_expect_eq(match.route->handler, &handler_entry_get, "case %zu", i);
		cr_expect(slice_equal(match.ns, cases[i].ns), "case %zu", i);
		cr_expect(slice_equal(match.key, cases[i].key), "case %zu", i);
	}
}

Test(router, a_path_without_a_key_has_none)
{
	struct route_match match = router_match(HTTP_PUT, SLICE("/cache/get"));

	cr_assert_eq(match.route->handler, &handler_namespace_put);
	cr_expect(slice_equal(match.ns, SLICE("get")));
	cr_expect_eq(match.key.len, 0);
	match = router_match(HTTP_POST, SLICE("/batch/batch/delete"));
	cr_assert_eq(match.route->handler, &handler_batch_delete);
	cr_expect(slice_equal(match.ns, SLICE("batch")));
}

Test(router, methods_by_name)
{
	static const char *const others[] = {"", "get", "GETS", "GE", "LOCK", "OPTION", "TRACE"};

	for (size_t m = 0; m + 1 < COUNT(all_methods); m++)
		cr_expect_eq(router_method(router_method_name(all_methods[m])), all_methods[m]);
	for (size_t i = 0; i < COUNT(others); i++)
		cr_expect_eq(router_method(others[i]), HTTP_OTHER, "%s", others[i]);
	cr_expect_str_eq(router_method_name(HTTP_HEAD), "HEAD");
	cr_expect_str_eq(router_method_name(HTTP_OTHER), "other");
}
