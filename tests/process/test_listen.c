/* Several addresses to serve on, and Unix sockets: their files, who may connect, and their end. */
#include "tests/process/client_run.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

PROCESS_SUITE(listen);

static char socket_path[TEMP_PATH_SIZE];

static int connect_there(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* The answer to a request over the socket, up to the end of the connection; to be freed. */
static char *ask_there(const char *request)
{
	char *answer = calloc(1, 65536);
	size_t len = 0;
	ssize_t got;
	int fd = connect_there();

	cr_assert_geq(fd, 0, "nobody listens on %s", socket_path);
	cr_assert_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	while (len < 65535 && (got = recv(fd, answer + len, 65535 - len, 0)) > 0)
		len += (size_t)got;
	(void)close(fd);
	return answer;
}

#define GET(path, more)                                                                            \
	"GET " path " HTTP/1.1\r\nHost: localhost\r\n" more "Connection: close\r\n\r\n"

static void expect_answer(const char *request, const char *begin, const char *end)
{
	char *answer = ask_there(request);

	cr_assert(strncmp(answer, begin, strlen(begin)) == 0, "%s", answer);
	cr_assert(strlen(answer) >= strlen(end) &&
			  strcmp(answer + strlen(answer) - strlen(end), end) == 0,
		  "%s", answer);
	free(answer);
}

static void start_on(const char *parameters)
{
	(void)temp_dir_path(&scene.dir, "socket", socket_path);
	scene_env_printf("STEADYCACHE_LISTEN=127.0.0.1:0 unix:%s%s", socket_path, parameters);
	scene_start();
}

Test(listen, all_addresses_serve_the_same_entries)
{
	struct stat file;

	start_on("");
	expect_status(scene_put("k", "value"), 201);
	expect_answer(GET("/cache/ns/k", ""), "HTTP/1.1 200 OK\r\n", "\r\n\r\nvalue");
	expect_answer(GET("/cache/ns/none", ""), "HTTP/1.1 404 ", "}");
	expect_answer("nonsense\r\n\r\n", "HTTP/1.1 400 ", "}");
	cr_assert(lstat(socket_path, &file) == 0 && S_ISSOCK(file.st_mode));
	cr_assert_eq(file.st_mode & 0777, 0600);
	/* Many at once, and more than one request on a connection. */
	int connections[50];
	for (size_t i = 0; i < 50; i++)
		cr_assert_geq(connections[i] = connect_there(), 0);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < 50; i++) {
			static const char request[] =
				"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
			char answer[1000];

			cr_assert_gt(send(connections[i], request, strlen(request), MSG_NOSIGNAL),
				     0);
			cr_assert_gt(recv(connections[i], answer, sizeof(answer), 0), 0);
			cr_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
		}
	for (size_t i = 0; i < 50; i++)
		(void)close(connections[i]);
	scene_stop();
	cr_assert(lstat(socket_path, &file) != 0, "the socket's file outlives the server");
}

Test(listen, a_unix_socket_alone_and_its_clients)
{
	char command[600];

	(void)temp_dir_path(&scene.dir, "socket", socket_path);
	scene_env_printf("STEADYCACHE_LISTEN=unix:%s", socket_path);
	server_spawn(&scene.server);
	cr_assert(server_await_log(&scene.server, "listening", 20000));
	(void)snprintf(
		command, sizeof(command),
		"export STEADYCACHE_URL=unix:%s; $S set ns k value && test \"$($S get ns k)\" = "
		"value && $S healthcheck && test $($S list) = ns && "
		"$S export ns | wc -l | grep -qx 4",
		socket_path);
	expect_run(0, command);
	(void)snprintf(command, sizeof(command), "STEADYCACHE_URL=unix:%s-none $S get ns k",
		       socket_path);
	expect_run(4, command);
	cr_assert(server_stop(&scene.server));
}

