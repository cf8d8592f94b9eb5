#include "client/help.h"

#include <string.h>

#include "client/command.h"
#include "client/options.h"
#include "client/output.h"

/* Narrow enough for a terminal of 80 columns. */
#define NAME_COLUMNS "%-18s"

const struct command *help_find(const struct command *commands, const char *name)
{
	for (; name && commands->name; commands++)
		if (strcmp(commands->name, name) == 0)
			return commands;
	return NULL;
}

void help_list(FILE *out, const struct command *commands)
{
	(void)fprintf(out,
		      "commands:\n  " NAME_COLUMNS " run the server (what happens without a "
		      "command)\n",
		      "serve");
	for (; commands->name; commands++)
		(void)fprintf(out, "  " NAME_COLUMNS " %s\n", commands->name, commands->summary);
}

void help_explain(FILE *out, const struct command *command)
{
	(void)fprintf(out, "usage: steadycache %s%s%s [OPTION ...]\n%s.\n\n", command->name,
		      command->operands[0] ? " " : "", command->operands, command->summary);
	for (unsigned i = 0; i < OPT_COUNT; i++) {
		const struct client_option *option = &client_options[i];
		char left[64];

		if (!command_takes(command, i))
			continue;
		(void)snprintf(left, sizeof(left), "--%s%s%s", option->name,
			       option->value ? " " : "", option->value ? option->value : "");
		(void)fprintf(out, "  %c%c%c %-24s %s\n", option->letter ? '-' : ' ',
			      option->letter ? option->letter : ' ', option->letter ? ',' : ' ',
			      left, option->help);
	}
}

int command_help(const struct arguments *arguments)
{
	const char *name = arguments->operands[0];
	const struct command *command = help_find(arguments->commands, name);

	if (command) {
		help_explain(stdout, command);
		return CLIENT_DONE;
	}
	if (name)
		return client_fail(CLIENT_USAGE, "there is no command \"%s\"; see steadycache help",
				   name);
	(void)printf("usage: steadycache COMMAND [OPTION ...]\n\n");
	help_list(stdout, arguments->commands);
	(void)printf("\nsteadycache help COMMAND explains one; steadycache --help lists the "
		     "options of serve.\n"
		     "Environment: STEADYCACHE_URL (http://127.0.0.1:8080), STEADYCACHE_API_KEY or "
		     "STEADYCACHE_API_KEY_FILE, STEADYCACHE_CA_FILE, STEADYCACHE_CLIENT_CERT, "
		     "STEADYCACHE_CLIENT_KEY.\n");
	return CLIENT_DONE;
}
