/* Plugins in a server: the template keeps its entries, and what is wrong with another is told in
 * one sentence that names it. */
#include "tests/process/client_run.h"

#include <elf.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/support/sanitized.h"

PROCESS_SUITE(plugins);

#define PLUGIN(name) "plugin:" STEADYCACHE_PLUGINS_DIR "/" name

static void set_backend(const char *text)
{
	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	scene_env_printf("STEADYCACHE_BACKEND=%s", text);
}

/* ---- One that works ---- */

Test(plugins, entries_are_there_after_a_kill)
{
	/* The three ways to write a path. */
	static const char *const texts[] = {PLUGIN("log.so"),
					    "plugin://" STEADYCACHE_PLUGINS_DIR "/log.so",
					    "PLUGIN:" STEADYCACHE_PLUGINS_DIR "/%6Cog.so?"};

	set_backend(texts[0]);
	scene_start();
	cr_assert_eq(scene_put("kept", "value")->status, 201);
	cr_assert_eq(scene_put("replaced", "old")->status, 201);
	cr_assert_eq(scene_put("replaced", "new")->status, 204);
	for (size_t i = 0; i < 3; i++) {
		scene_kill();
		set_backend(texts[i]);
		scene_start();
		cr_expect_eq(scene_get("kept")->status, 200);
		cr_expect_str_eq(scene_get("replaced")->body, "new");
	}
	cr_expect(strstr(http_get(scene.client, "/stats")->body, "\"backend\":\"plugin:log\""));
	scene_stop();
}

Test(plugins, nothing_is_stored_in_a_file_that_was_removed)
{
	set_backend(PLUGIN("log.so"));
	scene_start();
	cr_assert_eq(scene_put("kept", "value")->status, 201);
	expect_run(0, "mv data/log-plugin.log away");
	cr_expect_eq(scene_put("lost", "value")->status, 503);
	cr_expect(strstr(http_get(scene.client, "/readyz")->body, "was removed or replaced"));
	cr_expect_eq(scene_get("kept")->status, 200);
	expect_run(0, "mv away data/log-plugin.log");
	cr_expect_eq(scene_put("found", "value")->status, 201);
	scene_stop();
}

Test(plugins, two_routes_have_one_each)
{
	char path[TEMP_PATH_SIZE];

	scene_env("STEADYCACHE_BACKEND=" PLUGIN("log.so"));
	scene_env_printf("STEADYCACHE_ROUTES=x*=" PLUGIN("log.so?path=%s") " y*=sqlite",
			 temp_dir_path(&scene.dir, "other.log", path));
	scene_start();
	cr_expect_eq(http_put(scene.client, "/cache/xa/k", SLICE("v"))->status, 201);
	cr_expect_eq(http_put(scene.client, "/cache/ya/k", SLICE("v"))->status, 201);
	cr_expect_eq(scene_put("k", "v")->status, 201);
	scene_stop();
	cr_expect_gt(file_size(path), 0);
	(void)snprintf(path, sizeof(path), "%s/log-plugin.log", scene.data_dir);
	cr_expect_gt(file_size(path), 0);
}

Test(plugins, one_store_is_not_opened_twice)
{
	scene_env("STEADYCACHE_BACKEND=" PLUGIN("log.so"));
	scene_env("STEADYCACHE_ROUTES=x*=plugin://" STEADYCACHE_PLUGINS_DIR "/log.so");
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 20000);
	cr_expect_eq(end.code, 1);
	cr_expect(strstr(end.log, "is open already, with the same settings"), "%s", end.log);
	free(end.log);
}

Test(plugins, large_values_of_one_store_are_not_swept_by_another)
{
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s/large", scene.dir.path);
	scene_env_printf("STEADYCACHE_BACKEND=" PLUGIN("log.so?path=%s/a.log"), scene.dir.path);
	scene_start();
	scene_stop();
	scene.server.environment[1] = NULL;
	scene_env_printf("STEADYCACHE_BACKEND=" PLUGIN("log.so?path=%s/b.log"), scene.dir.path);
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 20000);
	cr_expect_eq(end.code, 1);
	cr_expect(strstr(end.log, "would remove them"), "%s", end.log);
	cr_expect_null(strstr(end.log, "b.log"), "%s", end.log);
	free(end.log);
}

Test(plugins, a_migration_goes_both_ways)
{
	set_backend(PLUGIN("log.so"));
	scene_start();
	cr_assert_eq(scene_put("k", "a value")->status, 201);
	scene_stop();
	expect_run(0,
		   "$S migrate '" PLUGIN("log.so?path=data/log-plugin.log") "' sqlite://./there");
	expect_run(0, "$S migrate sqlite://./there '" PLUGIN("log.so?path=back.log") "' --verify");
	expect_run(0, "$S migrate '" PLUGIN("log.so?path=back.log") "' '" PLUGIN(
			      "log.so?path=again.log") "'");
	expect_run(0,
		   "$S migrate '" PLUGIN("log.so?path=again.log") "' - && grep -q 'a value' out");
}

