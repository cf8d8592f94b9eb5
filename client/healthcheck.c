#include <jansson.h>

#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"

/* Docker knows only 0 and 1: whatever keeps the server from saying that it is well is a 1. */
int command_healthcheck(const struct arguments *arguments)
{
	bool is_quiet = arguments->options[OPT_QUIET] != NULL;
	struct remote_request request = {.method = "GET"};
	struct remote_answer answer = {0};
	struct remote remote = {0};
	int code = remote_open(&remote, arguments);

	buffer_append(&request.target,
		      arguments->options[OPT_LIVE] ? SLICE("/healthz") : SLICE("/readyz"));
	if (code == CLIENT_DONE) {
		bool answered = remote_try(&remote, &request, &answer);
		bool is_well = answered && remote_is_done(&answer);

		code = is_well ? CLIENT_DONE : CLIENT_NOT_FOUND;
		if (arguments->options[OPT_JSON]) {
			(void)printf("{\"healthy\":%s,\"status\":%ld}\n",
				     is_well ? "true" : "false", answer.status);
		} else if (!answered && !is_quiet) {
			(void)client_fail(0, "no answer from %s (STEADYCACHE_URL): %s", remote.url,
					  remote.error);
		} else if (answered && !is_quiet) {
			for (size_t at = 0, end; at < answer.body.len; at = end + 1) {
				const char *line = answer.body.data + at;
				const char *feed = memchr(line, '\n', answer.body.len - at);

				end = feed ? (size_t)(feed - answer.body.data) : answer.body.len;
				output_escaped(stdout,
					       (struct slice){.data = line, .len = end - at});
				(void)putchar('\n');
			}
		}
		if (output_finish() != CLIENT_DONE)
			code = CLIENT_LOCAL;
	}
	remote_answer_deinit(&answer);
	remote_close(&remote);
	buffer_deinit(&request.target);
	return code;
}
