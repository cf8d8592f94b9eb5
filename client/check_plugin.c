/* `check-plugin`: runs the rules of steadycache/driver.h over a plugin, by a function that main.c
 * lends it. */
#include "client/command.h"
#include "client/output.h"

int command_check_plugin(const struct arguments *arguments)
{
	char error[800] = "";

	if (arguments->loan->check_plugin(arguments->operands[0], stdout, error, sizeof(error)))
		return CLIENT_DONE;
	return client_fail(CLIENT_NOT_FOUND, "%s", error);
}
