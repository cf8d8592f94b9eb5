/* The description in the program: it has this version and names all routes of the server and no
 * others; and the handlers that serve it. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "handlers/pages/openapi_files.h"
#include "server/http/router.h"
#include "server/http/routes.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *document(void)
{
	const struct openapi_file *file = &openapi_files[OPENAPI_JSON];
	json_error_t error;
	json_t *root = json_loadb(file->begin, (size_t)(file->end - file->begin),
				  JSON_REJECT_DUPLICATES, &error);

	cr_assert(root != NULL, "line %d: %s", error.line, error.text);
	return root;
}

/* Methods that the description has at `path`; every GET implies HEAD. */
static unsigned described_methods(const json_t *paths, const char *path)
{
	static const struct {
		const char *name;
		unsigned methods;
	} names[] = {
		{"get", HTTP_GET | HTTP_HEAD}, {"head", HTTP_HEAD},     {"put", HTTP_PUT},
		{"post", HTTP_POST},           {"delete", HTTP_DELETE}, {"options", HTTP_OPTIONS},
		{"patch", HTTP_PATCH},         {"trace", HTTP_OTHER},
	};
	const json_t *item = json_object_get(paths, path);
	unsigned methods = 0;

	for (size_t i = 0; i < COUNT(names); i++)
		if (json_object_get(item, names[i].name))
			methods |= names[i].methods;
	return methods;
}

/* OpenAPI knows no methods of WebDAV. */
#define DESCRIBED(methods) ((methods) & ~(unsigned)(HTTP_PROPFIND | HTTP_MKCOL))

/* Where a route is described. Those of facades are described at the root: below a namespace OpenAPI
 * would find them ambiguous. */
static const char *described_path(const struct route *route)
{
	static const char below[] = "/cache/{ns}";
	const char *rest = route->pattern + sizeof(below) - 1;

	return strncmp(route->pattern, "/cache/{ns}/v", sizeof(below) + 1) == 0 ? rest
										: route->pattern;
}

static unsigned routed_methods(const char *path)
{
	unsigned methods = 0;

	for (size_t i = 0; i < routes_count(); i++)
		if (strcmp(described_path(routes_at(i)), path) == 0)
			methods |= DESCRIBED(routes_at(i)->methods);
	return methods;
}

Test(openapi, every_route_is_described)
{
	json_auto_t *root = document();
	const json_t *paths = json_object_get(root, "paths");

	for (size_t i = 0; i < routes_count(); i++)
		cr_expect_eq(routed_methods(described_path(routes_at(i))),
			     described_methods(paths, described_path(routes_at(i))),
			     "%s: the routes have the methods %#x, openapi.yaml %#x",
			     routes_at(i)->pattern, routed_methods(described_path(routes_at(i))),
			     described_methods(paths, described_path(routes_at(i))));
}

Test(openapi, every_described_path_is_a_route)
{
	json_auto_t *root = document();
	json_t *paths = json_object_get(root, "paths");
	json_t *item;
	const char *path;

	cr_expect_gt(json_object_size(paths), 0);
	json_object_foreach(paths, path, item)
	{
		cr_expect_neq(routed_methods(path), 0, "%s is described and is no route", path);
	}
}

/* The operation of a route's first method; a description without `security` requires the token. */
static const json_t *described_operation(const json_t *paths, const struct route *route)
{
	const json_t *item = json_object_get(paths, described_path(route));

	if (route->methods & HTTP_GET)
		return json_object_get(item, "get");
	if (route->methods & HTTP_PUT)
		return json_object_get(item, "put");
	if (route->methods & HTTP_PATCH)
		return json_object_get(item, "patch");
	return json_object_get(item, route->methods & HTTP_POST ? "post" : "delete");
}

Test(openapi, the_same_routes_want_no_token)
{
	json_auto_t *root = document();
	const json_t *paths = json_object_get(root, "paths");

	for (size_t i = 0; i < routes_count(); i++) {
		if (DESCRIBED(routes_at(i)->methods) == 0)
			continue;
		const json_t *operation = described_operation(paths, routes_at(i));
		const json_t *security = json_object_get(operation, "security");

		cr_expect_not_null(operation, "%s", routes_at(i)->pattern);
		cr_expect_eq(routes_at(i)->right == RIGHT_PUBLIC, security != NULL, "%s",
			     routes_at(i)->pattern);
		cr_expect_eq(json_array_size(security), 0, "%s", routes_at(i)->pattern);
	}
}

Test(openapi, the_rights_are_those_of_the_routes)
{
	static const char *const names[] = {
		[RIGHT_READ] = "read",   [RIGHT_READ_OF_ALL] = "read",   [RIGHT_WRITE] = "write",
		[RIGHT_ADMIN] = "admin", [RIGHT_ADMIN_OF_ALL] = "admin",
	};
	json_auto_t *root = document();
	const json_t *paths = json_object_get(root, "paths");

	for (size_t i = 0; i < routes_count(); i++) {
		if (DESCRIBED(routes_at(i)->methods) == 0)
			continue;
		const char *right = json_string_value(
			json_object_get(described_operation(paths, routes_at(i)), "x-right"));

		if (routes_at(i)->right == RIGHT_PUBLIC)
			cr_expect_null(right, "%s", routes_at(i)->pattern);
		else
			cr_expect(right && strcmp(right, names[routes_at(i)->right]) == 0,
				  "%s: x-right is %s", routes_at(i)->pattern, right);
	}
}

