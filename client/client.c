#include "client/client.h"

#include <signal.h>
#include <string.h>

#include "client/command.h"

/* Short enough for a terminal of 80 columns. */
#define NAME_COLUMNS "%-12s"

bool client_knows(const char *word)
{
	return client_find(word) != NULL;
}

void client_print_commands(FILE *out)
{
	(void)fprintf(out,
		      "commands:\n  " NAME_COLUMNS " run the server (what happens without a "
		      "command)\n",
		      "serve");
	for (size_t i = 0; i < client_command_count; i++)
		(void)fprintf(out, "  " NAME_COLUMNS " %s\n", client_commands[i].name,
			      client_commands[i].summary);
}

void client_print_help(FILE *out, const struct command *command)
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
	const struct command *command = client_find(name);

	if (command) {
		client_print_help(stdout, command);
		return CLIENT_DONE;
	}
	if (name)
		return client_fail(CLIENT_USAGE, "there is no command \"%s\"; see steadycache help",
				   name);
	(void)printf("usage: steadycache COMMAND [OPTION ...]\n\n");
	client_print_commands(stdout);
	(void)printf("\nsteadycache help COMMAND explains one; steadycache --help lists the "
		     "options of serve.\n"
		     "Environment: STEADYCACHE_URL (http://127.0.0.1:8080), STEADYCACHE_API_KEY or "
		     "STEADYCACHE_API_KEY_FILE, STEADYCACHE_CA_FILE, STEADYCACHE_CLIENT_CERT, "
		     "STEADYCACHE_CLIENT_KEY.\n");
	return CLIENT_DONE;
}

int client_main(int argc, char **argv, const struct client_loan *loan)
{
	struct arguments arguments = {
		.command = client_find(argv[1]),
		.loan = loan,
	};

	if (!arguments_read(&arguments, argc, argv))
		return CLIENT_USAGE;
	/* A closed pipe is seen where the bytes are written; output.c then ends as cat would. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (arguments.options[OPT_HELP]) {
		client_print_help(stdout, arguments.command);
		return CLIENT_DONE;
	}
	return arguments.command->run(&arguments);
}
