/* Backends by the texts that users write. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "backends/d1/settings.h"
#include "backends/memory/memory.h"
#include "backends/redis/settings.h"
#include "backends/sqlite/settings.h"
#include "store/place.h"
#include "tests/support/temp_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct backend_config base = {
	.data_dir = "/of/the/options", .url = "none", .settings = "none"};
static struct backend_place place;
static char error[600];

static bool read_text(const char *text)
{
	error[0] = '\0';
	return backend_place_read(&place, text, &base, NULL, NULL, error, sizeof(error));
}

static void expect_read(const char *text, const char *name, const char *dir, const char *url,
			const char *label)
{
	cr_assert(read_text(text), "%s: %s", text, error);
	cr_expect_str_eq(place.ops->name, name, "%s", text);
	cr_expect_str_eq(place.config.data_dir, dir, "%s", text);
	if (url)
		cr_expect_str_eq(place.config.url, url, "%s", text);
	else
		cr_expect_null(place.config.url, "%s", text);
	cr_expect_str_eq(place.label, label, "%s", text);
	backend_place_deinit(&place);
}

Test(place, says_which_backend_and_where)
{
	const char *dir = base.data_dir;

	expect_read("memory", "memory", dir, NULL, "memory");
	expect_read("SQLite", "sqlite", dir, NULL, "SQLite");
	expect_read("memory://", "memory", dir, NULL, "memory://");
	expect_read("memory:///a?max-mb=3", "memory", "/a", NULL, "memory:///a");
	expect_read("sqlite:///a/b%20c", "sqlite", "/a/b c", NULL, "sqlite:///a/b%20c");
	expect_read("sqlite://./rel", "sqlite", "./rel", NULL, "sqlite://./rel");
	expect_read("sqlite://?cache-mb=1", "sqlite", dir, NULL, "sqlite://");
	expect_read("redis://u:p@h:1/2?db=3&timeout=4&partitions=5", "redis", dir,
		    "redis://u:p@h:1/2?db=3&partitions=5", "redis://h:1/2");
	expect_read("unix:///s?retries=0", "redis", dir, "unix:///s", "unix:///s");
	expect_read("D1+HTTPS://:t@h/x?timeout=1", "d1", dir, "D1+HTTPS://:t@h/x",
		    "D1+HTTPS://h/x");
	expect_read("plugin:/a@b.so?c@d?%&e", "plugin", dir, "plugin:/a@b.so?c@d?%&e",
		    "plugin:/a@b.so");
	expect_read("PLUGIN:///a.so", "plugin", dir, "PLUGIN:///a.so", "PLUGIN:///a.so");
	expect_read("plugin:a", "plugin", dir, "plugin:a", "plugin:a");
}

Test(place, says_whether_a_directory_is_wanted)
{
	static const struct {
		const char *text;
		bool wants_dir;
	} cases[] = {{"sqlite", true},     {"sqlite://./a", true}, {"memory", false},
		     {"memory://", false}, {"memory:///a", true},  {"redis://h", false}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_assert(read_text(cases[i].text), "%s", error);
		cr_expect_eq(place.wants_dir, cases[i].wants_dir, "%s", cases[i].text);
		backend_place_deinit(&place);
	}
}

static const void *told(void *user, const struct option_table *table)
{
	cr_expect_eq(table, &redis_options);
	return user;
}

Test(place, a_parameter_goes_before_the_option)
{
	struct redis_config options = {.retries = 7, .timeout_us = 9, .prefix = "options"};

	cr_assert(backend_place_read(&place, "redis://h?timeout=0.5&prefix=a%26b", &base, told,
				     &options, error, sizeof(error)),
		  "%s", error);
	const struct redis_config *redis = place.config.settings;

	cr_expect_eq(redis->timeout_us, 500000);
	cr_expect_eq(redis->retries, 7);
	cr_expect_str_eq(redis->prefix, "a&b");
	cr_expect_str_eq(options.prefix, "options", "the options themselves stay");
	cr_expect(backend_place_check(&place, error, sizeof(error)), "%s", error);
	backend_place_deinit(&place);
}

Test(place, without_options_the_defaults_apply)
{
	cr_assert(read_text("sqlite"), "%s", error);
	cr_expect_eq(((const struct sqlite_settings *)place.config.settings)->cache_bytes,
		     128U << 20);
	backend_place_deinit(&place);
	cr_assert(read_text("memory://?max-mb=5"), "%s", error);
	cr_expect_eq(((const struct memory_settings *)place.config.settings)->max_bytes, 5U << 20);
	backend_place_deinit(&place);
}

Test(place, the_worker_of_d1_and_its_token)
{
	struct remote_settings settings;

	cr_assert(read_text("d1+https://:se%C3cret@h:1/x/?batch-size=7&timeout=2"), "%s", error);
	cr_expect(backend_place_check(&place, error, sizeof(error)), "%s", error);
	cr_assert(d1_settings_init(&settings, &place.config));
	cr_expect_str_eq(settings.base_url, "https://h:1/x");
	cr_expect_str_eq(settings.authorization, "Authorization: Bearer se%C3cret");
	cr_expect_eq(settings.batch_size, 7);
	cr_expect_eq(settings.timeout_us, 2000000);
	remote_settings_deinit(&settings);
	backend_place_deinit(&place);
	cr_assert(read_text("d1+http://user@h"), "%s", error);
	cr_expect_not(backend_place_check(&place, error, sizeof(error)));
	backend_place_deinit(&place);
}

Test(place, what_is_wrong_is_named_and_secrets_are_not)
{
	static const struct {
		const char *text, *names;
	} cases[] = {
		{"", "names no backend"},
		{"sqlit", "sqlit"},
		{"sqlite:", "\"sqlite:\" names no backend"},
		{"sqlite:secret", "\"sqlite:\" names no backend"},
		{"http://u:secret@h", "http"},
		{"mongodb://u:secret@h", "mongodb"},
		{"memory://?nonsense=1",
		 "\"nonsense\" is no parameter of memory; it knows: max-mb"},
		{"memory://?max-mb", "max-mb must be a whole number"},
		{"memory://?max-mb=x", "memory://: max-mb must be a whole number"},
		{"memory://?max-mb=%3", "XX"},
		{"memory://?=1", "no parameter"},
		{"memory://?max-mb=1&&max-mb=2", "no parameter"},
		{"sqlite://rel", "sqlite://./path"},
		{"sqlite:///a%0", "XX"},
		{"sqlite:///a%00b", "XX"},
		{"sqlite:///a?memory-max-mb=1", "memory-max-mb"},
		{"redis://u:secret@h?url=3", "\"url\""},
		{"redis://u:secret@h?timeout=0", "timeout must be"},
		{"redis://:pass?secret@h", "%3F"},
		{"redis://:secret@h?password=secret", "\"password\""},
		{"d1+https://h?api-key=secret", "\"api-key\""},
		{"d1+https://:secret@h?api-keys=o", "\"api-keys\""},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect_not(read_text(cases[i].text), "%s", cases[i].text);
		cr_expect(strstr(error, cases[i].names), "%s: %s", cases[i].text, error);
		cr_expect_null(strstr(error, "secret"), "%s: %s", cases[i].text, error);
	}
}

/* Two of one kind, at different places, in one process. */
Test(place, each_is_a_backend_of_its_own)
{
	struct temp_dir dirs[2];
	struct backend *backends[2];
	struct backend_place places[2];
	struct cache_op op;

	for (size_t i = 0; i < 2; i++) {
		char text[TEMP_PATH_SIZE + 20];

		temp_dir_create(&dirs[i]);
		(void)snprintf(text, sizeof(text), "sqlite://%s?cache-mb=1", dirs[i].path);
		cr_assert(read_text(text), "%s", error);
		places[i] = place;
		backends[i] = backend_place_open(&places[i], error, sizeof(error));
		cr_assert_not_null(backends[i], "%s", error);
	}
	for (size_t i = 0; i < 2; i++) {
		cache_op_init(&op, CACHE_OP_SET);
		op.ns = SLICE("ns");
		op.one.key = SLICE("key");
		op.one.value = cache_value_copy(i ? SLICE("one") : SLICE("none"), SLICE("a/b"));
		cr_expect_eq(backend_call(backends[i], &op), CACHE_OK);
		cache_value_release(op.one.value);
	}
	for (size_t i = 0; i < 2; i++) {
		cache_op_init(&op, CACHE_OP_GET);
		op.ns = SLICE("ns");
		op.one.key = SLICE("key");
		cr_expect_eq(backend_call(backends[i], &op), CACHE_OK);
		cr_expect_eq(op.one.value->len_bytes, i ? 3 : 4);
		cache_op_deinit(&op);
	}
	for (size_t i = 0; i < 2; i++) {
		backends[i]->ops->close(backends[i]);
		backend_place_deinit(&places[i]);
		temp_dir_destroy(&dirs[i]);
	}
}
