#include "client/command.h"

#include <string.h>

const struct client_option client_options[OPT_COUNT] = {
#define X(id, letter, name, value, help) {letter, name, value, help},
	CLIENT_OPTIONS(X)
#undef X
};

#define O(id)  (1U << OPT_##id)
#define COMMON (O(TIMEOUT) | O(HELP))

const struct command client_commands[] = {
	{"get", "NS KEY", "write a value to the standard output", 2, 2,
	 O(OUTPUT) | O(QUIET) | O(KEY_BASE64) | COMMON, command_get},
	{"set", "NS KEY [VALUE]", "store a value: VALUE, a file or the standard input", 2, 3,
	 O(FILE) | O(TTL) | O(TYPE) | O(IF_ABSENT) | O(IF_MATCH) | O(KEY_BASE64) | O(JSON) | COMMON,
	 command_set},
	{"delete", "NS [KEY]", "delete an entry, or those of a prefix, or all", 1, 2,
	 O(PREFIX) | O(ALL) | O(YES) | O(IF_MATCH) | O(KEY_BASE64) | O(QUIET) | COMMON,
	 command_delete},
	{"stats", "[NS]", "show statistics", 0, 1, O(JSON) | COMMON, command_stats},
	{"list", "[NS]", "list the keys of a namespace, or the namespaces", 0, 1,
	 O(PREFIX) | O(LIMIT) | O(NUL) | O(JSON) | COMMON, command_list},
	{"export", "[NS]", "write all entries as lines of JSON", 0, 1,
	 O(PREFIX) | O(OUTPUT) | O(RESUME) | O(QUIET) | COMMON, command_export},
	{"import", "", "store the entries of an export", 0, 0,
	 O(FILE) | O(ON_ERROR) | O(QUIET) | O(JSON) | COMMON, command_import},
	{"backup", "FILE|-", "copy the database of a server on this machine", 1, 1,
	 O(DATA_DIR) | O(FORCE) | O(QUIET) | O(JSON) | O(HELP), command_backup},
	{"healthcheck", "", "say whether the server is ready", 0, 0,
	 O(LIVE) | O(QUIET) | O(JSON) | COMMON, command_healthcheck},
	{"token", "new", "make a token and its line for the token file of a server", 1, 1,
	 O(NAME) | O(RIGHTS) | O(NAMESPACES) | O(RATE) | O(EXPIRES) | O(HELP), command_token},
	{"completion", "bash|zsh", "print the completion of a shell", 1, 1, O(HELP),
	 command_completion},
	{"help", "[COMMAND]", "explain a command", 0, 1, O(HELP), command_help},
};

const size_t client_command_count = sizeof(client_commands) / sizeof(client_commands[0]);

const struct command *client_find(const char *name)
{
	for (size_t i = 0; name && i < client_command_count; i++)
		if (strcmp(client_commands[i].name, name) == 0)
			return &client_commands[i];
	return NULL;
}
