/* The options: the table, the environment, the flags, and the README's table. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/d1/d1.h"
#include "backends/d1/settings.h"
#include "backends/memory/memory.h"
#include "backends/sqlite/sqlite.h"
#include "backends/tiered/tiered.h"
#include "base/words.h"
#include "server/config/backends.h"
#include "server/config/option_list.h"
#include "server/config/options.h"
#include "server/config/profile.h"
#include "store/find.h"
#include "tests/support/temp_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char error[400];
static struct options options;

static enum options_result read_flags(const char *const *flags)
{
	static char program[] = "steadycache";
	char *argv[24] = {program};
	int argc = 1;

	for (; flags[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)flags[argc - 1];
	error[0] = '\0';
	return options_read(&options, argc, argv, error, sizeof(error));
}

static const struct d1_config *d1(void)
{
	return option_list_settings(&options, d1_backend_ops.options);
}

#define READ_FLAGS(...) read_flags((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* No setting of the machine that runs the test. */
static void clear_environment(void)
{
	for (const struct option_place *at = option_list(NULL); at->option; at++) {
		char *names = strdup(at->option->env);

		for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
			(void)unsetenv(name);
		free(names);
	}
}

TestSuite(options, .init = clear_environment);

/* ---- The table ---- */

Test(options, each_has_a_sentence_and_names_of_its_own)
{
	size_t count;
	const struct option_place *places = option_list(&count);

	for (size_t i = 0; i < count; i++) {
		const struct option *option = places[i].option;

		cr_assert(option->help && option->env, "option %zu", i);
		cr_expect_eq(option->help[strlen(option->help) - 1], '.', "%s", option->help);
		cr_expect(isupper((unsigned char)option->help[0]) || strchr(option->help, ':'),
			  "%s", option->help);
		for (size_t k = 0; k < i; k++) {
			const struct option *other = places[k].option;

			cr_expect_neq(places[i].base + option->offset,
				      places[k].base + other->offset, "%s", option->help);
			cr_expect(!option->flag || !other->flag ||
					  strcmp(option->flag, other->flag) != 0,
				  "--%s twice", option->flag);
			char *names = strdup(option->env);
			for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
				cr_expect_null(strstr(other->env, name), "%s twice", name);
			free(names);
		}
	}
}

Test(options, a_profile_has_other_defaults_and_no_more_weight_than_defaults)
{
	struct namespace_settings settings = {.policy = EVICT_FIFO};

	cr_assert_eq(READ_FLAGS("--profile=build-cache"), OPTIONS_SERVE, "%s", error);
	cr_expect_eq(options.max_body_mb, 512);
	cr_expect_eq(options.request_timeout_s, 900);
	options_namespace_defaults(&options, SLICE("ns"), &settings);
	cr_expect_eq(settings.max_size_bytes, UINT64_C(10) << 30);
	cr_expect_eq(settings.policy, EVICT_LRU);
	cr_expect_null(options.limit_flag, "a default is nobody's wish");
	(void)setenv("STEADYCACHE_PROFILE", "build-cache", 1);
	(void)setenv("STEADYCACHE_MAX_BODY_MB", "7", 1);
	cr_assert_eq(READ_FLAGS("--default-eviction", "fifo"), OPTIONS_SERVE, "%s", error);
	cr_expect_eq(options.max_body_mb, 7);
	cr_expect_eq(options.default_max_size_mb, 10240);
	cr_expect_str_eq(options.default_eviction, "fifo");
	cr_assert_eq(READ_FLAGS("--profile", "none"), OPTIONS_SERVE, "%s", error);
	cr_expect_eq(options.default_max_size_mb, 100);
	cr_expect_null(options.default_eviction);
	(void)unsetenv("STEADYCACHE_PROFILE");
	(void)unsetenv("STEADYCACHE_MAX_BODY_MB");
	cr_expect_eq(READ_FLAGS("--profile=builds"), OPTIONS_BAD);
	cr_expect(strstr(error, "--profile") && strstr(error, "build-cache"), "%s", error);
}

