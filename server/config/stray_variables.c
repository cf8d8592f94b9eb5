#include "server/config/stray_variables.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/words.h"
#include "server/config/option_list.h"

#define PREFIX      "STEADYCACHE_"
#define FILE_SUFFIX "_FILE"

/* Variables of the client commands, which may run in the server's environment, as a health check
 * does, and of examples/python. */
static const char client_variables[] =
	PREFIX "URL " PREFIX "CA_FILE " PREFIX "CLIENT_CERT " PREFIX "CLIENT_KEY " PREFIX "LIBRARY";

static bool is_known(struct slice name)
{
	const size_t suffix = sizeof(FILE_SUFFIX) - 1;
	struct slice secret = {.data = name.data};

	if (name.len > suffix && memcmp(name.data + name.len - suffix, FILE_SUFFIX, suffix) == 0)
		secret.len = name.len - suffix;
	for (const struct option_place *at = option_list(NULL); at->option; at++) {
		const struct option *option = at->option;

		if (words_hold(option->env, name) ||
		    (!option->flag && words_hold(option->env, secret)))
			return true;
	}
	return words_hold(client_variables, name);
}

size_t stray_variables(char *names, size_t size)
{
	size_t count = 0, used = 0;

	names[0] = '\0';
	for (char **at = environ; *at; at++) {
		size_t len = strcspn(*at, "=");

		if (strncmp(*at, PREFIX, sizeof(PREFIX) - 1) != 0 ||
		    is_known((struct slice){.data = *at, .len = len}))
			continue;
		count++;
		if (used + len + 2 > size)
			continue;
		used += (size_t)snprintf(names + used, size - used, "%s%.*s", used ? " " : "",
					 (int)len, *at);
	}
	return count;
}
