/* Wrong configuration: exit 2 and one line that names the option. */
#include "tests/process/scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

PROCESS_SUITE(bad_config);

/* Expects the server to refuse its settings, with a single line that contains `named`. */
static void expect_refusal(const char *named)
{
	char *line = scene_refused_start();

	cr_assert(strcasestr(line, named), "expected a line that names %s: %s", named, line);
	free(line);
	cr_assert_eq(file_size(scene.data_dir), -1, "%s: the data directory was made", named);
}

static void expect_refused_env(const char *setting)
{
	char named[64];

	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	scene_env(setting);
	(void)snprintf(named, sizeof(named), "%.*s", (int)strcspn(setting, "="), setting);
	expect_refusal(named);
}

static void expect_refused_flag(const char *flag)
{
	char named[64];

	memset(scene.server.flags, 0, sizeof(scene.server.flags));
	scene_flag(flag);
	/* As a flag or as a variable: the last word of the name is the same. */
	(void)snprintf(named, sizeof(named), "%.*s", (int)strcspn(flag, "="), flag);
	expect_refusal(strrchr(named, '-') && named[2] ? strrchr(named, '-') + 1 : named);
}

Test(bad_config, environment)
{
	static const char *const settings[] = {
		"STEADYCACHE_LISTEN=nonsense",
		"STEADYCACHE_LISTEN=127.0.0.1",
		"STEADYCACHE_LISTEN=127.0.0.1:99999",
		"STEADYCACHE_LISTEN=127.0.0.1:-1",
		"STEADYCACHE_LISTEN=127.0.0.1:http",
		"STEADYCACHE_LISTEN=:8080:",
		"STEADYCACHE_BACKEND=nope",
		"STEADYTEXT_CACHE_BACKEND=nope",
		"STEADYCACHE_DURABILITY=maybe",
		"STEADYCACHE_THREADS=-1",
		"STEADYCACHE_THREADS=many",
		"STEADYCACHE_THREADS=1.5",
		"STEADYCACHE_MAX_BODY_MB=-1",
		"STEADYCACHE_MAX_BODY_MB=32MB",
		"STEADYCACHE_MAX_KEY_KB=0",
		"STEADYCACHE_MAX_KEY_KB=x",
		"STEADYCACHE_MAX_HEADER_KB=0",
		"STEADYCACHE_MAX_BATCH=0",
		"STEADYCACHE_MAX_BATCH=99999999999999999999",
		"STEADYCACHE_MAX_CONNECTIONS=0",
		"STEADYCACHE_MAX_NAMESPACES=0",
		"STEADYCACHE_IDLE_TIMEOUT=0",
		"STEADYCACHE_IDLE_TIMEOUT=1m",
		"STEADYCACHE_REQUEST_TIMEOUT=0",
		"STEADYCACHE_REQUEST_TIMEOUT=nan",
		"STEADYCACHE_MEMORY_MAX_MB=-5",
		"STEADYCACHE_DEFAULT_MAX_SIZE_MB=inf",
		"STEADYCACHE_DEFAULT_MAX_SIZE_MB=-1",
		"STEADYTEXT_GENERATION_CACHE_CAPACITY=x",
		"STEADYTEXT_EMBEDDING_CACHE_CAPACITY=1.5",
		"STEADYTEXT_RERANKING_CACHE_CAPACITY=-2",
		"STEADYTEXT_GENERATION_CACHE_MAX_SIZE_MB=x",
		"STEADYTEXT_EMBEDDING_CACHE_MAX_SIZE_MB=-1",
		"STEADYTEXT_RERANKING_CACHE_MAX_SIZE_MB=1e",
		"STEADYCACHE_LOG_LEVEL=loud",
		"STEADYTEXT_LOG_LEVEL=loud",
		"STEADYCACHE_LOG_FORMAT=xml",
		"STEADYCACHE_ACCESS_LOG=maybe",
		"STEADYTEXT_DISABLE_CACHE=perhaps",
		"STEADYTEXT_SKIP_CACHE_INIT=2",
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		expect_refused_env(settings[i]);
}

Test(bad_config, flags)
{
	static const char *const flags[] = {
		"--listen=nonsense",
		"--backend=nope",
		"--threads=x",
		"--max-body-mb=x",
		"--max-batch=0",
		"--idle-timeout=-1",
		"--log-level=loud",
		"--log-format=xml",
		"--unknown",
		"--unknown=value",
		"--generation-capacity=x",
		"--",
		"--max-key-kb",
		"extra",
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		expect_refused_flag(flags[i]);
}

Test(bad_config, flags_beat_the_environment)
{
	scene_env("STEADYCACHE_BACKEND=nope-but-overridden");
	scene_flag("--backend=memory");
	server_spawn(&scene.server);
	/* A value that is wrong in itself may be read either way; a valid one must lose. */
	server_kill(&scene.server);
	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	scene_env("STEADYCACHE_BACKEND=sqlite");
	scene_start();
	cr_assert(server_await_log(&scene.server, "memory", 5000));
	scene_stop();
	cr_assert_eq(file_size(scene.data_dir), -1);
}

Test(bad_config, other_addresses_need_a_key)
{
	static const char *const addresses[] = {"STEADYCACHE_LISTEN=0.0.0.0:0",
						"STEADYCACHE_LISTEN=[::]:0"};

	for (size_t i = 0; i < 2; i++) {
		memset(scene.server.environment, 0, sizeof(scene.server.environment));
		scene_env(addresses[i]);
		expect_refusal("STEADYCACHE_API_KEY");
	}
	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	scene_env("STEADYCACHE_LISTEN=0.0.0.0:0");
	scene_env("STEADYCACHE_API_KEY=secret");
	scene_start();
	scene_stop();
}

/* SteadyText's own settings, which direct its clients here, may be in the server's environment
 * too. */
Test(bad_config, d1_that_would_ask_itself)
{
	static const char *const urls[] = {"STEADYTEXT_D1_API_URL=http://127.0.0.1:18080",
					   "STEADYTEXT_D1_API_URL=http://localhost:18080/"};

	for (size_t i = 0; i < 2; i++) {
		memset(scene.server.environment, 0, sizeof(scene.server.environment));
		scene_env("STEADYCACHE_LISTEN=127.0.0.1:18080");
		scene_env("STEADYTEXT_CACHE_BACKEND=d1");
		scene_env("STEADYTEXT_D1_API_KEY=secret");
		scene_env(urls[i]);
		expect_refusal("STEADYTEXT_D1_API_URL");
	}
}

Test(bad_config, loopback_without_a_key_warns)
{
	char *log;

	scene_start();
	log = server_log(&scene.server);
	cr_assert(strstr(log, "level=warn") && strstr(log, "STEADYCACHE_API_KEY"),
		  "expected a warning about the missing key: %s", log);
	free(log);
	scene_stop();
	scene_env("STEADYCACHE_API_KEY=secret");
	scene_start();
	log = server_log(&scene.server);
	cr_assert_not(strstr(log, "level=warn"), "expected no warning: %s", log);
	free(log);
	scene_stop();
}

static void expect_no_data_dir(const char *path, const char *reason)
{
	char *line;

	scene.server.data_dir = path;
	line = scene_refused_start();
	cr_expect(strstr(line, path) && strstr(line, "--data-dir"), "not named: %s", line);
	cr_expect(strstr(line, reason), "expected \"%s\": %s", reason, line);
	free(line);
}

Test(bad_config, a_data_dir_that_cannot_be)
{
	char path[TEMP_PATH_SIZE];

	file_write(temp_dir_path(&scene.dir, "file", path), SLICE("a file"));
	expect_no_data_dir(path, "a file, not a directory");
	(void)temp_dir_path(&scene.dir, "file/below", path);
	expect_no_data_dir(path, "a part of its path is a file");
	(void)temp_dir_path(&scene.dir, "nothing/below", path);
	expect_no_data_dir(path, "the directory that it is to lie in does not exist");
	(void)temp_dir_path(&scene.dir, "link", path);
	cr_assert_eq(symlink("nowhere", path), 0);
	expect_no_data_dir(path, "a link to nothing");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("link", path), 0);
	expect_no_data_dir(path, "symbolic links");
	expect_no_data_dir("/proc/nothing/here", "does not exist");
	(void)temp_dir_path(&scene.dir, "closed", path);
	cr_assert_eq(mkdir(path, 0500), 0);
	if (access(path, W_OK) != 0) /* root may write anywhere */
		expect_no_data_dir(path, "Permission denied");
}

static void expect_no_lock(const char *wanted)
{
	struct server_exit end;
	char path[TEMP_PATH_SIZE];

	server_spawn(&scene.server);
	end = server_await_exit(&scene.server, 60000);
	cr_expect_eq(end.code, 1, "%d", end.code);
	(void)temp_dir_path(&scene.dir, "data/steadycache.lock", path);
	cr_expect(strstr(end.log, path) && strstr(end.log, wanted), "expected %s and %s: %s", path,
		  wanted, end.log);
	free(end.log);
}

Test(bad_config, a_lock_that_another_program_holds)
{
	char path[TEMP_PATH_SIZE], holder[64];

	cr_assert_eq(mkdir(scene.data_dir, 0700), 0);
	(void)temp_dir_path(&scene.dir, "data/steadycache.lock", path);
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(flock(lock, LOCK_EX), 0);
	(void)snprintf(holder, sizeof(holder), "is locked by process %d,", (int)getpid());
	expect_no_lock(holder);
	(void)close(lock);
	scene_start(); /* the port is free now */
	scene_stop();
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	expect_no_lock("Is a directory");
}

Test(bad_config, an_address_in_use)
{
	struct server_exit end;

	scene_start();
	scene_env_printf("STEADYCACHE_LISTEN=%s", scene.server.url + strlen("http://"));
	{
		struct server_process late = {.data_dir = scene.data_dir};

		late.environment[0] = scene.server.environment[0];
		server_spawn(&late);
		end = server_await_exit(&late, 20000);
		cr_assert_gt(end.code, 0);
		cr_assert_lt(end.code, 128);
		cr_assert(strstr(end.log, strrchr(scene.server.url, ':') + 1),
			  "expected a line that names the port: %s", end.log);
		free(end.log);
		server_dispose(&late);
	}
	expect_status(scene_put("k", "v"), 201);
	scene_stop();
}

Test(bad_config, help_and_version_go_to_stdout_and_exit_0)
{
	char command[TEMP_PATH_SIZE * 2], out[TEMP_PATH_SIZE], *text;

	(void)temp_dir_path(&scene.dir, "out", out);
	(void)snprintf(command, sizeof(command), "'%s' --help >'%s' 2>&1", STEADYCACHE_BINARY, out);
	cr_assert_eq(system(command), 0);
	text = file_read(out, NULL);
	cr_assert(strstr(text, "--listen") && strstr(text, "STEADYCACHE_LISTEN") &&
			  strstr(text, "127.0.0.1:8080"),
		  "--help names no flag, variable or default: %s", text);
	free(text);
	(void)snprintf(command, sizeof(command), "'%s' --version >'%s' 2>&1", STEADYCACHE_BINARY,
		       out);
	cr_assert_eq(system(command), 0);
	text = file_read(out, NULL);
	cr_assert(strstr(text, STEADYCACHE_VERSION), "--version: %s", text);
	free(text);
}