Test(options, help_tells_the_defaults_of_profiles)
{
	const struct option *row = NULL;

	for (const struct option_place *at = option_list(NULL); at->option; at++)
		if (at->option->flag && strcmp(at->option->flag, "profile") == 0)
			row = at->option;
	cr_assert_not_null(row);
	for (size_t i = 0; i < profile_default_count; i++) {
		const struct profile_default *one = &profile_defaults[i];
		char text[100];
		bool is_an_option = false;

		(void)snprintf(text, sizeof(text), "--%s=%s", one->flag, one->text);
		cr_expect(strstr(row->help, text) && strstr(row->help, one->profile), "%s", text);
		for (const struct option_place *at = option_list(NULL); at->option; at++)
			is_an_option |=
				at->option->flag && strcmp(at->option->flag, one->flag) == 0;
		cr_expect(is_an_option, "%s", one->flag);
	}
}

Test(options, addresses_replace_the_default_and_flags_the_environment)
{
	(void)setenv("STEADYCACHE_LISTEN", "[::1]:1 unix:/s", 1);
	cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE, "%s", error);
	cr_assert_eq(options.listen.count, 1);
	cr_expect_str_eq(options.listen.texts[0], "[::1]:1 unix:/s");
	cr_assert_eq(READ_FLAGS("--listen=127.0.0.1:2", "--listen", "unix:/t"), OPTIONS_SERVE);
	cr_assert_eq(options.listen.count, 2);
	cr_expect_str_eq(options.listen.texts[0], "127.0.0.1:2");
	cr_expect_str_eq(options.listen.texts[1], "unix:/t");
	(void)unsetenv("STEADYCACHE_LISTEN");
}

Test(options, defaults_are_valid_and_the_documented_ones)
{
	cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE, "%s", error);
	cr_assert_eq(options.listen.count, 1);
	cr_expect_str_eq(options.listen.texts[0], "127.0.0.1:8080");
	cr_expect_str_eq(options.facades, "all");
	cr_expect_str_eq(options.backend, "sqlite");
	cr_expect_null(options.api_key);
	cr_expect_eq(options.max_body_mb, 32);
	cr_expect_eq(options.default_max_size_mb, 100);
	cr_expect_eq(options.generation.capacity, -1);
	cr_expect_eq(options.generation.max_size_mb, 50);
	cr_expect_eq(options.reranking.max_size_mb, 25);
	cr_expect_not(options.access_log || options.disable_cache || options.skip_cache_init);
}

/* The README's table is `steadycache --options`, line by line. */
Test(options, the_table_in_the_readme_is_what_the_program_prints)
{
	char *readme = file_read(STEADYCACHE_TESTS_DIR "/../README.md", NULL);
	FILE *program = popen("'" STEADYCACHE_BINARY "' --options", "r");
	static char printed[32768];
	size_t len = fread(printed, 1, sizeof(printed) - 1, program);

	cr_assert_eq(pclose(program), 0);
	cr_assert_not_null(readme);
	cr_expect_gt(len, 1000);
	char *section = strstr(readme, "## Options\n");
	cr_assert_not_null(section, "the README has no section Options");
	section += strlen("## Options\n");
	char *end = strstr(section, "\n\n");
	cr_assert_not_null(end);
	end[1] = '\0';
	cr_expect_str_eq(section, printed, "run build/steadycache --options");
	free(readme);
}

/* ---- Environment and flags ---- */

Test(options, flags_beat_the_environment_and_the_own_name_beats_others)
{
	(void)setenv("STEADYTEXT_CACHE_BACKEND", "disabled", 1);
	cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE);
	cr_expect_str_eq(options.backend, "disabled");
	(void)setenv("STEADYCACHE_BACKEND", "memory", 1);
	cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE);
	cr_expect_str_eq(options.backend, "memory");
	cr_assert_eq(READ_FLAGS("--backend=sqlite"), OPTIONS_SERVE);
	cr_expect_str_eq(options.backend, "sqlite");
	cr_assert_eq(READ_FLAGS("--backend=sqlite", "--backend", "disabled"), OPTIONS_SERVE);
	cr_expect_str_eq(options.backend, "disabled", "the last one counts");
}

