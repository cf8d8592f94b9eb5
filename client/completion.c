/* The completions of bash and zsh, generated from the table. completions/ contains the output; a
 * test compares them. */
#include <string.h>

#include "client/command.h"
#include "client/output.h"

static void print_words(const struct command *command)
{
	for (unsigned i = 0; i < OPT_COUNT; i++) {
		if (!command_takes(command, i))
			continue;
		if (client_options[i].letter)
			(void)printf("-%c ", client_options[i].letter);
		(void)printf("--%s ", client_options[i].name);
	}
}

static void print_names(const struct command *commands)
{
	(void)fputs("serve", stdout);
	for (; commands->name; commands++)
		(void)printf(" %s", commands->name);
}

static void print_bash(const struct command *commands, client_serve_flag *serve_flag)
{
	const char *flag = NULL;

	(void)fputs(
		"# steadycache's completion for bash; made by: steadycache completion bash\n"
		"_steadycache() {\n"
		"\tlocal word=${COMP_WORDS[COMP_CWORD]} before= command=${COMP_WORDS[1]} words=\n"
		"\t((COMP_CWORD > 0)) && before=${COMP_WORDS[COMP_CWORD - 1]}\n"
		"\tCOMPREPLY=()\n"
		"\tif ((COMP_CWORD == 1)); then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W '",
		stdout);
	print_names(commands);
	(void)fputs(" --help --version' -- \"$word\")\n\t\treturn\n\tfi\n"
		    "\tcase $before in\n"
		    "\t-f | --file | -o | --output | --state)\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
		    "\t\tcompopt -o filenames 2>/dev/null\n\t\treturn\n\t\t;;\n"
		    "\t--data-dir)\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n"
		    "\t\tcompopt -o filenames 2>/dev/null\n\t\treturn\n\t\t;;\n"
		    "\t--on-error) words='stop continue' ;;\n"
		    "\thelp) words='",
		    stdout);
	print_names(commands);
	(void)fputs("' ;;\n\tcompletion) words='bash zsh' ;;\n\tesac\n"
		    "\tif [[ -z $words ]]; then\n\t\tcase $command in\n\t\tserve) words='",
		    stdout);
	for (size_t i = 0; (flag = serve_flag(i)) != NULL; i++)
		if (*flag)
			(void)printf("--%s= ", flag);
	(void)puts("' ;;");
	for (; commands->name; commands++) {
		(void)printf("\t\t%s) words='", commands->name);
		print_words(commands);
		(void)puts("' ;;");
	}
	(void)fputs("\t\tesac\n\tfi\n"
		    "\tif [[ $command == @(backup|check-plugin|migrate) && $word != -* ]]; then\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
		    "\t\tcompopt -o filenames 2>/dev/null\n\t\treturn\n\tfi\n"
		    "\tif [[ $command == import-steadytext && $word != -* ]]; then\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n"
		    "\t\tcompopt -o filenames 2>/dev/null\n\t\treturn\n\tfi\n"
		    "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
		    "\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null\n"
		    "\treturn 0\n}\ncomplete -F _steadycache steadycache\n",
		    stdout);
}

static void print_zsh_option(const struct client_option *option)
{
	const char *value = option->value;
	char action[64] = "";

	if (value && strcmp(value, "FILE") == 0)
		(void)snprintf(action, sizeof(action), ":file:_files");
	else if (value && strcmp(value, "DIR") == 0)
		(void)snprintf(action, sizeof(action), ":folder:_files -/");
	else if (value && strchr(value, '|'))
		(void)snprintf(action, sizeof(action), ":what:(stop continue)");
	else if (value)
		(void)snprintf(action, sizeof(action), ":%s: ", value);
	if (option->letter)
		(void)printf(" \\\n\t\t\t'-%c[%s]%s'", option->letter, option->help, action);
	(void)printf(" \\\n\t\t\t'--%s%s[%s]%s'", option->name, value ? "=" : "", option->help,
		     action);
}

static void print_zsh(const struct command *commands, client_serve_flag *serve_flag)
{
	const char *flag = NULL;

	(void)fputs("#compdef steadycache\n"
		    "# steadycache's completion for zsh; made by: steadycache completion zsh\n"
		    "_steadycache() {\n\tlocal -a commands\n\tcommands=(\n"
		    "\t\t'serve:run the server'\n",
		    stdout);
	for (const struct command *at = commands; at->name; at++)
		(void)printf("\t\t'%s:%s'\n", at->name, at->summary);
	(void)fputs("\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n"
		    "\tfi\n\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n"
		    "\tcase $command in\n\tserve)\n\t\t_arguments",
		    stdout);
	for (size_t i = 0; (flag = serve_flag(i)) != NULL; i++)
		if (*flag)
			(void)printf(" \\\n\t\t\t'--%s=:value: '", flag);
	(void)fputs("\n\t\t;;\n", stdout);
	for (; commands->name; commands++) {
		(void)printf("\t%s)\n\t\t_arguments", commands->name);
		for (unsigned i = 0; i < OPT_COUNT; i++)
			if (command_takes(commands, i))
				print_zsh_option(&client_options[i]);
		if (strcmp(commands->name, "completion") == 0)
			(void)fputs(" \\\n\t\t\t'1:shell:(bash zsh)'", stdout);
		else if (strncmp(commands->operands, "FILE", 4) == 0 ||
			 strncmp(commands->operands, "FROM", 4) == 0)
			(void)printf(" \\\n\t\t\t'%s:file:_files'",
				     commands->operands_max == 1 ? "1" : "*");
		else if (strcmp(commands->operands, "[DIR]") == 0)
			(void)fputs(" \\\n\t\t\t'1:folder:_files -/'", stdout);
		else if (commands->operands_max > 0)
			(void)printf(" \\\n\t\t\t'*:%s: '", commands->operands);
		(void)fputs("\n\t\t;;\n", stdout);
	}
	(void)fputs("\tesac\n}\n_steadycache \"$@\"\n", stdout);
}

int command_completion(const struct arguments *arguments)
{
	if (strcmp(arguments->operands[0], "bash") == 0)
		print_bash(arguments->commands, arguments->loan->serve_flag);
	else if (strcmp(arguments->operands[0], "zsh") == 0)
		print_zsh(arguments->commands, arguments->loan->serve_flag);
	else
		return client_fail(CLIENT_USAGE,
				   "completions are there for bash and zsh, not \"%s\"",
				   arguments->operands[0]);
	return output_finish();
}
