#include "client/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/command.h"
#include "client/output.h"

/* The option that `arg` spells, with the text after its "=" or its letter; OPT_COUNT: none. */
static unsigned find_option(const struct command *command, const char *arg, const char **ret_text)
{
	for (unsigned i = 0; i < OPT_COUNT; i++) {
		const struct client_option *option = &client_options[i];
		size_t len = strlen(option->name);

		if (!command_takes(command, i))
			continue;
		*ret_text = NULL;
		if (arg[1] != '-' && option->letter && arg[1] == option->letter) {
			if (arg[2] != '\0')
				*ret_text = arg + 2;
			return i;
		}
		if (arg[1] == '-' && strncmp(arg + 2, option->name, len) == 0 &&
		    (arg[2 + len] == '\0' || arg[2 + len] == '=')) {
			if (arg[2 + len] == '=')
				*ret_text = arg + 3 + len;
			return i;
		}
	}
	return OPT_COUNT;
}

/* Adds the value of an option that may be repeated. */
static bool add(const char **list, size_t *count, size_t max, const char *name, const char *text)
{
	if (*count == max)
		return client_fail(0, "%s can be given %zu times", name, max), false;
	list[(*count)++] = text;
	return true;
}

/* Reads one option; moves *i past its value if that is an argument of its own. */
static bool read_option(struct arguments *arguments, int argc, char **argv, int *i)
{
	const char *name = arguments->command->name;
	const char *arg = argv[*i], *text = NULL;
	unsigned id = find_option(arguments->command, arg, &text);

	if (id == OPT_COUNT)
		return client_fail(0, "%s has no option \"%s\"; see steadycache help %s", name, arg,
				   name),
		       false;
	if (!client_options[id].value) {
		arguments->options[id] = "";
		return text ? (client_fail(0, "%s takes no value; give \"%s\" by itself", arg,
					   client_options[id].name),
			       false)
			    : true;
	}
	if (!text && *i + 1 < argc)
		text = argv[++*i];
	if (!text)
		return client_fail(0, "%s needs a value (%s)", arg, client_options[id].value),
		       false;
	arguments->options[id] = text;
	if (id == OPT_NAMESPACE)
		return add(arguments->namespaces, &arguments->namespace_count,
			   CLIENT_NAMESPACES_MAX, "--namespace", text);
	if (id == OPT_HEADER)
		return add(arguments->headers, &arguments->header_count, CLIENT_HEADERS_MAX,
			   "--header", text);
	return true;
}

bool arguments_read(struct arguments *arguments, int argc, char **argv)
{
	const struct command *command = arguments->command;
	bool options_end = false;

	for (int i = 2; i < argc; i++) {
		const char *arg = argv[i];

		if (!options_end && strcmp(arg, "--") == 0) {
			options_end = true;
		} else if (!options_end && arg[0] == '-' && arg[1] != '\0') {
			if (!read_option(arguments, argc, argv, &i))
				return false;
		} else if (arguments->count == command->operands_max) {
			return client_fail(0, "\"%s\" is too much; usage: steadycache %s %s", arg,
					   command->name, command->operands),
			       false;
		} else {
			arguments->operands[arguments->count++] = arg;
		}
	}
	if (arguments->count < command->operands_min && !arguments->options[OPT_HELP])
		return client_fail(0, "an operand is missing; usage: steadycache %s %s",
				   command->name, command->operands),
		       false;
	return true;
}

bool arguments_number(const struct arguments *arguments, enum client_option_id id, long long min,
		      long long max, long long fallback, long long *ret)
{
	const char *text = arguments->options[id];
	char *end = NULL;

	*ret = fallback;
	if (!text)
		return true;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && *ret >= min && *ret <= max)
		return true;
	return client_fail(0, "--%s must be a whole number from %lld to %lld, not \"%s\"",
			   client_options[id].name, min, max, text),
	       false;
}
