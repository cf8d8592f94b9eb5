#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "client/entry.h"
#include "client/get_pickle.h"
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

/* What a sink has failed for. */
static int sink_failed(const struct arguments *arguments, const char *name)
{
	return arguments->options[OPT_PICKLE] ? get_pickle_uncollected() : output_failed(name);
}

static int fetch(struct remote *remote, const struct arguments *arguments,
		 const struct remote_request *request, struct destination *to)
{
	const char *name = to->path ? to->path : "the standard output";
	struct remote_answer answer = {0};
	int code = remote_ask(remote, request, &answer);

	bool is_whole = code == CLIENT_DONE && remote_is_done(&answer);
	/* An empty value has no piece that would create the file. */
	bool opens = is_whole && !arguments->options[OPT_PICKLE];
	if (remote->sink_failed) {
		code = sink_failed(arguments, name);
	} else if (opens && !open_destination(to)) {
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

/* Shows what fetch has collected. Nothing is written unless it is a pickle. */
static int show_pickle(struct slice value, struct destination *to)
{
	struct buffer text = {0};
	bool is_terminal = !to->path && isatty(to->fd);
	int code = get_pickle_text(value, is_terminal, &text);

	if (code == CLIENT_DONE &&
	    !(open_destination(to) && output_write(to->fd, buffer_bytes(&text))))
		code = output_failed(to->path ? to->path : "the standard output");
	buffer_deinit(&text);
	return code;
}

int command_get(const struct arguments *arguments)
{
	struct destination to = {.path = arguments->options[OPT_OUTPUT], .fd = STDOUT_FILENO};
	struct remote_request request = {.method = "GET", .sink = take_piece, .user = &to};
	struct buffer value = {0};
	struct remote remote = {0};
	int code = CLIENT_USAGE;

	if (to.path && strcmp(to.path, "-") == 0)
		to.path = NULL;
	if (to.path)
		to.fd = -1;
	if (arguments->options[OPT_PICKLE]) {
		request.sink = get_pickle_collect;
		request.user = &value;
	}
	if (entry_target(arguments, arguments->operands[1], &request.target)) {
		code = remote_open(&remote, arguments);
		if (code == CLIENT_DONE)
			code = fetch(&remote, arguments, &request, &to);
		if (code == CLIENT_DONE && arguments->options[OPT_PICKLE])
			code = show_pickle(buffer_bytes(&value), &to);
		remote_close(&remote);
	}
	/* Some file systems report a full disk only now. */
	if (to.path && to.fd >= 0 && close(to.fd) != 0 && code == CLIENT_DONE)
		code = output_failed(to.path);
	buffer_deinit(&request.target);
	buffer_deinit(&value);
	return code;
}
