/* server/http/router.c over server/http/routes.c: which handler a path and method lead to. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/http/router.h"
#include "server/http/routes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define READ         (HTTP_GET | HTTP_HEAD)
#define DAV          (HTTP_PROPFIND | HTTP_MKCOL)

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
	for (size_t i = 0; i < routes_count(); i++) {
		char path[64];

		fill_pattern(routes_at(i)->pattern, path);
		if (routes_at(i)->is_collection)
			strcat(path, "/");
		for (size_t m = 0; m < COUNT(all_methods); m++) {
			struct route_match match = router_match(all_methods[m], slice_of(path));

			cr_expect_neq(match.allowed, 0, "%s", path);
			if (routes_at(i)->methods & all_methods[m])
				cr_expect_eq(match.route, routes_at(i), "%s", path);
			else
				cr_expect(match.route == NULL ||
						  match.route->methods & all_methods[m],
					  "%s", path);
		}
	}
}

Test(router, paths_that_may_be_read_may_be_asked_for_their_head)
{
	for (size_t i = 0; i < routes_count(); i++)
		cr_expect_eq(!(routes_at(i)->methods & HTTP_GET),
			     !(routes_at(i)->methods & HTTP_HEAD), "%s", routes_at(i)->pattern);
}

Test(router, only_health_description_and_pages_are_public_and_only_api_speaks_d1)
{
	for (size_t i = 0; i < routes_count(); i++) {
		const char *pattern = routes_at(i)->pattern;
		bool health = !strcmp(pattern, "/healthz") || !strcmp(pattern, "/readyz");
		bool page = !strcmp(pattern, "/docs") || !strcmp(pattern, "/ui") ||
			    !strcmp(pattern, "/assets/{key}");
		bool description = !strncmp(pattern, "/openapi.", 9);

		cr_expect_eq(routes_at(i)->right == RIGHT_PUBLIC, health || page || description,
			     "%s", pattern);
		cr_expect_eq(routes_at(i)->error_style == ERROR_D1, !strncmp(pattern, "/api/", 5),
			     "%s", pattern);
	}
}

Test(router, every_route_says_which_right_it_needs)
{
	for (size_t i = 0; i < routes_count(); i++) {
		const struct route *route = routes_at(i);
		/* Without {ns} and without a body that names a namespace, all are meant, or those
		 * that the token may use; /pickle uses none. */
		bool on_all = !strstr(route->pattern, "{ns}") && route->error_style != ERROR_D1;

		cr_expect_neq(route->right, RIGHT_UNSET, "%s", route->pattern);
		cr_expect(!on_all || route->ns_default || route->right == RIGHT_PUBLIC ||
				  route->right == RIGHT_ADMIN_OF_ALL ||
				  route->right == RIGHT_READ_OF_ALL ||
				  !strcmp(route->pattern, "/export") ||
				  !strcmp(route->pattern, "/pickle") ||
				  !strcmp(route->pattern, "/import") ||
				  !strcmp(route->pattern, "/cache") ||
				  !strcmp(route->pattern, "/cache/") ||
				  !strcmp(route->pattern, "/stats"),
			  "%s", route->pattern);
		if (route->methods & (HTTP_PUT | HTTP_DELETE | HTTP_PATCH | HTTP_MKCOL))
			cr_expect_gt(route->right, RIGHT_READ, "%s", route->pattern);
	}
}