/* ---- What is wrong ---- */

static void expect_refusal(const char *text, const char *sentence)
{
	set_backend(text);
	char *line = scene_refused_start();
	char label[TEMP_PATH_SIZE];

	(void)snprintf(label, sizeof(label), "steadycache: %.*s: ", (int)strcspn(text, "?"), text);
	cr_expect_eq(strncmp(line, label, strlen(label)), 0, "%s", line);
	cr_expect(strstr(line, sentence), "expected %s: %s", sentence, line);
	free(line);
}

Test(plugins, a_misfit_is_refused_with_a_sentence)
{
	expect_refusal("plugin", "write plugin:/path/driver.so");
	expect_refusal("plugin:.hidden", "a path with a slash");
	expect_refusal("plugin:lmdb2", "no such plugin is installed (");
	expect_refusal("plugin:lmdb2", "lib/steadycache/plugins/lmdb2.so); one that lies elsewhere "
				       "is named by a path with a slash, plugin:./lmdb2.so");
	expect_refusal("plugin:~/lmdb.so", "write the whole path");
	expect_refusal("plugin:/bad%zzpath", "a % that is not one of %XX");
	expect_refusal(PLUGIN("there_is_none.so"), "No such file");
	expect_refusal("plugin:/etc", "it is a directory");
	expect_refusal("plugin:/dev/null", "it is no file");
	expect_refusal(PLUGIN("no_entry.so"), "it has no function steadycache_driver");
	expect_refusal(PLUGIN("no_driver.so"), "returned no driver for version 1 of driver.h");
	expect_refusal(PLUGIN("older.so"), "version 0 of driver.h, and this server has version 1: "
					   "the plugin is older; build the plugin again");
	expect_refusal(PLUGIN("newer.so"), "version 2 of driver.h, and this server has version 1: "
					   "the server is older; update the server");
	expect_refusal(PLUGIN("cut.so"), "driver_ops.size is 24");
	expect_refusal(PLUGIN("no_apply.so"), "driver_ops.apply is NULL");
	expect_refusal(PLUGIN("bad_name.so"), "driver_ops.name");
	expect_refusal(PLUGIN("unknown_bits.so"), "does not know (0x100000)");
	expect_refusal(PLUGIN("unresolved.so"), "undefined symbol: nobody_has_this");
	cr_expect_eq(file_size(scene.data_dir), -1, "the data directory was made");
}

/* A copy of a plugin with two bytes of its start replaced. */
static void write_changed(const char *name, size_t at, uint16_t bytes, mode_t mode)
{
	char path[TEMP_PATH_SIZE];
	size_t len = 0;
	char *plugin = file_read(STEADYCACHE_PLUGINS_DIR "/none.so", &len);

	cr_assert_not_null(plugin);
	if (at > 0)
		memcpy(plugin + at, &bytes, sizeof(bytes));
	file_write(temp_dir_path(&scene.dir, name, path), (struct slice){plugin, len});
	cr_assert_eq(chmod(path, mode), 0);
	free(plugin);
}

static void expect_refused_file(const char *name, const char *sentence)
{
	char text[TEMP_PATH_SIZE];

	(void)snprintf(text, sizeof(text), "plugin:%s/%s", scene.dir.path, name);
	expect_refusal(text, sentence);
}

Test(plugins, a_file_that_is_no_plugin_is_refused)
{
	char path[TEMP_PATH_SIZE];

	file_write(temp_dir_path(&scene.dir, "text.so", path), SLICE("INPUT(libc.so)\n"));
	expect_refused_file("text.so", "it is no shared object");
	write_changed("other.so", offsetof(Elf64_Ehdr, e_machine), EM_S390, 0644);
	expect_refused_file("other.so", "it is built for z/Architecture, and this server for ");
	write_changed("object.so", offsetof(Elf64_Ehdr, e_type), ET_REL, 0644);
	expect_refused_file("object.so", "a program or an object file");
	write_changed("open.so", 0, 0, 0666);
	expect_refused_file("open.so", "everybody may write to it");
}

static void expect_failed_open(const char *text, const char *sentence, int code)
{
	set_backend(text);
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 20000);

	cr_expect_eq(end.code, code, "%s: %d: %s", text, end.code, end.log);
	cr_expect(strstr(end.log, sentence), "expected %s: %s", sentence, end.log);
	cr_expect(strstr(end.log, STEADYCACHE_PLUGINS_DIR), "%s", end.log);
	free(end.log);
}

Test(plugins, an_open_that_fails_says_why)
{
	expect_failed_open(PLUGIN("none.so?fails"), "/none.so: the moon is not full\n", 1);
	expect_failed_open(PLUGIN("none.so?is_mute"), "did not answer in time", 1);
	expect_failed_open(PLUGIN("log.so?speed=1"), "behind the ? may be path=", 1);
}

