#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "client/arguments.h"
#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"
#include "client/target.h"

#define RETRY_MIN_S 1U
#define RETRY_MAX_S 30U
#define ID_BYTES    64

/* What has come of the stream (Server-Sent Events). */
struct watching {
	const struct arguments *arguments;
	struct buffer line, data;
	char event[16];
	char last_id[ID_BYTES]; /* "": none */
	bool is_ready;          /* of this connection */
	bool is_broken;         /* an event was not one of steadycache */
};

/* ---- Events ---- */

static bool print_bytes(const struct watching *watching, const json_t *members, const char *name,
			const char *coded_name)
{
	const json_t *text = json_object_get(members, name);
	const char *coded = json_string_value(json_object_get(members, coded_name));
	struct slice shown = {json_string_value(text), json_string_length(text)};
	struct buffer decoded = {0};

	if (!text && !coded)
		return true;
	bool is_good = text || target_base64(slice_of(coded), &decoded);
	if (!text)
		shown = buffer_bytes(&decoded);
	(void)putchar(' ');
	if (isatty(STDOUT_FILENO) && !watching->arguments->options[OPT_NUL])
		output_escaped(stdout, shown);
	else
		(void)fwrite(shown.data, 1, shown.len, stdout);
	buffer_deinit(&decoded);
	return is_good;
}

static bool print_event(const struct watching *watching, const json_t *members)
{
	bool is_good = true;

	if (watching->arguments->options[OPT_JSON]) {
		json_auto_t *line = json_pack("{ss}", "event", watching->event);

		(void)json_object_update(line, (json_t *)(uintptr_t)members);
		output_json(line, CLIENT_JSON);
		return line != NULL;
	}
	(void)fputs(watching->event, stdout);
	if (strcmp(watching->event, "ready") != 0)
		is_good = print_bytes(watching, members, "key", "key_base64") &&
			  print_bytes(watching, members, "prefix", "prefix_base64");
	(void)putchar(watching->arguments->options[OPT_NUL] ? '\0' : '\n');
	return is_good;
}

/* The end of an event; one that resumes says nothing new. */
static void end_event(struct watching *watching)
{
	const struct slice data = buffer_bytes(&watching->data);
	bool is_ready = strcmp(watching->event, "ready") == 0;

	if (watching->event[0]) {
		json_auto_t *members =
			json_loadb(data.data ? data.data : "", data.len, JSON_ALLOW_NUL, NULL);

		if (!json_is_object(members) ||
		    (!(is_ready && json_is_true(json_object_get(members, "resumed"))) &&
		     !print_event(watching, members)))
			watching->is_broken = true;
		watching->is_ready |= is_ready;
	}
	watching->event[0] = '\0';
	watching->data.len = 0;
}

static void take_line(struct watching *watching, struct slice line)
{
	static const struct slice event = SLICE("event: "), id = SLICE("id: "),
				  data = SLICE("data: ");

	if (line.len == 0)
		end_event(watching);
	else if (slice_starts_with(line, event))
		(void)snprintf(watching->event, sizeof(watching->event), "%.*s",
			       (int)(line.len - event.len), line.data + event.len);
	else if (slice_starts_with(line, id))
		(void)snprintf(watching->last_id, sizeof(watching->last_id), "%.*s",
			       (int)(line.len - id.len), line.data + id.len);
	else if (slice_starts_with(line, data))
		buffer_append(&watching->data,
			      (struct slice){line.data + data.len, line.len - data.len});
}

static bool take_piece(void *user, struct slice bytes)
{
	struct watching *watching = user;
	const char *feed;

	while ((feed = memchr(bytes.data, '\n', bytes.len))) {
		size_t len = (size_t)(feed - bytes.data);

		buffer_append(&watching->line, (struct slice){bytes.data, len});
		take_line(watching, buffer_bytes(&watching->line));
		watching->line.len = 0;
		bytes.data += len + 1;
		bytes.len -= len + 1;
	}
	buffer_append(&watching->line, bytes);
	return fflush(stdout) == 0 && !ferror(stdout) && !watching->is_broken;
}

/* ---- Connections ---- */

static bool may_return(const struct watching *watching, const struct remote_answer *answer)
{
	return watching->last_id[0] && (answer->status == 0 || remote_is_done(answer) ||
					answer->status == 503 || answer->status == 502);
}

/* One connection, to its end. CLIENT_DONE: try again. */
static int watch_once(struct remote *remote, struct watching *watching,
		      struct remote_request *request)
{
	struct remote_answer answer = {0};
	char last_id[ID_BYTES + 20];
	bool is_first = watching->last_id[0] == '\0';
	int code = CLIENT_DONE;

	(void)snprintf(last_id, sizeof(last_id), "Last-Event-ID: %s", watching->last_id);
	request->headers[0] = is_first ? NULL : last_id;
	watching->is_ready = false;
	watching->line.len = watching->data.len = 0;
	watching->event[0] = '\0';
	if (is_first)
		code = remote_ask(remote, request, &answer);
	else
		(void)remote_try(remote, request, &answer);
	if (watching->is_broken)
		code = client_fail(CLIENT_UNREACHABLE, "the answer is not one of steadycache; see "
						       "STEADYCACHE_URL");
	else if (remote->sink_failed)
		code = output_failed("the standard output");
	else if (may_return(watching, &answer))
		code = CLIENT_DONE;
	else if (code == CLIENT_DONE && !remote_is_done(&answer))
		code = remote_refusal(&answer);
	else if (code == CLIENT_DONE)
		code = client_fail(CLIENT_UNREACHABLE, "the server sent no events");
	remote_answer_deinit(&answer);
	return code;
}

static int watch(struct remote *remote, struct watching *watching, struct remote_request *request)
{
	unsigned pause_s = RETRY_MIN_S;
	int code;

	while ((code = watch_once(remote, watching, request)) == CLIENT_DONE) {
		if (watching->is_ready)
			pause_s = RETRY_MIN_S;
		if (watching->is_ready && !watching->arguments->options[OPT_QUIET])
			(void)fputs("steadycache: the connection has ended; trying again\n",
				    stderr);
		(void)sleep(pause_s);
		pause_s = 2 * pause_s < RETRY_MAX_S ? 2 * pause_s : RETRY_MAX_S;
	}
	return code;
}

int command_watch(const struct arguments *arguments)
{
	struct watching watching = {.arguments = arguments};
	struct remote_request request = {.method = "GET", .sink = take_piece, .user = &watching};
	struct remote remote = {0};
	int code = CLIENT_USAGE;

	buffer_append(&request.target, SLICE("/watch/"));
	target_append(&request.target, slice_of(arguments->operands[0]));
	if (entry_prefix(arguments, &request.target)) {
		code = remote_open(&remote, arguments);
		if (code == CLIENT_DONE)
			code = watch(&remote, &watching, &request);
		remote_close(&remote);
	}
	buffer_deinit(&request.target);
	buffer_deinit(&watching.line);
	buffer_deinit(&watching.data);
	return code;
}
