#include "client/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/output.h"
#include "client/target.h"

/* Appends `text` percent-encoded, after decoding it from base64 if --key-base64 is given. */
static bool append_bytes(const struct arguments *arguments, const char *text, struct buffer *target)
{
	struct buffer decoded = {0};
	bool is_base64 = arguments->options[OPT_KEY_BASE64] != NULL;
	bool is_good = !is_base64 || target_base64(slice_of(text), &decoded);

	if (is_good)
		target_append(target, is_base64 ? buffer_bytes(&decoded) : slice_of(text));
	else
		(void)client_fail(0, "\"%s\" is not base64 (--key-base64)", text);
	buffer_deinit(&decoded);
	return is_good;
}

bool entry_target(const struct arguments *arguments, const char *key, struct buffer *target)
{
	const char *ns = arguments->operands[0];

	if (*ns == '\0' || (key && *key == '\0'))
		return client_fail(0, "an empty %s is none; give one", key ? "key" : "namespace"),
		       false;
	buffer_append(target, SLICE("/cache/"));
	target_append(target, slice_of(ns));
	if (!key)
		return true;
	buffer_append_char(target, '/');
	return append_bytes(arguments, key, target);
}

bool entry_prefix(const struct arguments *arguments, struct buffer *target)
{
	const char *prefix = arguments->options[OPT_PREFIX];

	if (!prefix)
		return true;
	target_query(target, "prefix", SLICE(""));
	return append_bytes(arguments, prefix, target);
}

const char *entry_if_match(const struct arguments *arguments, char line[160])
{
	const char *etag = arguments->options[OPT_IF_MATCH];
	bool is_bare = etag && *etag != '"' && strcmp(etag, "*") != 0;

	if (!etag)
		return NULL;
	(void)snprintf(line, 160, "If-Match: %s%.*s%s", is_bare ? "\"" : "",
		       (int)strcspn(etag, "\r\n"), etag, is_bare ? "\"" : "");
	return line;
}

int entry_change(struct remote *remote, const struct arguments *arguments,
		 const struct remote_request *request, const char *missing)
{
	struct remote_answer answer = {0};
	int code = remote_ask(remote, request, &answer);

	if (code == CLIENT_DONE && answer.status == 404) {
		code = CLIENT_NOT_FOUND;
		if (!arguments->options[OPT_QUIET])
			(void)client_fail(0, "%s", missing);
	} else if (code == CLIENT_DONE && !remote_is_done(&answer)) {
		code = remote_refusal(&answer);
	}
	remote_answer_deinit(&answer);
	return code;
}

int entry_body_open(struct remote_body *body, const char *path)
{
	bool is_stdin = !path || strcmp(path, "-") == 0;
	struct stat status;

	body->len = LENGTH_UNKNOWN;
	body->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (body->fd < 0 || fstat(body->fd, &status) != 0)
		return client_fail(CLIENT_LOCAL, "cannot read %s: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return client_fail(CLIENT_LOCAL, "%s is a folder; give a file", path);
	/* The standard input may be in the middle of its file. */
	off_t at = S_ISREG(status.st_mode) ? lseek(body->fd, 0, SEEK_CUR) : -1;
	if (at >= 0)
		body->len = status.st_size > at ? status.st_size - at : 0;
	return CLIENT_DONE;
}

void entry_body_close(struct remote_body *body)
{
	if (body->fd > STDERR_FILENO)
		(void)close(body->fd);
	body->fd = STDIN_FILENO;
}
