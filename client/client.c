#include "client/client.h"

#include <signal.h>

#include "client/arguments.h"
#include "client/command_table.h"
#include "client/help.h"

bool client_knows(const char *word)
{
	return help_find(client_commands, word) != NULL;
}

void client_print_commands(FILE *out)
{
	help_list(out, client_commands);
}

int client_main(int argc, char **argv, const struct client_loan *loan)
{
	struct arguments arguments = {
		.commands = client_commands,
		.command = help_find(client_commands, argv[1]),
		.loan = loan,
	};

	if (!arguments_read(&arguments, argc, argv))
		return CLIENT_USAGE;
	/* A write to a closed pipe fails instead; output.c then ends as cat would. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (arguments.options[OPT_HELP]) {
		help_explain(stdout, arguments.command);
		return CLIENT_DONE;
	}
	return arguments.command->run(&arguments);
}
