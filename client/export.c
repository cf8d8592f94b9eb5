#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "client/entry.h"
#include "client/export_lines.h"
#include "client/output.h"
#include "client/progress.h"
#include "client/remote_open.h"
#include "client/target.h"

#define READ_BYTES 65536

struct export
{
	const struct arguments *arguments;
	const char *path; /* NULL: the standard output */
	int fd;
	bool at_header; /* of a resumed export: the file already has its first line */
	struct export_lines lines;
	struct progress progress;
};

static bool take_piece(void *user, struct slice bytes)
{
	struct export *export = user;
	uint64_t before = export->lines.entries;

	if (export->at_header) {
		const char *feed = memchr(bytes.data, '\n', bytes.len);
		size_t skipped = feed ? (size_t)(feed - bytes.data) + 1 : bytes.len;

		export->at_header = feed == NULL;
		bytes.data += skipped;
		bytes.len -= skipped;
	}
	export_lines_see(&export->lines, bytes);
	progress_add(&export->progress, bytes.len, export->lines.entries - before);
	return output_write(export->fd, bytes);
}

/* Reads the incomplete file and cuts off what follows its last cursor. */
static int find_end(struct export *export)
{
	static char piece[READ_BYTES];
	ssize_t got = 0;

	while ((got = read(export->fd, piece, sizeof(piece))) > 0)
		export_lines_see(&export->lines, (struct slice){.data = piece, .len = (size_t)got});
	if (got < 0)
		return client_fail(CLIENT_LOCAL, "cannot read %s: %s", export->path,
				   strerror(errno));
	if (export->lines.offset > 0 && !export->lines.has_header)
		return client_fail(CLIENT_LOCAL,
				   "%s is no export of steadycache; give another file, or leave "
				   "--resume away to write over it",
				   export->path);
	if (export->lines.complete)
		return CLIENT_DONE;
	if (ftruncate(export->fd, (off_t) export->lines.safe_end) != 0 ||
	    lseek(export->fd, (off_t) export->lines.safe_end, SEEK_SET) < 0)
		return output_failed(export->path);
	export->at_header = export->lines.safe_end > 0;
	export->lines.line.len = 0;
	export->lines.entries = 0;
	return CLIENT_DONE;
}

static int open_file(struct export *export)
{
	bool resumes = export->arguments->options[OPT_RESUME] != NULL;
	int flags =
		resumes ? O_RDWR | O_CREAT | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;

	export->fd = STDOUT_FILENO;
	if (!export->path)
		return CLIENT_DONE;
	/* An export is as private as the cache. */
	export->fd = open(export->path, flags, 0600);
	if (export->fd < 0)
		return output_failed(export->path);
	return resumes ? find_end(export) : CLIENT_DONE;
}

static int say_incomplete(const struct export *export, int code)
{
	if (!export->path)
		return client_fail(code, "the export is incomplete; with --output FILE it could be "
					 "resumed");
	return client_fail(code, "%s is incomplete; give the same command with --resume to go on",
			   export->path);
}

static int run(struct remote *remote, struct export *export, const struct remote_request *request)
{
	struct remote_answer answer = {0};
	bool is_quiet = export->arguments->options[OPT_QUIET] != NULL;

	progress_start(&export->progress, is_quiet, 0);
	int code = remote_ask(remote, request, &answer);
	progress_end(&export->progress);
	if (remote->sink_failed)
		code = output_failed(export->path ? export->path : "the standard output");
	else if (code == CLIENT_DONE && !remote_is_done(&answer))
		code = remote_refusal(&answer);
	else if (!export->lines.complete)
		code = say_incomplete(export, code != CLIENT_DONE ? code : CLIENT_UNREACHABLE);
	else if (export->path && fsync(export->fd) != 0 && errno != EINVAL)
		code = output_failed(export->path);
	else if (export->path && !is_quiet)
		(void)fprintf(stderr, "exported %" PRIu64 " entries to %s\n", export->lines.entries,
			      export->path);
	remote_answer_deinit(&answer);
	return code;
}

static bool make_target(const struct export *export, struct buffer *target)
{
	buffer_append(target, SLICE("/export"));
	target_query(target, "namespace", slice_of(export->arguments->operands[0]));
	target_query(target, "prefix", slice_of(export->arguments->options[OPT_PREFIX]));
	if (export->lines.cursor.len > 0)
		target_query(target, "cursor", buffer_bytes(&export->lines.cursor));
	return !target->failed;
}

int command_export(const struct arguments *arguments)
{
	struct export export = {
		.arguments = arguments,
		.path = arguments->options[OPT_OUTPUT],
		.fd = STDOUT_FILENO,
	};
	struct remote_request request = {.method = "GET", .sink = take_piece, .user = &export};
	struct remote remote = {0};

	if (export.path && strcmp(export.path, "-") == 0)
		export.path = NULL;
	if (arguments->options[OPT_RESUME] && !export.path)
		return client_fail(CLIENT_USAGE, "--resume needs --output FILE");
	if (arguments->options[OPT_PREFIX] && arguments->count == 0)
		return client_fail(CLIENT_USAGE, "--prefix needs NS");
	int code = remote_open(&remote, arguments);
	if (code == CLIENT_DONE)
		code = open_file(&export);
	if (code == CLIENT_DONE && export.lines.complete)
		(void)fprintf(stderr, "%s is complete already\n", export.path);
	else if (code == CLIENT_DONE && !make_target(&export, &request.target))
		code = client_fail(CLIENT_LOCAL, "out of memory");
	else if (code == CLIENT_DONE)
		code = run(&remote, &export, &request);
	if (export.path && export.fd >= 0 && close(export.fd) != 0 && code == CLIENT_DONE)
		code = output_failed(export.path);
	remote_close(&remote);
	export_lines_deinit(&export.lines);
	buffer_deinit(&request.target);
	return code;
}
