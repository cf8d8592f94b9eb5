/* The reader of the log may stall, leave and return: the server continues, and reports what is
 * missing. */
#include "tests/process/scene.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

PROCESS_SUITE(log_reader);

#define DROPPED "msg=\"lines of the log could not be written and were dropped\" dropped="
/* Makes long lines, so that fewer fill the memory. */
#define REQUEST_ID                                                                                 \
	"X-Request-Id: "                                                                           \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"                         \
	"ccccccccccccccccccccccccccccccccdddddddddddddddddddddddddddddddd"

/* The output of the server's stderr. */
static struct {
	char *text; /* NUL-terminated after `len` */
	size_t len;
} said;

/* Reads what is available: false at the end of the file. */
static bool read_some(int pipe)
{
	said.text = realloc(said.text, said.len + (1 << 16) + 1);
	ssize_t got = read(pipe, said.text + said.len, 1 << 16);

	if (got > 0)
		said.len += (size_t)got;
	said.text[said.len] = '\0';
	return got != 0;
}

static bool has_said(int pipe, const char *text)
{
	(void)read_some(pipe);
	return strstr(said.text, text) != NULL;
}

static size_t count(const char *text)
{
	size_t found = 0;

	for (const char *at = said.text; (at = strstr(at, text)) != NULL; at += strlen(text))
		found++;
	return found;
}

/* The sum over all lines that report dropped ones. */
static size_t told_dropped(void)
{
	size_t sum = 0;

	for (const char *at = said.text; (at = strstr(at, DROPPED)) != NULL;)
		sum += strtoul(at += strlen(DROPPED), NULL, 10);
	return sum;
}

static void expect_whole_lines(void)
{
	cr_assert(said.len > 0 && said.text[said.len - 1] == '\n', "the last line has no end");
	for (char *line = strtok(said.text, "\n"); line; line = strtok(NULL, "\n"))
		cr_assert(strncmp(line, "time=20", 7) == 0 && !strstr(line + 1, "time=20"),
			  "not a whole line: %s", line);
}

/* The number of requests sent to the server. */
static size_t asked;

static const struct http_answer *ask(const char *target)
{
	const struct http_answer *answer = http_get(scene.client, target, REQUEST_ID);

	asked++;
	expect_status(answer, 200);
	return answer;
}

static double dropped(void)
{
	static const char name[] = "\nsteadycache_log_lines_dropped_total ";
	const char *at = strstr(ask("/metrics")->body, name);

	cr_assert_not_null(at);
	return strtod(at + strlen(name), NULL);
}

/* Starts the server with its log on `write_end`, which is then closed here, and reads its address
 * from `read_end`. */
static void start_on(int read_end, int write_end)
{
	const char *address;

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_flag("--access-log");
	(void)fcntl(read_end, F_SETFL, O_NONBLOCK);
	scene.server.stderr_fd = write_end;
	server_spawn(&scene.server);
	(void)close(write_end);
	cr_assert(await_condition(has_said(read_end, "tls=off\n"), 30000));
	address = strstr(said.text, "address=") + strlen("address=");
	(void)snprintf(scene.server.url, sizeof(scene.server.url), "http://%.*s",
		       (int)strcspn(address, " "), address);
	scene.client = http_client_open(scene.server.url, NULL);
	http_client_set_timeout(scene.client, 10000);
}

/* Sends requests until lines are dropped. Each is answered. */
static void fill(void)
{
	while (dropped() < 1000) {
		for (int i = 0; i < 500; i++)
			(void)ask("/healthz");
		cr_assert_lt(asked, 100000, "no line was dropped");
	}
}

static void read_to_the_end(int read_end)
{
	(void)fcntl(read_end, F_SETFL, 0);
	while (read_some(read_end))
		;
}

static void expect_stalled_reader_to_be_told(int mode)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	(void)fcntl(ends[1], F_SETFL, mode);
	start_on(ends[0], ends[1]);
	fill();
	cr_assert(await_condition(has_said(ends[0], DROPPED), 10000));
	(void)ask("/healthz");
	cr_assert_eq(kill(scene.server.pid, SIGTERM), 0);
	read_to_the_end(ends[0]);
	scene_stop();
	cr_expect_eq(count("msg=request ") + told_dropped(), asked,
		     "%zu lines and %zu dropped of %zu", count("msg=request "), told_dropped(),
		     asked);
	cr_expect_not_null(strstr(said.text, "msg=stopped\n"));
	expect_whole_lines();
	(void)close(ends[0]);
}

Test(log_reader, that_stalls_is_told_how_many_lines_it_missed)
{
	expect_stalled_reader_to_be_told(0);
}

Test(log_reader, may_share_a_pipe_that_does_not_block)
{
	expect_stalled_reader_to_be_told(O_NONBLOCK);
}

Test(log_reader, that_stalls_does_not_keep_the_server_from_its_end)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	start_on(ends[0], ends[1]);
	fill();
	scene_stop(); /* SIGTERM, and exit 0 within 10 s */
	(void)close(ends[0]);
}

Test(log_reader, that_leaves_and_comes_back)
{
	char path[TEMP_PATH_SIZE];
	int reader, writer;

	(void)temp_dir_path(&scene.dir, "log", path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	start_on(reader, writer);
	(void)close(reader);
	for (int i = 0; i < 100; i++)
		(void)ask("/healthz");
	cr_assert(await_condition(dropped() >= 100, 10000));
	/* Without further requests: it reports by itself. */
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert(await_condition(has_said(reader, DROPPED), 10000));
	scene_stop();
	read_to_the_end(reader);
	cr_expect_eq(count("msg=request ") + told_dropped(), asked);
	expect_whole_lines();
	(void)close(reader);
}

/* ---- No reader at all ---- */

/* A listening socket, because nothing reveals the port. */
static void listen_here(char ret_url[64])
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	scene.server.listening_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(scene.server.listening_fd, (struct sockaddr *)&address, len) == 0);
	cr_assert(listen(scene.server.listening_fd, 16) == 0);
	cr_assert(getsockname(scene.server.listening_fd, (struct sockaddr *)&address, &len) == 0);
	(void)snprintf(ret_url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
}

static void serve_on(int stderr_fd)
{
	char url[64];

	listen_here(url);
	scene_env("STEADYCACHE_BACKEND=sqlite");
	scene_flag("--access-log");
	scene.server.stderr_fd = stderr_fd;
	server_spawn(&scene.server);
	scene.client = http_client_open(url, NULL);
	for (int i = 0; i < 10; i++)
		(void)ask("/healthz");
}

Test(log_reader, is_a_full_disk)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	serve_on(full);
	cr_expect(await_condition(dropped() >= 10, 10000));
	scene_stop();
	(void)close(full);
}

/* No file and no socket may take the place of the log. */
Test(log_reader, is_none)
{
	char link[64], target[64] = "";

	serve_on(SERVER_NO_STDERR);
	(void)snprintf(link, sizeof(link), "/proc/%d/fd/2", (int)scene.server.pid);
	cr_assert_gt(readlink(link, target, sizeof(target) - 1), 0);
	cr_expect_str_eq(target, "/dev/null");
	scene_stop();
}