Test(router, a_refused_method_tells_all_that_the_path_takes)
{
	static const struct {
		const char *path;
		unsigned allowed;
	} cases[] = {
		{"/cache/n/k", READ | HTTP_PUT | HTTP_DELETE | HTTP_PATCH | DAV},
		{"/cache/n", READ | HTTP_PUT | HTTP_DELETE | DAV},
		{"/cache/n/", DAV},
		{"/cache", READ | HTTP_PROPFIND},
		{"/v8/artifacts/k", READ | HTTP_PUT},
		{"/v1/cache/k", READ | HTTP_PUT},
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
	router_open(0);
	static const char *const paths[] = {
		"",
		"/",
		"cache",
		"/Cache",
		"/cache/",
		"/cache//",
		"/cache//k",
		"/cache/n/",
		"/caches",
		"/cach",
		"/api",
		"/api/",
		"/api/Get",
		"/api/get/",
		"/api/getx",
		"/api/batch",
		"/batch/n",
		"/batch//get",
		"/batch/n/x",
		"/batch/n/get/",
		"/batch/get",
		"/stats/",
		"/stats/n/x",
		"/healthz/",
		"/healthz?",
		"//cache/n",
		"/sync/x",
		"/batch/a/b/get",
		"/v1/cache/k",
		"/v8/artifacts/k",
		"/v8/artifacts/status",
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

/* ---- Facades ---- */

Test(router, a_facade_that_is_off_takes_nothing_and_changes_nothing)
{
	static const char *const paths[] = {"/cache/n/v1/cache/k", "/cache/n/v8/artifacts/k",
					    "/cache/n/v8/artifacts/status", "/cache/n/k/"};

	for (size_t i = 0; i < COUNT(paths); i++)
		for (size_t m = 0; m < COUNT(all_methods); m++) {
			router_open(FACADES_ALL);
			struct route_match with = router_match(all_methods[m], slice_of(paths[i]));
			router_open(0);
			struct route_match without =
				router_match(all_methods[m], slice_of(paths[i]));

			cr_expect_null(without.client_headers);
			if (!without.route) {
				cr_expect_eq(without.allowed,
					     READ | HTTP_PUT | HTTP_DELETE | HTTP_PATCH);
				continue;
			}
			cr_expect_not_null(with.route, "%s", paths[i]);
			cr_expect(slice_equal(with.ns, without.ns));
			cr_expect_eq(with.route->right, without.route->right,
				     "%s: the right is the same with and without the facade",
				     paths[i]);
			cr_expect(!with.key.data || slice_equal(with.key, without.key) ||
					  with.route->handler != without.route->handler,
				  "%s: the entry is the same", paths[i]);
		}
}

Test(router, what_a_facade_keeps_is_an_entry_below_its_path)
{
	static const struct {
		enum http_method method;
		const char *path, *key;
		const struct handler *handler;
	} cases[] = {
		{HTTP_GET, "/v8/artifacts/ab", "v8/artifacts/ab", &handler_entry_get},
		{HTTP_PUT, "/v8/artifacts/ab", "v8/artifacts/ab", &handler_entry_put},
		{HTTP_GET, "/v1/cache/ab", "v1/cache/ab", &handler_entry_get},
		{HTTP_PUT, "/v1/cache/ab", "v1/cache/ab", &handler_nx_put},
		{HTTP_GET, "/cache/n/v8/artifacts/ab", "v8/artifacts/ab", &handler_entry_get},
		{HTTP_PUT, "/cache/n/v8/artifacts/ab", "v8/artifacts/ab", &handler_entry_put},
		{HTTP_DELETE, "/cache/n/v8/artifacts/ab", "v8/artifacts/ab", &handler_entry_delete},
		{HTTP_GET, "/cache/n/v1/cache/ab", "v1/cache/ab", &handler_entry_get},
		{HTTP_PUT, "/cache/n/v1/cache/ab", "v1/cache/ab", &handler_nx_put},
		{HTTP_PUT, "/cache/n/v1/cach/ab", "v1/cach/ab", &handler_entry_put},
		{HTTP_DELETE, "/cache/n/a/", "a/", &handler_webdav_remove},
		{HTTP_DELETE, "/cache/n/a", "a", &handler_entry_delete},
		{HTTP_PUT, "/cache/n/a/", "a/", &handler_entry_put},
		{HTTP_PROPFIND, "/cache/n/a/", "a/", &handler_webdav_find},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct route_match match = router_match(cases[i].method, slice_of(cases[i].path));

		cr_assert_not_null(match.route, "%s", cases[i].path);
		cr_expect_eq(match.route->handler, cases[i].handler, "%s", cases[i].path);
		cr_expect(slice_equal(match.key, slice_of(cases[i].key)), "%s: %.*s", cases[i].path,
			  (int)match.key.len, match.key.data);
	}
}

Test(router, facades_by_name)
{
	static const struct {
		const char *text;
		unsigned facades;
	} good[] = {
		{"all", FACADES_ALL},
		{"none", 0},
		{"nx", FACADE_NX},
		{"webdav,nx", FACADE_WEBDAV | FACADE_NX},
		{"turborepo,none", FACADE_TURBOREPO},
	};
	static const char *const bad[] = {"", "nx,", ",nx", "Nx", "nx webdav", "nx, webdav", "dav"};
	struct slice unknown;
	unsigned facades = 99;

	for (size_t i = 0; i < COUNT(good); i++) {
		cr_expect(routes_read_facades(good[i].text, &facades, &unknown), "%s",
			  good[i].text);
		cr_expect_eq(facades, good[i].facades, "%s", good[i].text);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_not(routes_read_facades(bad[i], &facades, &unknown), "%s", bad[i]);
}

Test(router, allow_names_methods_and_options)
{
	char text[ROUTER_ALLOW_SIZE];

	router_allow(READ | HTTP_PUT, text);
	cr_expect_str_eq(text, "GET, HEAD, PUT, OPTIONS");
	router_allow(HTTP_POST, text);
	cr_expect_str_eq(text, "POST, OPTIONS");
	router_allow(HTTP_OTHER - 1, text);
	cr_expect_str_eq(text, "GET, HEAD, PUT, DELETE, POST, PATCH, PROPFIND, MKCOL, OPTIONS");
}

Test(router, every_row_has_a_number)
{
	for (size_t i = 0; i < routes_count(); i++)
		cr_expect_eq(routes_number(routes_at(i)), i);
}
