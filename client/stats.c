#include <jansson.h>

#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"
#include "client/target.h"

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void print_row(const char *name, const json_t *stats)
{
	/* Servers before 0.2 counted only sizes. */
	const char *used = json_object_get(stats, "used_bytes") ? "used_bytes" : "total_size";
	char size[16], max[16] = "-";
	int len = 0;

	if (json_object_get(stats, "max_size_bytes"))
		(void)output_size(number(stats, "max_size_bytes"), max);
	output_escaped(stdout, slice_of(name));
	len = (int)strlen(name);
	(void)printf("%*s %10.0f %10s %10s %10.0f %10.0f %6.1f%% %10.0f %10.0f\n",
		     len < 24 ? 24 - len : 0, "", number(stats, "entry_count"),
		     output_size(number(stats, used), size), max, number(stats, "hits"),
		     number(stats, "misses"), number(stats, "hit_rate") * 100,
		     number(stats, "evictions"), number(stats, "expirations"));
}

static void print_table(const struct arguments *arguments, json_t *document)
{
	json_t *server = json_object_get(document, "server");
	json_t *totals = json_object_get(document, "totals");
	json_t *stats = NULL;
	const char *name = NULL;

	if (server) {
		const char *backend = json_string_value(json_object_get(server, "backend"));
		const char *version = json_string_value(json_object_get(server, "version"));

		(void)printf("steadycache ");
		output_escaped(stdout, slice_of(version ? version : "?"));
		(void)printf(", backend ");
		output_escaped(stdout, slice_of(backend ? backend : "?"));
		(void)printf(", up %.0f s\n\n", number(server, "uptime"));
	}
	(void)printf("%-24s %10s %10s %10s %10s %10s %7s %10s %10s\n", "NAMESPACE", "ENTRIES",
		     "USED", "MAX", "HITS", "MISSES", "RATE", "EVICTED", "EXPIRED");
	if (arguments->count == 1) {
		print_row(arguments->operands[0], document);
		return;
	}
	json_object_foreach(json_object_get(document, "namespaces"), name, stats)
		print_row(name, stats);
	print_row("(all)", totals);
}

static int show(struct remote *remote, const struct arguments *arguments,
		const struct remote_request *request)
{
	struct remote_answer answer = {0};
	int code = remote_ask(remote, request, &answer);
	json_auto_t *document = NULL;

	if (code == CLIENT_DONE && answer.status == 404) {
		code = client_fail(CLIENT_NOT_FOUND, "no such namespace");
	} else if (code == CLIENT_DONE && !remote_is_done(&answer)) {
		code = remote_refusal(&answer);
	} else if (code == CLIENT_DONE) {
		document = json_loadb(answer.body.data ? answer.body.data : "", answer.body.len, 0,
				      NULL);
		if (!json_is_object(document))
			code = client_fail(CLIENT_UNREACHABLE, "the answer is not one of "
							       "steadycache; see STEADYCACHE_URL");
		else if (arguments->options[OPT_JSON])
			output_json(document, CLIENT_JSON);
		else
			print_table(arguments, document);
		if (code == CLIENT_DONE)
			code = output_finish();
	}
	remote_answer_deinit(&answer);
	return code;
}

int command_stats(const struct arguments *arguments)
{
	struct remote_request request = {.method = "GET"};
	struct remote remote = {0};
	int code = remote_open(&remote, arguments);

	buffer_append(&request.target, SLICE("/stats"));
	if (arguments->count == 1) {
		buffer_append_char(&request.target, '/');
		target_append(&request.target, slice_of(arguments->operands[0]));
	}
	if (code == CLIENT_DONE)
		code = show(&remote, arguments, &request);
	remote_close(&remote);
	buffer_deinit(&request.target);
	return code;
}
