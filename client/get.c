#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"

/* The file of --output is created when the value arrives: a miss leaves an existing file alone. */
struct destination {
	const char *path; /* NULL: the standard output */
	int fd;
};

static bool open_destination(struct destination *to)
{
	if (to->fd < 0 && to->path)
		to->fd = open(to->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return to->fd >= 0;
}

static bool take_piece(void *user, struct slice bytes)
{
	struct destination *to = user;

	return open_destination(to) && output_write(to->fd, bytes);
}

static int fetch(struct remote *remote, const struct arguments *arguments,
		 const struct remote_request *request, struct destination *to)
{
	const char *name = to->path ? to->path : "the standard output";
	struct remote_answer answer = {0};
	int code = remote_ask(remote, request, &answer);

	/* An empty value has no piece that would create the file. */
	bool is_whole = code == CLIENT_DONE && remote_is_done(&answer);
	if (remote->sink_failed || (is_whole && !open_destination(to))) {
		code = output_failed(name);
	} else if (code != CLIENT_DONE && to->path && to->fd >= 0) {
		(void)client_fail(0, "%s holds only a part of the value", name);
	} else if (code == CLIENT_DONE && answer.status == 404) {
		code = CLIENT_NOT_FOUND;
		if (!arguments->options[OPT_QUIET])
			(void)client_fail(0, "no such entry");
	} else if (code == CLIENT_DONE && !is_whole) {
		code = remote_refusal(&answer);
	}
	remote_answer_deinit(&answer);
	return code;
}

int command_get(const struct arguments *arguments)
{
	struct destination to = {.path = arguments->options[OPT_OUTPUT], .fd = STDOUT_FILENO};
	struct remote_request request = {.method = "GET", .sink = take_piece, .user = &to};
	struct remote remote = {0};
	int code = CLIENT_USAGE;

	if (to.path && strcmp(to.path, "-") == 0)
		to.path = NULL;
	if (to.path)
		to.fd = -1;
	if (entry_target(arguments, arguments->operands[1], &request.target)) {
		code = remote_open(&remote, arguments);
		if (code == CLIENT_DONE)
			code = fetch(&remote, arguments, &request, &to);
		remote_close(&remote);
	}
	/* Some file systems report a full disk only now. */
	if (to.path && to.fd >= 0 && close(to.fd) != 0 && code == CLIENT_DONE)
		code = output_failed(to.path);
	buffer_deinit(&request.target);
	return code;
}