/* SteadyText's own name of the key has its _FILE, too. */
Test(options, secrets_may_stand_in_files)
{
	static const char *const names[] = {"STEADYCACHE_D1_API_KEY", "STEADYTEXT_D1_API_KEY"};

	for (size_t i = 0; i < COUNT(names); i++) {
		struct temp_dir dir;
		char path[TEMP_PATH_SIZE], variable[64];

		temp_dir_create(&dir);
		file_write(temp_dir_path(&dir, "key", path), SLICE("the key\r\n"));
		(void)snprintf(variable, sizeof(variable), "%s_FILE", names[i]);
		(void)setenv(variable, path, 1);
		cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE, "%s", error);
		cr_expect_str_eq(d1()->api_key, "the key");
		(void)setenv("STEADYTEXT_D1_API_KEY", "another", 1);
		cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE, "%s", error);
		cr_expect_str_eq(d1()->api_key, "another", "the variable goes first");
		(void)unsetenv("STEADYTEXT_D1_API_KEY");
		file_write(path, SLICE("\n"));
		cr_expect_eq(READ_FLAGS(), OPTIONS_BAD);
		cr_expect_not_null(strstr(error, variable), "%s", error);
		(void)unsetenv(variable);
		temp_dir_destroy(&dir);
	}
}

Test(options, a_bad_variable_that_nothing_reads_does_no_harm)
{
	(void)setenv("STEADYTEXT_LOG_LEVEL", "loud", 1);
	cr_expect_eq(READ_FLAGS(), OPTIONS_BAD);
	cr_expect_not_null(strstr(error, "STEADYTEXT_LOG_LEVEL"), "%s", error);
	(void)setenv("STEADYCACHE_LOG_LEVEL", "WARNING", 1);
	cr_expect_eq(READ_FLAGS(), OPTIONS_SERVE, "%s", error);
}

Test(options, flags_take_a_value_in_either_form)
{
	cr_assert_eq(READ_FLAGS("serve", "--threads", "3", "--max-key-kb=7", "--access-log",
				"--disable-cache=off", "--max-body-mb", "0.5"),
		     OPTIONS_SERVE, "%s", error);
	cr_expect_eq(options.threads, 3);
	cr_expect_eq(options.max_key_kb, 7);
	cr_expect_eq(options.max_body_mb, 0.5);
	cr_expect(options.access_log);
	cr_expect_not(options.disable_cache);
}

Test(options, what_is_no_flag_is_told)
{
	static const char *const bad[] = {"--nonsense", "--listenx=1", "--liste=1",
					  "-listen",    "listen",      "--",
					  "",           "--api-key=x", "---threads=1"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		cr_expect_eq(READ_FLAGS(bad[i]), OPTIONS_BAD, "%s", bad[i]);
		cr_expect_not_null(strstr(error, "unknown argument"), "%s: %s", bad[i], error);
		cr_expect_not_null(strstr(error, *bad[i] == '-' ? "--help" : "lists the commands"));
	}
	cr_expect_eq(READ_FLAGS("--threads=1", "serve"), OPTIONS_BAD, "serve comes first");
	cr_expect_eq(READ_FLAGS("--listen"), OPTIONS_BAD);
	cr_expect_str_eq(error, "--listen needs a value");
}