/* The query parameters of an operation except `pretty`, in the form of the routes ("a, b, "). */
static void describe_parameters(const json_t *root, const json_t *operation, char *ret, size_t size)
{
	const json_t *components =
		json_object_get(json_object_get(root, "components"), "parameters");
	const json_t *item;
	size_t index;

	*ret = '\0';
	json_array_foreach(json_object_get(operation, "parameters"), index, item)
	{
		const char *reference = json_string_value(json_object_get(item, "$ref"));
		const json_t *parameter =
			reference ? json_object_get(components, strrchr(reference, '/') + 1) : item;
		const char *name = json_string_value(json_object_get(parameter, "name"));
		size_t len = strlen(ret);

		if (strcmp(json_string_value(json_object_get(parameter, "in")), "query") == 0 &&
		    strcmp(name, "pretty") != 0)
			(void)snprintf(ret + len, size - len, "%s, ", name);
	}
}

Test(openapi, what_changes_something_knows_the_parameters_that_are_described)
{
	json_auto_t *root = document();
	const json_t *paths = json_object_get(root, "paths");

	for (size_t i = 0; i < routes_count(); i++) {
		char described[200];

		if (routes_at(i)->methods & HTTP_GET || DESCRIBED(routes_at(i)->methods) == 0)
			continue;
		describe_parameters(root, described_operation(paths, routes_at(i)), described,
				    sizeof(described));
		cr_expect_str_eq(routes_at(i)->parameters ? routes_at(i)->parameters : "",
				 described, "%s", routes_at(i)->pattern);
	}
}

Test(openapi, it_is_of_this_version)
{
	json_auto_t *root = document();
	const json_t *info = json_object_get(root, "info");

	cr_expect_str_eq(json_string_value(json_object_get(info, "version")), STEADYCACHE_VERSION);
}

/* ---- The handlers ---- */

static struct fake_request fake;

static void ask(const struct handler *handler, const char *none_match)
{
	fake_request_init(&fake);
	if (none_match)
		fake_request_header(&fake, "If-None-Match", none_match);
	cr_assert_eq(fake_request_start(&fake, handler), STEP_RESPOND);
}

Test(openapi, both_forms_are_served)
{
	ask(&handler_openapi_yaml, NULL);
	cr_expect_eq(fake.response.status, 200);
	cr_expect_str_eq(fake_response_header(&fake, "Content-Type"), "application/yaml");
	cr_expect_eq(memcmp(fake_response_body(&fake).data, "openapi: 3.1.0\n", 15), 0);
	fake_request_close(&fake);
	ask(&handler_openapi_json, NULL);
	cr_expect_eq(fake.response.status, 200);
	cr_expect_str_eq(fake_response_header(&fake, "Content-Type"), "application/json");
	cr_expect_eq(*fake_response_body(&fake).data, '{');
	fake_request_close(&fake);
}

Test(openapi, the_tag_is_that_of_the_bytes)
{
	for (int form = 0; form < OPENAPI_FORMS; form++) {
		const struct openapi_file *file = &openapi_files[form];
		char text[ETAG_TEXT_LEN + 1];
		struct etag etag = etag_of((struct slice){
			.data = file->begin, .len = (size_t)(file->end - file->begin)});

		etag_format(&etag, text);
		cr_expect_str_eq(file->etag, text);
	}
}

Test(openapi, a_client_that_has_it_gets_304)
{
	static const char *const forms[] = {"%s", "\"x\", %s", "W/%s", "*", "\"x\",W/%s , \"y\""};
	char header[200];

	for (size_t i = 0; i < COUNT(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(header, sizeof(header), forms[i], openapi_files[OPENAPI_YAML].etag);
#pragma GCC diagnostic pop
		ask(&handler_openapi_yaml, header);
		cr_expect_eq(fake.response.status, 304, "%s", header);
		cr_expect_null(fake_response_header(&fake, "Content-Type"), "%s", header);
		cr_expect_str_eq(fake_response_header(&fake, "ETag"),
				 openapi_files[OPENAPI_YAML].etag);
		fake_request_close(&fake);
	}
}

Test(openapi, a_client_that_has_another_gets_it)
{
	const char *const others[] = {"\"x\"", "", "\"", openapi_files[OPENAPI_JSON].etag};

	for (size_t i = 0; i < COUNT(others); i++) {
		ask(&handler_openapi_yaml, others[i]);
		cr_expect_eq(fake.response.status, 200, "%s", others[i]);
		fake_request_close(&fake);
	}
}
