/* What systemd and its like pass to the server, and what they are told. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/auth/secret_file.h"
#include "server/http/listen.h"
#include "server/life/service_manager.h"
#include "tests/support/temp_dir.h"

/* ---- The listening socket ---- */

static int tcp_socket(bool listens)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0);
	cr_assert(!listens || listen(fd, 5) == 0);
	return fd;
}

/* Descriptor 3 is Criterion's own here, so a child gets it, and its exit code gives the outcome.
 * `is_for_child` false: the socket is really for this process. */
enum outcome { NONE, TAKEN, REFUSED, WRONG };

static enum outcome outcome_in_child(int fd, bool is_for_child, const char *count)
{
	char error[200] = "", pid[16];
	int ret_fd = -1, more[2];
	size_t taken = 99, again = 99;

	(void)snprintf(pid, sizeof(pid), "%d", (int)(is_for_child ? getpid() : getppid()));
	(void)setenv("LISTEN_PID", pid, 1);
	(void)setenv("LISTEN_FDS", count, 1);
	(void)setenv("LISTEN_FDNAMES", "steadycache.socket", 1);
	(void)dup2(fd, 3);
	bool is_fine = service_manager_take_sockets(&ret_fd, 1, &taken, error, sizeof(error));
	bool are_variables_gone =
		!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES");

	if (!are_variables_gone)
		return WRONG;
	if (!is_fine)
		return taken == 0 && strstr(error, "LISTEN_FDS") ? REFUSED : WRONG;
	if (taken == 0)
		return NONE;
	if (ret_fd != 3 || !(fcntl(3, F_GETFD) & FD_CLOEXEC) || !(fcntl(3, F_GETFL) & O_NONBLOCK))
		return WRONG;
	return service_manager_take_sockets(more, 2, &again, error, sizeof(error)) && again == 0
		       ? TAKEN
		       : WRONG;
}

static enum outcome hand_over(int fd, bool is_for_child, const char *count)
{
	int status = 0;
	pid_t child = fork();

	cr_assert(fd >= 0 && child >= 0);
	if (child == 0)
		_exit((int)outcome_in_child(fd, is_for_child, count));
	cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	(void)close(fd);
	return (enum outcome)WEXITSTATUS(status);
}

Test(socket, is_taken_once_and_made_fit)
{
	cr_assert_eq(hand_over(tcp_socket(true), true, "1"), TAKEN);
}

Test(socket, of_another_process_or_of_nobody)
{
	cr_assert_eq(hand_over(tcp_socket(true), false, "1"), NONE);
	cr_assert_eq(hand_over(tcp_socket(true), true, "0"), NONE);
}

Test(socket, refusals)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int local = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_expect_eq(hand_over(tcp_socket(true), true, "2"), REFUSED);
	cr_expect_eq(hand_over(tcp_socket(true), true, "many"), REFUSED);
	cr_expect_eq(hand_over(tcp_socket(true), true, "99999999999999999999"), REFUSED);
	cr_expect_eq(hand_over(tcp_socket(false), true, "1"), REFUSED);
	cr_expect_eq(hand_over(socket(AF_INET, SOCK_DGRAM, 0), true, "1"), REFUSED);
	cr_expect_eq(hand_over(open("/dev/null", O_RDONLY), true, "1"), REFUSED);
	/* A name chosen by the kernel. */
	cr_assert(bind(local, (struct sockaddr *)&name, sizeof(sa_family_t)) == 0);
	cr_assert(listen(local, 1) == 0);
	cr_expect_eq(hand_over(local, true, "1"), REFUSED);
}

Test(listen_describe, tells_the_address_and_port)
{
	struct listen_address address;
	char name[64];
	int fd = tcp_socket(true);

	listen_describe(fd, &address, name, sizeof(name));
	cr_expect_str_eq(address.host, "127.0.0.1");
	cr_expect(strncmp(name, "127.0.0.1:", 10) == 0 && strcmp(name + 10, address.port) == 0);
	cr_expect(listen_is_loopback(&address));
	(void)close(fd);
}

/* ---- Being told ---- */

static void expect_told(const char *address_text, socklen_t name_len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char text[64] = "";

	memcpy(address.sun_path, address_text, name_len);
	if (*address_text == '@')
		address.sun_path[0] = '\0';
	cr_assert(bind(fd, (struct sockaddr *)&address,
		       (socklen_t)offsetof(struct sockaddr_un, sun_path) + name_len) == 0);
	(void)setenv("NOTIFY_SOCKET", address_text, 1);
	cr_assert(service_manager_notify("READY=1"));
	cr_assert_eq(recv(fd, text, sizeof(text), 0), 7);
	cr_assert_str_eq(text, "READY=1");
	(void)close(fd);
}

Test(notify, path_and_abstract_name)
{
	struct temp_dir dir;
	char path[TEMP_PATH_SIZE], abstract[64];

	temp_dir_create(&dir);
	(void)temp_dir_path(&dir, "notify", path);
	expect_told(path, (socklen_t)strlen(path) + 1);
	(void)snprintf(abstract, sizeof(abstract), "@steadycache-test-%d", (int)getpid());
	expect_told(abstract, (socklen_t)strlen(abstract));
	temp_dir_destroy(&dir);
}

Test(notify, nobody_or_not_to_be_reached)
{
	char longest[200];

	(void)unsetenv("NOTIFY_SOCKET");
	cr_expect(service_manager_notify("READY=1"));
	(void)setenv("NOTIFY_SOCKET", "", 1);
	cr_expect(service_manager_notify("READY=1"));
	(void)setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	cr_expect_not(service_manager_notify("READY=1"));
	(void)setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	cr_expect_not(service_manager_notify("READY=1"));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	(void)setenv("NOTIFY_SOCKET", longest, 1);
	cr_expect_not(service_manager_notify("READY=1"));
}

/* ---- Secrets ---- */

Test(secret, first_line_of_the_file)
{
	static const struct {
		const char *text, *secret; /* NULL: refused */
	} cases[] = {
		{"token", "token"},  {"token\n", "token"}, {"token\r\n", "token"},
		{"a b\nc\n", "a b"}, {"", NULL},           {"\ntoken\n", NULL},
	};
	struct temp_dir dir;
	char path[TEMP_PATH_SIZE], error[700];
	const char *secret;

	temp_dir_create(&dir);
	(void)temp_dir_path(&dir, "token", path);
	(void)unsetenv("SECRET_FILE");
	cr_assert(secret_file_read("SECRET", &secret, error, sizeof(error)) && !secret);
	(void)setenv("SECRET_FILE", path, 1);
	cr_assert_not(secret_file_read("SECRET", &secret, error, sizeof(error)));
	cr_assert(strstr(error, "SECRET_FILE") && strstr(error, path), "%s", error);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		file_write(path, slice_of(cases[i].text));
		bool is_read = secret_file_read("SECRET", &secret, error, sizeof(error));
		cr_assert_eq(is_read, cases[i].secret != NULL, "%zu", i);
		if (is_read)
			cr_assert_str_eq(secret, cases[i].secret);
		else
			cr_assert(strstr(error, "SECRET_FILE"), "%s", error);
	}
	char *longest = malloc(5000);
	memset(longest, 'x', 5000);
	file_write(path, (struct slice){.data = longest, .len = 5000});
	cr_assert_not(secret_file_read("SECRET", &secret, error, sizeof(error)));
	free(longest);
	(void)setenv("SECRET_FILE", dir.path, 1);
	cr_assert_not(secret_file_read("SECRET", &secret, error, sizeof(error)));
	temp_dir_destroy(&dir);
}
