#include <jansson.h>
#include <stdint.h>
#include <unistd.h>

#include "client/arguments.h"
#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"
#include "client/target.h"

#define PAGE_ENTRIES 1000

struct listing {
	const struct arguments *arguments;
	long long left;        /* lines still wanted; negative: all */
	struct buffer *cursor; /* of the next page */
};

static void print_name(const struct arguments *arguments, struct slice name)
{
	/* A program gets every byte unchanged; a terminal gets nothing that controls it. */
	if (isatty(STDOUT_FILENO))
		output_escaped(stdout, name);
	else
		(void)fwrite(name.data, 1, name.len, stdout);
	(void)putchar(arguments->options[OPT_NUL] ? '\0' : '\n');
}

static bool print_item(const struct arguments *arguments, const json_t *item, const char *member)
{
	const json_t *text = json_object_get(item, member);
	const char *coded = json_string_value(json_object_get(item, "key_base64"));
	struct buffer key = {0};
	bool is_good = true;

	if (arguments->options[OPT_JSON]) {
		output_json(item, CLIENT_JSON);
	} else if (text) {
		print_name(arguments, (struct slice){.data = json_string_value(text),
						     .len = json_string_length(text)});
	} else {
		is_good = coded && target_base64(slice_of(coded), &key);
		if (is_good)
			print_name(arguments, buffer_bytes(&key));
	}
	buffer_deinit(&key);
	return is_good;
}

/* Prints one page. CLIENT_DONE, or another code after a line on stderr. */
static int print_page(struct listing *listing, const struct buffer *body)
{
	bool of_keys = listing->arguments->count == 1;
	json_auto_t *page =
		json_loadb(body->data ? body->data : "", body->len, JSON_ALLOW_NUL, NULL);
	const json_t *items = json_object_get(page, of_keys ? "keys" : "namespaces");
	const char *cursor = json_string_value(json_object_get(page, "cursor"));
	size_t i = 0;
	const json_t *item = NULL;

	if (!json_is_array(items))
		return client_fail(CLIENT_UNREACHABLE, "the answer is not one of steadycache; see "
						       "STEADYCACHE_URL");
	json_array_foreach(items, i, item)
	{
		if (listing->left == 0)
			break;
		if (!print_item(listing->arguments, item, of_keys ? "key" : "name"))
			return client_fail(CLIENT_UNREACHABLE, "the server listed a broken key");
		listing->left -= listing->left > 0;
	}
	listing->cursor->len = 0;
	if (cursor && listing->left != 0)
		buffer_append(listing->cursor, slice_of(cursor));
	return output_finish();
}

static int walk(struct remote *remote, struct listing *listing, struct remote_request *request)
{
	const struct arguments *arguments = listing->arguments;
	struct remote_answer answer = {0};
	int code = CLIENT_DONE;

	do {
		request->target.len = 0;
		if (arguments->count == 0)
			buffer_append(&request->target, SLICE("/cache"));
		else if (!entry_target(arguments, NULL, &request->target) ||
			 !entry_prefix(arguments, &request->target))
			return CLIENT_USAGE;
		char limit[24];
		(void)snprintf(limit, sizeof(limit), "%lld",
			       listing->left >= 0 && listing->left < PAGE_ENTRIES ? listing->left
										  : PAGE_ENTRIES);
		if (arguments->count == 1)
			target_query(&request->target, "limit", slice_of(limit));
		if (listing->cursor->len > 0)
			target_query(&request->target, "cursor", buffer_bytes(listing->cursor));
		code = remote_ask(remote, request, &answer);
		if (code == CLIENT_DONE && answer.status == 404)
			code = client_fail(CLIENT_NOT_FOUND, "no such namespace");
		else if (code == CLIENT_DONE && !remote_is_done(&answer))
			code = remote_refusal(&answer);
		else if (code == CLIENT_DONE)
			code = print_page(listing, &answer.body);
	} while (code == CLIENT_DONE && listing->cursor->len > 0);
	remote_answer_deinit(&answer);
	return code;
}

int command_list(const struct arguments *arguments)
{
	struct buffer cursor = {0};
	struct listing listing = {.arguments = arguments, .cursor = &cursor};
	struct remote_request request = {.method = "GET"};
	struct remote remote = {0};
	int code = CLIENT_USAGE;

	if (arguments->count == 0 && arguments->options[OPT_PREFIX])
		return client_fail(CLIENT_USAGE, "--prefix needs NS");
	if (arguments_number(arguments, OPT_LIMIT, 1, INT64_MAX, -1, &listing.left)) {
		code = remote_open(&remote, arguments);
		if (code == CLIENT_DONE)
			code = walk(&remote, &listing, &request);
		remote_close(&remote);
	}
	buffer_deinit(&cursor);
	buffer_deinit(&request.target);
	return code;
}
