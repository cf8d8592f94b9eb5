/* The server under a service manager: readiness, and a listening socket that outlives it. */
#include "tests/process/scene.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

PROCESS_SUITE(service_manager);

#define CLIENTS  6
#define RESTARTS 8

/* Opens a listening socket on a free port of `host`, for the server; its URL in `ret_url`. */
static int listening_socket(in_addr_t host, char ret_url[64])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	cr_assert(listen(fd, 1024) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	(void)snprintf(ret_url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

/* The server's next message, within 20 s. */
static const char *next_message(int notify)
{
	static char text[128];
	struct pollfd readable = {.fd = notify, .events = POLLIN};

	cr_assert_eq(poll(&readable, 1, 20000), 1, "the server told nothing");
	ssize_t len = recv(notify, text, sizeof(text) - 1, 0);
	cr_assert(len >= 0);
	text[len] = '\0';
	return text;
}

Test(service_manager, is_told_when_the_server_is_ready_and_when_it_stops)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[TEMP_PATH_SIZE], url[64];
	int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		       temp_dir_path(&scene.dir, "notify", path));
	cr_assert(bind(notify, (struct sockaddr *)&address, sizeof(address)) == 0);
	scene_env_printf("NOTIFY_SOCKET=%s", path);
	scene.server.listening_fd = listening_socket(INADDR_LOOPBACK, url);
	server_spawn(&scene.server);
	cr_assert_str_eq(next_message(notify), "READY=1");
	/* It serves from that moment on, without another look at its log. */
	scene.client = http_client_open(url, NULL);
	expect_status(http_get(scene.client, "/readyz"), 200);
	cr_assert(kill(scene.server.pid, SIGTERM) == 0);
	cr_assert_str_eq(next_message(notify), "STOPPING=1");
	struct server_exit end = server_await_exit(&scene.server, 10000);
	cr_assert_eq(end.code, 0, "%s", end.log);
	free(end.log);
	(void)close(notify);
}

Test(service_manager, that_hears_nothing_does_not_keep_the_server_from_serving)
{
	scene_env_printf("NOTIFY_SOCKET=%s/nonexistent", scene.dir.path);
	scene_start();
	cr_assert(server_await_log(&scene.server, "service manager", 10000));
	expect_status(scene_put("k", "v"), 201);
	scene_stop();
}

Test(service_manager, hands_over_a_socket_and_the_listen_option_is_ignored)
{
	char url[64];

	scene.server.listening_fd = listening_socket(INADDR_LOOPBACK, url);
	scene_env("STEADYCACHE_LISTEN=no address at all");
	scene_start();
	cr_assert_str_eq(scene.server.url, url);
	expect_status(scene_put("k", "v"), 201);
	scene_stop();
}

Test(service_manager, hands_over_a_public_socket_and_a_token_is_wanted)
{
	char url[64];

	scene.server.listening_fd = listening_socket(INADDR_ANY, url);
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 20000);
	cr_assert_eq(end.code, 2, "%s", end.log);
	cr_assert(strstr(end.log, "STEADYCACHE_API_KEY"), "%s", end.log);
	free(end.log);
	scene_env("STEADYCACHE_API_KEY=token");
	server_start(&scene.server);
	scene.client = http_client_open(url, "token");
	expect_status(scene_put("k", "v"), 201);
	/* Its own --listen is loopback, where /metrics needs no token. */
	expect_status(http_get(scene.client, "/metrics"), 200);
	http_client_set_key(scene.client, NULL);
	expect_status(http_get(scene.client, "/metrics"), 401);
	scene_stop();
}

Test(service_manager, hands_over_what_cannot_be_served_on)
{
	scene.server.listening_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 20000);
	cr_assert_eq(end.code, 2, "%s", end.log);
	cr_assert(strstr(end.log, "LISTEN_FDS"), "%s", end.log);
	free(end.log);
}

Test(service_manager, secret_in_a_file)
{
	char path[TEMP_PATH_SIZE];

	file_write(temp_dir_path(&scene.dir, "token", path), SLICE("from a file\n"));
	scene_env_printf("STEADYCACHE_API_KEY_FILE=%s", path);
	scene_start();
	expect_status(scene_put("k", "v"), 401);
	http_client_set_key(scene.client, "from a file");
	expect_status(scene_put("k", "v"), 201);
	scene_stop();
	scene_env("STEADYCACHE_API_KEY=from the environment");
	scene_start();
	http_client_set_key(scene.client, "from the environment");
	expect_status(scene_get("k"), 200);
	scene_stop();
}

/* ---- Restarts that no client notices ---- */

struct load {
	const char *url;
	atomic_bool is_over; /* or a request has failed */
	atomic_uint served[CLIENTS];
	char failure[CLIENTS][600];
};

static bool ask(struct load *load, struct http_client *client, size_t index, unsigned i)
{
	char target[64], value[32];
	bool ends_connection = index % 2 == 0; /* each request on its own connection */
	const char *header = ends_connection ? "Connection: close" : "X-Kept: yes";
	const struct http_answer *answer;

	(void)snprintf(target, sizeof(target), "/cache/ns/%zu-%u", index, i % 50);
	(void)snprintf(value, sizeof(value), "value %u", i);
	answer = http_put(client, target, slice_of(value), header);
	if (answer->status == 201 || answer->status == 204)
		answer = http_get(client, target, header);
	if (answer->status == 200 && slice_equal(http_body(answer), slice_of(value)))
		return true;
	(void)snprintf(load->failure[index], sizeof(load->failure[index]), "%s",
		       http_explain(answer, "request %u of client %zu failed", i, index));
	return false;
}

static const char *ask_and_ask(size_t index, void *user)
{
	struct load *load = user;
	struct http_client *client;

	client = http_client_open(load->url, NULL);
	for (unsigned i = 0; !atomic_load(&load->is_over); i++) {
		if (ask(load, client, index, i))
			atomic_store(&load->served[index], i + 1);
		else
			atomic_store(&load->is_over, true);
	}
	http_client_close(client);
	return load->failure[index][0] ? load->failure[index] : NULL;
}

static void *run_clients(void *load)
{
	return (void *)(uintptr_t)in_threads(CLIENTS, ask_and_ask, load);
}

/* The main thread does the restarts: a server ends with the thread that started it. */
static void restart_under_load(void)
{
	static struct load load;
	static char url[64];
	pthread_t clients;
	void *failure;

	scene.server.listening_fd = listening_socket(INADDR_LOOPBACK, url);
	load.url = url;
	server_start(&scene.server);
	cr_assert(pthread_create(&clients, NULL, run_clients, &load) == 0);
	for (int i = 0; i < RESTARTS && !atomic_load(&load.is_over); i++) {
		unsigned before = atomic_load(&load.served[0]);

		cr_assert(await_condition(atomic_load(&load.served[0]) > before + 10 ||
						  atomic_load(&load.is_over),
					  20000));
		cr_assert(server_stop(&scene.server));
		server_start(&scene.server);
	}
	atomic_store(&load.is_over, true);
	cr_assert(pthread_join(clients, &failure) == 0);
	cr_assert(failure == NULL, "%s", (const char *)failure);
	for (size_t i = 0; i < CLIENTS; i++)
		cr_expect_gt(atomic_load(&load.served[i]), 10);
	cr_assert(server_stop(&scene.server));
}

Test(service_manager, restarts_behind_one_socket_fail_no_request)
{
	restart_under_load();
}

/* The library then has no pool of threads, and stops in another way. */
Test(service_manager, restarts_of_a_server_with_one_thread_fail_no_request)
{
	scene_flag("--threads=1");
	restart_under_load();
}