Test(options, what_was_removed_is_told)
{
	static const char *const removed[] = {"--d1-mode=rest", "--d1-account-id=a",
					      "--d1-database-id", "--d1-rest-url=https://h"};
	static const char *const modes[] = {"worker", "Worker", ""};

	for (size_t i = 0; i < COUNT(removed); i++) {
		cr_expect_eq(READ_FLAGS(removed[i]), OPTIONS_BAD, "%s", removed[i]);
		cr_expect(strstr(error, removed[i]) && strstr(error, "worker/README.md"), "%s",
			  error);
	}
	(void)setenv("STEADYCACHE_D1_MODE", "rest", 1);
	cr_expect_eq(READ_FLAGS("--d1-url=http://h"), OPTIONS_BAD);
	cr_expect(strstr(error, "STEADYCACHE_D1_MODE") && strstr(error, "worker/README.md"), "%s",
		  error);
	for (size_t i = 0; i < COUNT(modes); i++) {
		(void)setenv("STEADYCACHE_D1_MODE", modes[i], 1);
		cr_expect_eq(READ_FLAGS("--d1-url=http://h"), OPTIONS_SERVE, "%s", error);
	}
	(void)unsetenv("STEADYCACHE_D1_MODE");
}

/* ---- Each type's refusals ---- */

static const struct option_place *find_option(const char *flag)
{
	for (const struct option_place *at = option_list(NULL); at->option; at++)
		if (at->option->flag && strcmp(at->option->flag, flag) == 0)
			return at;
	cr_assert_fail("there is no --%s", flag);
	return NULL;
}

static bool set(const char *flag, const char *text)
{
	const struct option_place *place = find_option(flag);

	error[0] = '\0';
	return option_set(place->option, (char *)&options + place->base, "SOURCE", text, error,
			  sizeof(error));
}

Test(options, whole_numbers)
{
	static const char *const bad[] = {"",    " ",   "x",   "1x",    " 1",
					  "1 ",  "1.5", "-1",  "257",   "1e2",
					  "0x1", "+1",  "nan", "inf",   ".",
					  "-",   "1-1", "--1", "1.1.1", "99999999999999999999"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		options.threads = 42;
		cr_expect_not(set("threads", bad[i]), "%s", bad[i]);
		cr_expect_eq(options.threads, 42, "%s", bad[i]);
		cr_expect_eq(
			strncmp(error, "SOURCE must be a whole number from 0 to 256, not \"", 50),
			0, "%s", error);
	}
	cr_expect(set("threads", "256"));
	cr_expect_eq(options.threads, 256);
	cr_expect(set("threads", "007"));
	cr_expect_eq(options.threads, 7);
	cr_expect(set("threads", "8.0"));
	cr_expect(set("generation-capacity", "-1"));
	cr_expect_not(set("generation-capacity", "-2"));
	cr_expect_not(set("max-batch", "0"), "a limit of its own");
}

Test(options, numbers)
{
	cr_expect(set("max-body-mb", "0.001"));
	cr_expect_eq(options.max_body_mb, 0.001);
	cr_expect_not(set("max-body-mb", "0.0009"));
	cr_expect_str_eq(error, "SOURCE must be a number from 0.001 to 1024, not \"0.0009\"");
	cr_expect_not(set("max-body-mb", "1024.1"));
	cr_expect_not(set("max-body-mb", "-1"));
	cr_expect_not(set("max-body-mb", "nan"));
	cr_expect_not(set("max-body-mb", "1,5"));
	cr_expect_not(set("max-body-mb", ""));
}

