#include <errno.h>
#include <stdlib.h>

#include "client/entry.h"
#include "client/output.h"
#include "client/remote_open.h"

/* The same bound as --ttl of `set`; the server has its own. */
static bool read_ttl(const char *text, long long *ret_s)
{
	char *end = NULL;

	errno = 0;
	*ret_s = strtoll(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
	    *ret_s <= INT64_MAX / 1000000)
		return true;
	return client_fail(0, "TTL must be a whole number of seconds; 0 is for ever"), false;
}

int command_expire(const struct arguments *arguments)
{
	struct remote_request request = {.method = "PATCH"};
	struct remote remote = {0};
	char if_match[160];
	long long ttl_s = 0;
	int code = CLIENT_USAGE;

	if (read_ttl(arguments->operands[2], &ttl_s) &&
	    entry_target(arguments, arguments->operands[1], &request.target)) {
		buffer_printf(&request.target, "?ttl=%lld", ttl_s);
		request.headers[0] = entry_if_match(arguments, if_match);
		code = remote_open(&remote, arguments);
		if (code == CLIENT_DONE)
			code = entry_change(&remote, arguments, &request, "no such entry");
		remote_close(&remote);
	}
	buffer_deinit(&request.target);
	return code;
}