/* A sanitizer ends the process itself, after the sentence. */
Test(plugins, a_crash_names_the_plugin)
{
	int by_signal = IS_SANITIZED ? 1 : 128 + SIGSEGV;

	expect_failed_open(PLUGIN("none.so?faults"),
			   "/none.so: the plugin crashed while it was "
			   "opened (SIGSEGV",
			   by_signal);
	expect_failed_open(PLUGIN("none.so?recurses"), "crashed while it was opened (SIGSEGV",
			   by_signal);
	expect_failed_open(PLUGIN("crashing.so"), "crashed while it was opened (SIGSEGV",
			   by_signal);
	expect_failed_open(PLUGIN("none.so?aborts"), "crashed while it was opened (SIGABRT",
			   128 + SIGABRT);
	expect_failed_open(PLUGIN("none.so?exits"), "called exit() while it was opened", 2);
}

static void expect_end_by_a_set(const char *text, const char *sentence, int code)
{
	set_backend(text);
	scene_start();
	cr_expect_eq(scene_put("k", "v")->status, 0);
	struct server_exit end = server_await_exit(&scene.server, 20000);

	cr_expect_eq(end.code, code, "%s: %d: %s", text, end.code, end.log);
	cr_expect(strstr(end.log, sentence), "expected %s: %s", sentence, end.log);
	free(end.log);
	scene_kill();
}

Test(plugins, a_crash_of_an_open_plugin_names_it)
{
	expect_end_by_a_set(PLUGIN("none.so?faults_later"),
			    "plugin:misfit: the plugin crashed while it was open (SIGSEGV",
			    IS_SANITIZED ? 1 : 128 + SIGSEGV);
	expect_end_by_a_set(PLUGIN("none.so?aborts_later"),
			    "plugin:misfit: the plugin crashed while it was open (SIGABRT",
			    128 + SIGABRT);
	expect_end_by_a_set(PLUGIN("none.so?exits_later"),
			    "plugin:misfit: the plugin called exit() while it was open", 2);
}

/* ---- check-plugin ---- */

Test(plugins, check_plugin_is_content_with_the_template)
{
	expect_run(0, "TMPDIR=$PWD $S check-plugin " STEADYCACHE_PLUGINS_DIR "/log.so");
	cr_expect(holds("out", "ok     after a kill -9"));
	expect_run(0, "! grep -v '^ok ' out && ! ls -d steadycache-check-*");
}

Test(plugins, check_plugin_leaves_a_store_with_entries_alone)
{
	set_backend(PLUGIN("log.so"));
	scene_start();
	cr_assert_eq(scene_put("k", "v")->status, 201);
	scene_stop();
	expect_run(0, "cp data/log-plugin.log before");
	expect_run(1, "$S check-plugin '" PLUGIN("log.so?path=data/log-plugin.log") "'");
	cr_expect(holds("out", "reported a record that nobody has stored"));
	expect_run(0, "cmp data/log-plugin.log before");
}

Test(plugins, check_plugin_finds_each_broken_rule)
{
	static const struct {
		const char *rule, *found;
	} cases[] = {
		{"one_opener", "opened twice at the same time"},
		{"names", "FAILED it keeps what it is given"},
		{"length", "another length answered DRIVER_OK"},
		{"order", "FAILED it makes changes in their order"},
		{"uses", "FAILED a use leaves the body"},
		{"once", "reported a record twice"},
		{"stop", "was told to stop at the first"},
		{"removal", "FAILED it removes"},
		{"all_or_none", "after a kill an apply was made in part"},
		{"acknowledged", "after a kill an acknowledged apply is gone"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[TEMP_PATH_SIZE];

		(void)snprintf(line, sizeof(line),
			       "TMPDIR=$PWD $S check-plugin '" PLUGIN("unruly.so?%s") "'",
			       cases[i].rule);
		expect_run(1, line);
		cr_expect(holds("out", cases[i].found), "%s", cases[i].rule);
		cr_expect(holds("err", "it breaks a rule of driver.h"));
	}
}

Test(plugins, one_that_does_not_come_back_is_named)
{
	set_backend(PLUGIN("none.so?hangs"));
	server_spawn(&scene.server);
	cr_expect(server_await_log(&scene.server, "none.so: the plugin has been opening for 2 s",
				   20000));
	scene_kill();
}

Test(plugins, one_without_a_folder_makes_none)
{
	set_backend(PLUGIN("none.so"));
	scene_start();
	cr_expect_eq(scene_put("k", "v")->status, 201);
	cr_expect_eq(scene_get("k")->status, 404);
	scene_stop();
	cr_expect_eq(file_size(scene.data_dir), -1, "the data directory was made");
}
