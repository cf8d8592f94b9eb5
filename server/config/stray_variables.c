#include "server/config/stray_variables.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/config/options.h"

#define PREFIX      "STEADYCACHE_"
#define FILE_SUFFIX "_FILE"

/* What the client commands read; they may run in the server's environment, as a health check does.
 */
static const char client_variables[] =
	PREFIX "URL " PREFIX "CA_FILE " PREFIX "CLIENT_CERT " PREFIX "CLIENT_KEY";

/* Whether `list`, blank-separated, holds the name. */
static bool holds(const char *list, const char *name, size_t len)
{
	for (const char *at = list; *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == len && strncmp(at, name, len) == 0)
			return true;
	return false;
}

static bool is_known(const char *name, size_t len)
{
	const size_t suffix = sizeof(FILE_SUFFIX) - 1;
	bool is_file = len > suffix && strncmp(name + len - suffix, FILE_SUFFIX, suffix) == 0;

	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &option_table[i];

		if (holds(option->env, name, len) ||
		    (!option->flag && is_file && holds(option->env, name, len - suffix)))
			return true;
	}
	return holds(client_variables, name, len);
}

size_t stray_variables(char *names, size_t size)
{
	size_t count = 0, used = 0;

	names[0] = '\0';
	for (char **at = environ; *at; at++) {
		size_t len = strcspn(*at, "=");

		if (strncmp(*at, PREFIX, sizeof(PREFIX) - 1) != 0 || is_known(*at, len))
			continue;
		count++;
		if (used + len + 2 > size)
			continue;
		used += (size_t)snprintf(names + used, size - used, "%s%.*s", used ? " " : "",
					 (int)len, *at);
	}
	return count;
}