Test(listen, a_socket_of_a_dead_server_is_replaced_and_one_of_a_live_server_is_not)
{
	struct server_exit end;
	struct stat before, after;

	start_on("");
	scene_kill();
	cr_assert_eq(lstat(socket_path, &before), 0);
	scene_start();
	cr_assert_eq(lstat(socket_path, &after), 0);
	expect_answer(GET("/healthz", ""), "HTTP/1.1 200 OK\r\n", "ok\n");
	/* Another server, with a store of its own. */
	char setting[TEMP_PATH_SIZE + 40];
	(void)snprintf(setting, sizeof(setting), "STEADYCACHE_LISTEN=unix:%s", socket_path);
	struct server_process other = {.environment = {"STEADYCACHE_BACKEND=memory", setting}};
	server_spawn(&other);
	end = server_await_exit(&other, 20000);
	cr_assert_eq(end.code, 1);
	cr_assert(strstr(end.log, "another server"), "%s", end.log);
	free(end.log);
	server_dispose(&other);
	expect_answer(GET("/healthz", ""), "HTTP/1.1 200 OK\r\n", "ok\n");
	scene_stop();
}

Test(listen, a_file_that_is_no_socket_stays)
{
	char *line;
	size_t len = 0;

	(void)temp_dir_path(&scene.dir, "file", socket_path);
	file_write(socket_path, SLICE("precious"));
	scene_env_printf("STEADYCACHE_LISTEN=unix:%s", socket_path);
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 20000);
	cr_assert_eq(end.code, 1, "%s", end.log);
	cr_assert(strstr(end.log, "no socket"), "%s", end.log);
	free(end.log);
	line = file_read(socket_path, &len);
	cr_assert(line && strcmp(line, "precious") == 0);
	free(line);
}

Test(listen, who_may_connect_decides_whether_a_token_is_wanted)
{
	struct stat file;

	(void)temp_dir_path(&scene.dir, "socket", socket_path);
	scene_env_printf("STEADYCACHE_LISTEN=unix:%s?mode=0660", socket_path);
	scene_expect_refused_start("STEADYCACHE_API_KEY");
	scene_env("STEADYCACHE_API_KEY=token");
	start_on("?mode=0660");
	cr_assert_eq(lstat(socket_path, &file), 0);
	cr_assert_eq(file.st_mode & 0777, 0660);
	expect_answer(GET("/cache/ns/k", ""), "HTTP/1.1 401 ", "Unauthorized");
	expect_answer(GET("/cache/ns/k", "Authorization: Bearer token\r\n"), "HTTP/1.1 404 ", "}");
	expect_answer(GET("/metrics", ""), "HTTP/1.1 401 ", "Unauthorized");
	http_client_set_key(scene.client, "token");
	expect_status(scene_put("k", "v"), 201);
	scene_stop();
}

/* What a web page could reach is not what a Unix socket gives; the rules are the same. */
Test(listen, pages_of_other_sites_are_refused_here_too)
{
	start_on("");
	expect_answer(GET("/cache/ns/k", "Sec-Fetch-Site: cross-site\r\n"), "HTTP/1.1 403 ", "}");
	expect_answer("GET /cache/ns/k HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
		      "HTTP/1.1 421 ", "}");
	scene_stop();
}

/* How many requests wait for a value. */
static int waiting_requests(void)
{
	const struct http_answer *answer = http_get(scene.client, "/metrics");
	const char *found = strstr(answer->body, "\nsteadycache_requests_waiting ");

	return found ? atoi(strchr(found + 1, ' ')) : -1;
}

/* While a request waits for a value, nobody but the watchdog looks at its connection. */
Test(listen, a_client_that_leaves_while_it_waits_is_seen)
{
	static const char wait[] =
		"GET /cache/ns/k?wait=60&lease=60 HTTP/1.1\r\nHost: localhost\r\n\r\n";
	char answer[1000];

	start_on("");
	int first = connect_there();
	cr_assert_gt(send(first, wait, strlen(wait), MSG_NOSIGNAL), 0);
	cr_assert_gt(recv(first, answer, sizeof(answer), 0), 0);
	cr_assert(strncmp(answer, "HTTP/1.1 404 ", 13) == 0);
	int second = connect_there();
	cr_assert_gt(send(second, wait, strlen(wait), MSG_NOSIGNAL), 0);
	cr_assert(await_condition(waiting_requests() == 1, 10000));
	(void)close(second);
	cr_assert(await_condition(waiting_requests() == 0, 10000));
	(void)close(first);
	scene_stop();
}