Test(options, switches)
{
	static const char *const on[] = {"1", "true", "yes", "on", "TRUE", "On"};
	static const char *const off[] = {"0", "false", "no", "off", "", "FALSE"};
	static const char *const bad[] = {"2", "y", "tru", "1 true", " 1", "enabled"};

	for (size_t i = 0; i < COUNT(on); i++) {
		cr_expect(set("access-log", on[i]) && options.access_log, "%s", on[i]);
		cr_expect(set("access-log", off[i]) && !options.access_log, "%s", off[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		cr_expect_not(set("access-log", bad[i]), "%s", bad[i]);
		cr_expect_eq(strncmp(error, "SOURCE must be 1 or 0, not \"", 28), 0, "%s", error);
	}
}

Test(options, choices)
{
	static const char *const bad[] = {"", "memor", "memoryx", "sqlite memory", " memory"};
	char refusal[300] = "must be one of:";

	for (size_t i = 0; backend_registry[i]; i++) {
		cr_expect(set("backend", backend_registry[i]->name));
		strcat(strcat(refusal, " "), backend_registry[i]->name);
	}
	for (size_t i = 0; backend_registry[i]; i++) {
		struct slice scheme;

		for (const char *at = backend_registry[i]->schemes; at && words_next(&at, &scheme);)
			(void)sprintf(refusal + strlen(refusal), " %.*s%s", (int)scheme.len,
				      scheme.data, scheme.data[scheme.len - 1] == ':' ? "" : "://");
	}
	strcat(refusal, "; not \"");
	cr_expect(set("backend", "MEMORY"));
	for (size_t i = 0; i < COUNT(bad); i++) {
		cr_expect_not(set("backend", bad[i]), "%s", bad[i]);
		cr_expect_not_null(strstr(error, refusal), "%s", error);
	}
}

Test(options, a_backend_by_its_url)
{
	static const char *const bad[] = {"http://h", "redi://u:secret@h", "://h", "redis:/h",
					  "u:secret@h:6379"};

	cr_expect(set("backend", "redis://h:1/2"));
	cr_expect_str_eq(options.backend, "redis://h:1/2");
	cr_expect_str_eq(backends_chosen(&options, options.backend), "redis://h:1/2");
	cr_expect(set("backend", "UNIX:///path"));
	cr_expect(set("backend", "sqlite://./here?cache-mb=3"));
	cr_expect(set("backend", "d1+https://h"));
	for (size_t i = 0; i < COUNT(bad); i++) {
		cr_expect_not(set("backend", bad[i]), "%s", bad[i]);
		cr_expect_null(strstr(error, "secret"), "%s", error);
	}
	cr_expect_eq(READ_FLAGS("--redis-password=secret"), OPTIONS_BAD);
	cr_expect_null(strstr(error, "secret"), "%s", error);
}

Test(options, passwords_are_not_left_where_others_see_them)
{
	char program[] = "steadycache", first[] = "--backend=redis://u:secret@h:1/2",
	     flag[] = "--backend", second[] = "REDISS://:a@b@h?db=1";
	char worker[] = "--d1-url=http://u@h", plain[] = "--tls-cert=a@b";
	char *argv[] = {program, first, flag, second, worker, plain, NULL};

	(void)setenv("STEADYTEXT_CACHE_BACKEND", "d1+https://:secret@h", 1);
	cr_assert_eq(options_read(&options, 6, argv, error, sizeof(error)), OPTIONS_SERVE);
	options_hide_passwords(&options, 6, argv);
	cr_expect_str_eq(first, "--backend=redis://********@h:1/2");
	cr_expect_str_eq(second, "REDISS://****@h?db=1");
	cr_expect_str_eq(worker, "--d1-url=http://*@h");
	cr_expect_str_eq(plain, "--tls-cert=a@b");
	cr_expect_str_eq(options.backend, "REDISS://:a@b@h?db=1");
	cr_expect_str_eq(d1()->url, "http://u@h");
	cr_expect_str_eq(getenv("STEADYTEXT_CACHE_BACKEND"), "d1+https://*******@h");
	cr_assert_eq(READ_FLAGS("--backend=memory"), OPTIONS_SERVE);
	(void)setenv("STEADYCACHE_ROUTES", "a=PLUGIN:/b?word c=plugin:/d e=plugin:f?", 1);
	cr_assert_eq(READ_FLAGS("--backend=memory"), OPTIONS_SERVE);
	options_hide_passwords(&options, 1, argv);
	cr_expect_str_eq(getenv("STEADYCACHE_ROUTES"), "a=PLUGIN:/b?**** c=plugin:/d e=plugin:f?");
	cr_expect_str_eq(options.routes.texts[0], "a=PLUGIN:/b?word c=plugin:/d e=plugin:f?");
	(void)unsetenv("STEADYCACHE_ROUTES");
	(void)setenv("STEADYTEXT_CACHE_BACKEND", "redis://:other@h", 1);
	cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE);
	options_hide_passwords(&options, 1, argv);
	cr_expect_str_eq(options.backend, "redis://:other@h");
	cr_expect_str_eq(getenv("STEADYTEXT_CACHE_BACKEND"), "redis://******@h");
}

Test(options, texts)
{
	cr_expect(set("data-dir", " any thing "));
	cr_expect_str_eq(options.data_dir, " any thing ");
	cr_expect_not(set("data-dir", ""));
	cr_expect_str_eq(error, "SOURCE is empty; unset it or give it a value");
}

Test(options, an_error_fits_its_room)
{
	char small[8];
	char text[1000];

	memset(text, '9', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_not(option_set(find_option("threads")->option, &options, "SOURCE", text, small,
				 sizeof(small)));
	cr_expect_str_eq(small, "SOURCE ");
}

/* ---- Options of modules ---- */

Test(options, of_a_module_fill_its_own_settings)
{
	cr_assert_eq(READ_FLAGS("--memory-max-mb=3", "--sqlite-cache-mb=2", "--near-mb=5",
				"--near-ttl=0.5", "--d1-url=http://h", "--d1-timeout=1.5"),
		     OPTIONS_SERVE, "%s", error);
	const struct memory_settings *memory =
		option_list_settings(&options, memory_backend_ops.options);
	const struct sqlite_settings *sqlite =
		option_list_settings(&options, sqlite_backend_ops.options);
	const struct tiered_config *near = option_list_settings(&options, &tiered_options);

	cr_expect_eq(memory->max_bytes, 3 << 20);
	cr_expect_eq(sqlite->cache_bytes, 2 << 20);
	cr_expect_null(sqlite->vfs);
	cr_expect_eq(near->max_bytes, 5 << 20);
	cr_expect_eq(near->ttl_us, 500000);
	cr_expect_eq(near->stale_us, 300 * US_PER_S);
	cr_expect_str_eq(d1()->url, "http://h");
	cr_expect_eq(d1()->timeout_us, 1500000);
	cr_expect_eq(d1()->connect_timeout_us, 3 * US_PER_S);
	cr_expect_null(option_list_settings(&options, NULL));
}

Test(options, of_modules_have_their_defaults)
{
	cr_assert_eq(READ_FLAGS(), OPTIONS_SERVE, "%s", error);
	const struct memory_settings *memory =
		option_list_settings(&options, memory_backend_ops.options);
	const struct sqlite_settings *sqlite =
		option_list_settings(&options, sqlite_backend_ops.options);

	cr_expect_eq(memory->max_bytes, 0);
	cr_expect_eq(sqlite->cache_bytes, 128 << 20);
	cr_expect_eq(d1()->batch_size, 50);
	cr_expect_null(d1()->url);
}

Test(options, of_modules_are_refused_as_the_servers)
{
	cr_expect_not(set("near-mb", "1.5"));
	cr_expect_str_eq(error, "SOURCE must be a whole number from 0 to 1048576, not \"1.5\"");
	cr_expect_not(set("d1-timeout", "0.01"));
	cr_expect_str_eq(error, "SOURCE must be a number from 0.05 to 300, not \"0.01\"");
}

/* ---- Derived settings ---- */

static struct namespace_settings defaults_of(struct slice ns)
{
	struct namespace_settings settings = {.capacity = CAPACITY_UNLIMITED, .policy = EVICT_LRU};

	options_namespace_defaults(&options, ns, &settings);
	cr_expect_eq(settings.policy, EVICT_LRU, "the policy is the backend's");
	return settings;
}

Test(options, namespaces_of_steadytext_have_defaults_of_their_own)
{
	cr_assert_eq(READ_FLAGS("--generation-capacity=0", "--embedding-max-size-mb=0.5",
				"--default-max-size-mb=1.25"),
		     OPTIONS_SERVE);
	cr_expect_eq(defaults_of(SLICE("generation_cache")).capacity, 0, "0 is a limit");
	cr_expect_eq(defaults_of(SLICE("generation_cache")).max_size_bytes, 50U << 20);
	cr_expect_eq(defaults_of(SLICE("embedding_cache")).capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(defaults_of(SLICE("embedding_cache")).max_size_bytes, 524288);
	cr_expect_eq(defaults_of(SLICE("reranking_cache")).max_size_bytes, 25U << 20);
	cr_expect_eq(defaults_of(SLICE("generation_cach")).max_size_bytes, 1310720);
	cr_expect_eq(defaults_of(SLICE("generation_cache2")).capacity, CAPACITY_UNLIMITED);
	cr_assert_eq(READ_FLAGS("--skip-cache-init", "--generation-capacity=9"), OPTIONS_SERVE);
	cr_expect_eq(defaults_of(SLICE("generation_cache")).capacity, 0);
	cr_expect_eq(defaults_of(SLICE("any")).capacity, 0);
}

/* A backend without BACKEND_LIMITS is refused where somebody set a limit, whichever, but not for
 * the limits that are the defaults of others. */
Test(options, limits_that_a_backend_does_not_keep_are_refused)
{
	static const struct backend_ops keeps_none = {.name = "boundless"};
	static const char *const limits[] = {
		"--default-max-size-mb=100",   "--generation-capacity=0",
		"--generation-max-size-mb=50", "--embedding-capacity=7",
		"--embedding-max-size-mb=1",   "--reranking-capacity=7",
		"--reranking-max-size-mb=1",   "--skip-cache-init",
	};

	for (size_t i = 0; i < COUNT(limits); i++) {
		cr_assert_eq(READ_FLAGS(limits[i]), OPTIONS_SERVE);
		cr_expect_not(options_check_limits(&options, &keeps_none, error, sizeof(error)));
		cr_expect_eq(strncmp(error, limits[i], strcspn(limits[i], "=")), 0, "%s", error);
		cr_expect(
			options_check_limits(&options, &memory_backend_ops, error, sizeof(error)));
	}
	cr_assert_eq(READ_FLAGS("--default-max-size-mb=0", "--embedding-capacity=-1"),
		     OPTIONS_SERVE);
	cr_expect(options_check_limits(&options, &keeps_none, error, sizeof(error)));
	(void)setenv("STEADYTEXT_RERANKING_CACHE_CAPACITY", "5", 1);
	cr_assert_eq(READ_FLAGS(NULL), OPTIONS_SERVE);
	cr_expect_not(options_check_limits(&options, &keeps_none, error, sizeof(error)));
	cr_expect_str_eq(error,
			 "--reranking-capacity sets a limit, and the boundless backend keeps "
			 "none; leave it out (or its variable)");
}

Test(options, the_backend_that_switches_leave)
{
	static const struct {
		const char *flags[3];
		const char *backend;
	} cases[] = {
		{{"--backend=SQLite"}, "sqlite"},
		{{"--backend=memory"}, "memory"},
		{{"--backend=memory", "--disable-cache"}, "disabled"},
		{{"--skip-cache-init"}, "memory"},
		{{"--skip-cache-init", "--disable-cache"}, "disabled"},
		{{"--skip-cache-init", "--backend=disabled"}, "disabled"},
		{{"--skip-cache-init", "--backend=sqlite:///p"}, "memory"},
		{{"--backend=sqlite:///p"}, "sqlite:///p"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_assert_eq(read_flags(cases[i].flags), OPTIONS_SERVE);
		cr_expect_eq(
			strcasecmp(backends_chosen(&options, options.backend), cases[i].backend), 0,
			"case %zu", i);
	}
}
