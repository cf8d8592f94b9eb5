#include <stdint.h>
#include <unistd.h>

#include "base/value_head.h"
#include "client/arguments.h"
#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"

/* A server may pass a large value on to another once all of it has come, and is silent meanwhile.
 */
#define STORED_BYTES_PER_S ((curl_off_t)16 << 20)

/* Headers of the request besides those of --header. */
#define SET_HEADERS 2

/* The value: an operand, the file of --file or "-", or piped input. */
static int choose_body(const struct arguments *arguments, struct remote_body *body)
{
	const char *value = arguments->operands[2];
	const char *path = arguments->options[OPT_FILE];

	if (value && path)
		return client_fail(CLIENT_USAGE, "give VALUE or --file, not both");
	if (value && strcmp(value, "-") != 0) {
		body->text = slice_of(value);
		body->len = (curl_off_t)body->text.len;
		return CLIENT_DONE;
	}
	if (!value && !path && isatty(STDIN_FILENO))
		return client_fail(CLIENT_USAGE,
				   "give VALUE, --file FILE, or - for the standard input");
	return entry_body_open(body, path);
}

/* Puts the lines of --header behind the `count` headers of the request. */
static bool add_headers(const struct arguments *arguments, struct remote_request *request,
			size_t count)
{
	char name[VALUE_HEADER_NAME_MAX_LEN + 1];

	for (size_t i = 0; i < arguments->header_count; i++) {
		const char *line = arguments->headers[i];
		size_t len = strcspn(line, ":");

		if (line[len] == '\0' || line[strcspn(line, "\r\n")])
			return client_fail(0, "--header must be one line, NAME: VALUE, not \"%s\"",
					   line),
			       false;
		if (!value_head_name((struct slice){line, len}, name))
			return client_fail(0, "--header: %.*s %s", (int)len, line,
					   value_head_complaint(HEAD_NOT_KEPT)),
			       false;
		request->headers[count + i] = line;
	}
	return true;
}

static int store(struct remote *remote, const struct arguments *arguments,
		 const struct remote_request *request)
{
	struct remote_answer answer = {0};
	int code = remote_ask(remote, request, &answer);

	if (code == CLIENT_DONE && !remote_is_done(&answer)) {
		code = remote_refusal(&answer);
	} else if (code == CLIENT_DONE && arguments->options[OPT_JSON]) {
		/* An ETag is already a quoted string. */
		(void)printf("{\"created\":%s,\"etag\":\"",
			     answer.status == 201 ? "true" : "false");
		for (const char *at = answer.etag; *at; at++)
			if (*at > ' ' && *at < 0x7f && *at != '"' && *at != '\\')
				(void)putchar(*at);
		(void)printf("\"}\n");
		code = output_finish();
	}
	remote_answer_deinit(&answer);
	return code;
}

int command_set(const struct arguments *arguments)
{
	const char *type = arguments->options[OPT_TYPE];
	struct remote_body body = {0};
	struct remote_request request = {.method = "PUT", .body = &body};
	struct remote remote = {0};
	char if_match[160], content_type[300];
	long long ttl_s = 0;
	int code = CLIENT_USAGE;

	if (arguments->options[OPT_IF_ABSENT] && arguments->options[OPT_IF_MATCH])
		return client_fail(CLIENT_USAGE, "give --if-absent or --if-match, not both");
	if (type && (strlen(type) > 255 || type[strcspn(type, "\r\n")]))
		return client_fail(CLIENT_USAGE, "--type must be one line of up to 255 bytes");
	if (add_headers(arguments, &request, SET_HEADERS) &&
	    arguments_number(arguments, OPT_TTL, 0, INT64_MAX / 1000000, 0, &ttl_s) &&
	    entry_target(arguments, arguments->operands[1], &request.target))
		code = choose_body(arguments, &body);
	if (arguments->options[OPT_TTL])
		buffer_printf(&request.target, "?ttl=%lld", ttl_s);
	(void)snprintf(content_type, sizeof(content_type), "Content-Type:%s%s", type ? " " : "",
		       type ? type : "");
	request.headers[0] = content_type;
	request.headers[1] = arguments->options[OPT_IF_ABSENT]
				     ? "If-None-Match: *"
				     : entry_if_match(arguments, if_match);
	if (code == CLIENT_DONE) {
		code = remote_open(&remote, arguments);
		if (body.len > 0)
			remote.timeout_s += (long)(body.len / STORED_BYTES_PER_S);
		if (code == CLIENT_DONE)
			code = store(&remote, arguments, &request);
		remote_close(&remote);
	}
	entry_body_close(&body);
	buffer_deinit(&request.target);
	return code;
}
