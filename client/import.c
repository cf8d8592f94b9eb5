#include <jansson.h>
#include <unistd.h>

#include "client/entry.h"
#include "client/output.h"
#include "client/progress.h"
#include "client/remote_open.h"

static void count_sent(void *user, struct slice bytes)
{
	uint64_t lines = 0;
	const char *at = bytes.data, *end = bytes.data + bytes.len;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		lines++;
		at++;
	}
	progress_add(user, bytes.len, lines);
}

static void print_errors(const json_t *document)
{
	const json_t *item = NULL;
	json_int_t left_out = json_integer_value(json_object_get(document, "errors_left_out"));
	size_t i = 0;

	json_array_foreach(json_object_get(document, "errors"), i, item)
	{
		const char *error = json_string_value(json_object_get(item, "error"));

		(void)fprintf(stderr, "line %lld: ",
			      (long long)json_integer_value(json_object_get(item, "line")));
		output_escaped(stderr, slice_of(error ? error : "refused"));
		(void)fputc('\n', stderr);
	}
	if (left_out > 0)
		(void)fprintf(stderr, "and %lld more\n", (long long)left_out);
}

/* Prints what became of the lines, and returns the exit code. */
static int report(const struct arguments *arguments, const struct remote_answer *answer)
{
	json_auto_t *document =
		json_loadb(answer->body.data ? answer->body.data : "", answer->body.len, 0, NULL);
	const json_t *imported = json_object_get(document, "imported");
	json_int_t failed = json_integer_value(json_object_get(document, "failed"));
	int code = CLIENT_DONE;

	if (!json_is_integer(imported))
		return remote_is_done(answer)
			       ? client_fail(CLIENT_UNREACHABLE, "the answer is not one of "
								 "steadycache; see STEADYCACHE_URL")
			       : remote_refusal(answer);
	print_errors(document);
	if (arguments->options[OPT_JSON])
		output_json(document, CLIENT_JSON);
	else if (!arguments->options[OPT_QUIET])
		(void)printf("imported %lld entries, %lld lines failed\n",
			     (long long)json_integer_value(imported), (long long)failed);
	if (!remote_is_done(answer))
		code = remote_refusal(answer);
	else if (failed > 0)
		code = CLIENT_REFUSED;
	else if (!json_is_true(json_object_get(document, "complete")))
		code = client_fail(CLIENT_REFUSED, "the input lacks the last line of an export: it "
						   "is incomplete");
	int finished = output_finish();
	return finished != CLIENT_DONE ? finished : code;
}

int command_import(const struct arguments *arguments)
{
	const char *on_error = arguments->options[OPT_ON_ERROR];
	struct progress progress = {0};
	struct remote_body body = {.passed = count_sent, .user = &progress};
	struct remote_request request = {
		.method = "POST",
		.headers = {"Content-Type: application/x-ndjson"},
		.body = &body,
	};
	struct remote_answer answer = {0};
	struct remote remote = {0};

	if (on_error && strcmp(on_error, "stop") != 0 && strcmp(on_error, "continue") != 0)
		return client_fail(CLIENT_USAGE, "--on-error must be stop or continue, not \"%s\"",
				   on_error);
	if (!arguments->options[OPT_FILE] && isatty(STDIN_FILENO))
		return client_fail(CLIENT_USAGE, "give --file FILE, or pipe an export in");
	int code = remote_open(&remote, arguments);
	if (code == CLIENT_DONE)
		code = entry_body_open(&body, arguments->options[OPT_FILE]);
	if (code == CLIENT_DONE) {
		buffer_printf(&request.target, "/import?on_error=%s", on_error ? on_error : "stop");
		progress_start(&progress, arguments->options[OPT_QUIET] != NULL,
			       body.len > 0 ? (uint64_t)body.len : 0);
		code = remote_ask(&remote, &request, &answer);
		progress_end(&progress);
		if (code == CLIENT_DONE)
			code = report(arguments, &answer);
	}
	entry_body_close(&body);
	remote_answer_deinit(&answer);
	remote_close(&remote);
	buffer_deinit(&request.target);
	return code;
}
