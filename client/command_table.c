#include "client/command_table.h"

#include "client/command.h"

#define O(id)  (UINT64_C(1) << OPT_##id)
#define COMMON (O(TIMEOUT) | O(HELP))

/* A health check must end before its caller gives up (Docker: 30 s). */
#define HEALTH_TIMEOUT_S 5

const struct command client_commands[] = {
	{"get", "NS KEY", "write a value to the standard output", 2, 2,
	 O(OUTPUT) | O(PICKLE) | O(QUIET) | O(KEY_BASE64) | COMMON, command_get, TIMEOUT_DEFAULT_S},
	{"set", "NS KEY [VALUE]", "store a value: VALUE, a file or the standard input", 2, 3,
	 O(FILE) | O(TTL) | O(TYPE) | O(HEADER) | O(IF_ABSENT) | O(IF_MATCH) | O(KEY_BASE64) |
		 O(JSON) | COMMON,
	 command_set, TIMEOUT_DEFAULT_S},
	{"expire", "NS KEY TTL", "let an entry live TTL seconds from now on; 0 is for ever", 3, 3,
	 O(IF_MATCH) | O(KEY_BASE64) | O(QUIET) | COMMON, command_expire, TIMEOUT_DEFAULT_S},
	{"delete", "NS [KEY]", "delete an entry, those of a prefix, all, or the namespace", 1, 2,
	 O(PREFIX) | O(ALL) | O(DROP) | O(YES) | O(IF_MATCH) | O(KEY_BASE64) | O(QUIET) | COMMON,
	 command_delete, TIMEOUT_DEFAULT_S},
	{"stats", "[NS]", "show statistics", 0, 1, O(JSON) | COMMON, command_stats,
	 TIMEOUT_DEFAULT_S},
	{"list", "[NS]", "list the keys of a namespace, or the namespaces", 0, 1,
	 O(PREFIX) | O(LIMIT) | O(NUL) | O(JSON) | COMMON, command_list, TIMEOUT_DEFAULT_S},
	{"watch", "NS", "print what happens to the entries of a namespace", 1, 1,
	 O(PREFIX) | O(KEY_BASE64) | O(NUL) | O(QUIET) | O(JSON) | COMMON, command_watch,
	 TIMEOUT_DEFAULT_S},
	{"export", "[NS]", "write all entries as lines of JSON", 0, 1,
	 O(PREFIX) | O(OUTPUT) | O(RESUME) | O(QUIET) | COMMON, command_export, TIMEOUT_DEFAULT_S},
	{"import", "", "store the entries of an export", 0, 0,
	 O(FILE) | O(ON_ERROR) | O(QUIET) | O(JSON) | COMMON, command_import, TIMEOUT_DEFAULT_S},
	{"import-steadytext", "[DIR]", "store what SteadyText has cached on this machine", 0, 1,
	 O(AGAIN) | O(DRY_RUN) | O(KEEP) | O(QUIET) | O(JSON) | COMMON, command_import_steadytext,
	 TIMEOUT_DEFAULT_S},
	{"migrate", "FROM TO", "copy entries between backends, export files and servers", 2, 2,
	 O(DRY_RUN) | O(FROM_LARGE_VALUES) | O(TO_LARGE_VALUES) | O(NAMESPACE) | O(NO_SETTINGS) |
		 O(OVERWRITE) | O(SKIP_EXISTING) | O(STATE) | O(VERIFY) | O(QUIET) | O(JSON) |
		 COMMON,
	 command_migrate, TIMEOUT_DEFAULT_S},
	{"backup", "FILE|-", "copy the database of a server on this machine", 1, 1,
	 O(DATA_DIR) | O(FORCE) | O(QUIET) | O(JSON) | O(HELP), command_backup, 0},
	{"check-plugin", "PLUGIN", "say whether a plugin keeps the rules of driver.h", 1, 1,
	 O(HELP), command_check_plugin, 0},
	{"healthcheck", "", "say whether the server is ready", 0, 0,
	 O(LIVE) | O(QUIET) | O(JSON) | COMMON, command_healthcheck, HEALTH_TIMEOUT_S},
	{"token", "new", "make a token and its line for the token file of a server", 1, 1,
	 O(NAME) | O(RIGHTS) | O(NAMESPACES) | O(RATE) | O(EXPIRES) | O(HELP), command_token, 0},
	{"completion", "bash|zsh", "print the completion of a shell", 1, 1, O(HELP),
	 command_completion, 0},
	{"help", "[COMMAND]", "explain a command", 0, 1, O(HELP), command_help, 0},
	{0},
};
