#include <unistd.h>

#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"
#include "client/target.h"

/* Asks the user before something that cannot be undone. */
static int confirm(const struct arguments *arguments)
{
	const char *prefix = arguments->options[OPT_PREFIX];
	char reply[8] = "";

	if (arguments->options[OPT_YES])
		return CLIENT_DONE;
	if (!isatty(STDIN_FILENO))
		return client_fail(CLIENT_USAGE, "deleting many entries needs --yes where nobody "
						 "can be asked");
	(void)fprintf(stderr, arguments->options[OPT_DROP]
				      ? "Delete the namespace and its settings: "
				      : "Delete all entries of ");
	output_escaped(stderr, slice_of(arguments->operands[0]));
	if (prefix) {
		(void)fprintf(stderr, " whose keys begin with ");
		output_escaped(stderr, slice_of(prefix));
	}
	(void)fprintf(stderr, "? [y/N] ");
	if (fgets(reply, sizeof(reply), stdin) && (reply[0] == 'y' || reply[0] == 'Y'))
		return CLIENT_DONE;
	return client_fail(CLIENT_USAGE, "nothing was deleted");
}

static int check_usage(const struct arguments *arguments)
{
	const char *const *options = arguments->options;
	int ways = (arguments->count == 2) + (options[OPT_PREFIX] != NULL) +
		   (options[OPT_ALL] != NULL) + (options[OPT_DROP] != NULL);

	if (ways != 1)
		return client_fail(CLIENT_USAGE,
				   "give KEY, --prefix PREFIX, --all or --drop: one of them");
	if (arguments->count == 1 && options[OPT_IF_MATCH])
		return client_fail(CLIENT_USAGE, "--if-match needs KEY");
	if (options[OPT_PREFIX] && *options[OPT_PREFIX] == '\0')
		return client_fail(CLIENT_USAGE, "an empty --prefix is every key; say --all");
	return CLIENT_DONE;
}

int command_delete(const struct arguments *arguments)
{
	struct remote_request request = {.method = "DELETE"};
	struct remote remote = {0};
	char if_match[160];
	int code = check_usage(arguments);

	if (code == CLIENT_DONE &&
	    (!entry_target(arguments, arguments->operands[1], &request.target) ||
	     !entry_prefix(arguments, &request.target)))
		code = CLIENT_USAGE;
	if (code == CLIENT_DONE && arguments->count == 1)
		code = confirm(arguments);
	if (code == CLIENT_DONE && arguments->options[OPT_ALL])
		target_query(&request.target, "all", SLICE("true"));
	if (code == CLIENT_DONE && arguments->options[OPT_DROP])
		target_query(&request.target, "drop", SLICE("true"));
	request.headers[0] = entry_if_match(arguments, if_match);
	if (code == CLIENT_DONE) {
		code = remote_open(&remote, arguments);
		if (code == CLIENT_DONE)
			code = entry_change(&remote, arguments, &request,
					    arguments->options[OPT_DROP] ? "no such namespace"
									 : "no such entry");
		remote_close(&remote);
	}
	buffer_deinit(&request.target);
	return code;
}
