/* The upstream's certificate: an untrusted one is refused, and one from STEADYCACHE_D1_CA_FILE is
 * trusted. openssl's s_server stands in for the upstream. */
#include "tests/process/d1_scene.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

D1_SUITE(d1_tls);

static pid_t tls_server;
static char certificate[TEMP_PATH_SIZE], key[TEMP_PATH_SIZE], output[TEMP_PATH_SIZE];

static pid_t run_openssl(const char *const *arguments)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen(output, "w", stdout) || !freopen("/dev/null", "w", stderr))
		_exit(127);
	(void)execvp("openssl", (char *const *)(uintptr_t)arguments);
	_exit(127);
}

/* True: the output names a port, which is in `ret_port`. */
static bool find_port(int *ret_port)
{
	char *text = file_read(output, NULL);
	const char *at = text ? strstr(text, "ACCEPT 127.0.0.1:") : NULL;
	bool found = at && sscanf(at, "ACCEPT 127.0.0.1:%d", ret_port) == 1;

	free(text);
	return found;
}

static int start_tls_server(void)
{
	const char *const make[] = {
		"openssl",  "req",          "-x509",   "-newkey",
		"rsa:2048", "-nodes",       "-keyout", key,
		"-out",     certificate,    "-days",   "2",
		"-subj",    "/CN=upstream", "-addext", "subjectAltName=IP:127.0.0.1",
		NULL};
	const char *const serve[] = {"openssl",   "s_server", "-accept", "127.0.0.1:0", "-cert",
				     certificate, "-key",     key,       "-www",        NULL};
	int status = 0, port = 0;

	(void)temp_dir_path(&scene.dir, "certificate.pem", certificate);
	(void)temp_dir_path(&scene.dir, "key.pem", key);
	(void)temp_dir_path(&scene.dir, "output", output);
	if (waitpid(run_openssl(make), &status, 0) < 0 || status != 0)
		cr_skip("there is no openssl");
	tls_server = run_openssl(serve);
	cr_assert(await_condition(find_port(&port), 10000));
	return port;
}

static void start(int port, bool trusted)
{
	scene_env("STEADYCACHE_BACKEND=d1");
	scene_env("STEADYTEXT_D1_API_KEY=" D1_TOKEN);
	scene_env_printf("STEADYTEXT_D1_API_URL=https://127.0.0.1:%d", port);
	if (trusted)
		scene_env_printf("STEADYCACHE_D1_CA_FILE=%s", certificate);
	scene_start();
}

static void stop(void)
{
	scene_stop();
	(void)kill(tls_server, SIGKILL);
	(void)waitpid(tls_server, NULL, 0);
}

Test(d1_tls, a_certificate_that_nobody_vouches_for)
{
	start(start_tls_server(), false);
	d1_expect_failure(scene_get("k"), 503, "STEADYCACHE_D1_CA_FILE");
	d1_expect_failure(scene_put("k", "v"), 503, "STEADYCACHE_D1_CA_FILE");
	stop();
}

Test(d1_tls, one_that_is_named)
{
	scene_env("STEADYCACHE_D1_TIMEOUT=3");
	start(start_tls_server(), true);
	/* It is reached, but does not understand. */
	d1_expect_failure(scene_get("k"), 504, "in time");
	stop();
}
