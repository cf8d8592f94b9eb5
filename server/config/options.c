#include "server/config/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/words.h"
#include "server/auth/secret_file.h"
#include "server/config/capabilities.h"
#include "server/config/option_list.h"
#include "server/config/profile.h"

#define D1_WORKER_ALONE                                                                            \
	"D1 is reached through the Worker alone; deploy it (worker/README.md) and name it in "     \
	"--d1-url (STEADYCACHE_D1_API_URL)"

/* The next of an option's variables, cut if it does not fit into `ret`. */
static bool next_name(const char **words, char *ret, size_t size)
{
	struct slice word;

	if (!words_next(words, &word))
		return false;
	(void)snprintf(ret, size, "%.*s", (int)word.len, word.data);
	return true;
}

/* The first of the option's variables that is set: its value, and its name in `name`. */
static const char *find_variable(const struct option *option, char *name, size_t name_size)
{
	for (const char *at = option->env; next_name(&at, name, name_size);) {
		const char *text = getenv(name);

		if (text)
			return text;
	}
	return NULL;
}

static void print_help(void)
{
	printf("steadycache: a cache server over SQLite, memory, Redis, DynamoDB or D1 that speaks "
	       "SteadyText's D1 proxy API\n\n"
	       "usage: steadycache [serve] [--option=value ...]\n"
	       "       steadycache --version | --help\n"
	       "       steadycache --options | --capabilities (tables in Markdown: of options, "
	       "and of what each backend can do)\n\n");
	for (const struct option_place *at = option_list(NULL); at->option; at++) {
		const struct option *option = at->option;

		if (option->flag)
			printf("  --%s\n", option->flag);
		else
			printf("  (no flag: it would show in the list of processes)\n");
		printf("      %s\n      environment: %s", option->help, option->env);
		const char *names = option->env;
		struct slice first;
		if (!option->flag && words_next(&names, &first))
			printf("; %.*s_FILE: a file that holds it", (int)first.len, first.data);
		if (option->fallback && strcmp(option->fallback, "-1") != 0)
			printf("; default: %s", option->fallback);
		printf("\n");
	}
}

static void print_markdown(void)
{
	printf("| flag | environment | default | meaning |\n|---|---|---|---|\n");
	for (const struct option_place *at = option_list(NULL); at->option; at++) {
		const struct option *option = at->option;
		bool has_default = option->fallback && strcmp(option->fallback, "-1") != 0;

		printf("| %s%s%s | ", option->flag ? "`--" : "",
		       option->flag ? option->flag : "none", option->flag ? "`" : "");
		struct slice name;
		for (const char *names = option->env; words_next(&names, &name);)
			printf("`%.*s`%s", (int)name.len, name.data, *names ? ", " : "");
		printf(" | %s | %s |\n", has_default ? option->fallback : "unset", option->help);
	}
}

/* An option without a flag is a secret, and may also be in the file that NAME_FILE names, for any
 * name of the option. */
static bool read_secret(const struct option *option, const char **ret, char *error,
			size_t error_size)
{
	char name[80];

	*ret = NULL;
	for (const char *at = option->env;
	     !option->flag && !*ret && next_name(&at, name, sizeof(name));)
		if (!secret_file_read(name, ret, error, error_size))
			return false;
	return true;
}

/* Sets an option of the program or of a module from what somebody wrote, in contrast to its
 * default. */
static bool set_option(struct options *options, const struct option_place *at, const char *source,
		       const char *text, char *error, size_t error_size)
{
	static const size_t sizes[] = {
		offsetof(struct options, default_max_size_mb),
		offsetof(struct options, generation.max_size_mb),
		offsetof(struct options, embedding.max_size_mb),
		offsetof(struct options, reranking.max_size_mb),
	};
	static const size_t capacities[] = {
		offsetof(struct options, generation.capacity),
		offsetof(struct options, embedding.capacity),
		offsetof(struct options, reranking.capacity),
	};
	const struct option *option = at->option;
	const char *member = (const char *)options + at->base + option->offset;

	if (!option_set(option, (char *)options + at->base, source, text, error, error_size))
		return false;
	for (size_t i = 0; at->base == 0 && i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (option->offset == sizes[i] && *(const double *)(const void *)member > 0)
			options->limit_flag = option->flag;
	for (size_t i = 0; at->base == 0 && i < sizeof(capacities) / sizeof(capacities[0]); i++)
		if (option->offset == capacities[i] &&
		    *(const long long *)(const void *)member >= 0)
			options->limit_flag = option->flag;
	return true;
}

/* What --profile or its variable says, before everything else is read. NULL: nothing. */
static const char *find_profile(int argc, char **argv)
{
	static const char flag[] = "--profile";
	const size_t len = sizeof(flag) - 1;
	const char *found = getenv("STEADYCACHE_PROFILE");

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], flag, len) != 0)
			continue;
		if (argv[i][len] == '=')
			found = argv[i] + len + 1;
		else if (argv[i][len] == '\0' && i + 1 < argc)
			found = argv[i + 1];
	}
	return found;
}

static bool read_environment(struct options *options, const char *profile, char *error,
			     size_t error_size)
{
	char name[80];

	for (const struct option_place *at = option_list(NULL); at->option; at++) {
		const struct option *option = at->option;

		const char *fallback = profile_default_of(profile, option->flag);

		if (!fallback)
			fallback = option->fallback;
		if (fallback && !option_set(option, (char *)options + at->base, option->env,
					    fallback, error, error_size))
			return false;
		const char *text = find_variable(option, name, sizeof(name));
		if (!text && !read_secret(option, &text, error, error_size))
			return false;
		if (text && option->type == OPTION_LIST)
			((struct option_list *)(void *)((char *)options + at->base +
							option->offset))
				->count = 0; /* without the default */
		if (text && !set_option(options, at, name, text, error, error_size))
			return false;
	}
	return true;
}

/* Options of earlier versions: Cloudflare's own D1 endpoint without a Worker. */
static bool is_removed_flag(const char *arg)
{
	static const char *const removed[] = {"--d1-mode", "--d1-account-id", "--d1-database-id",
					      "--d1-rest-url"};
	size_t len = strcspn(arg, "=");

	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
		if (strlen(removed[i]) == len && strncmp(arg, removed[i], len) == 0)
			return true;
	return false;
}

/* False if the environment asks for a removed feature; its secondary variables count as strays. */
static bool check_removed(char *error, size_t error_size)
{
	const char *mode = getenv("STEADYCACHE_D1_MODE");

	if (!mode || *mode == '\0' || strcasecmp(mode, "worker") == 0)
		return true;
	(void)snprintf(error, error_size,
		       "STEADYCACHE_D1_MODE=%s: " D1_WORKER_ALONE "; unset the variable", mode);
	return false;
}

/* One `--name=value`, `--name value` or `--switch`; moves *i past its value if that is an argument
 * of its own. */
static bool read_flag(struct options *options, int argc, char **argv, int *i, char *error,
		      size_t error_size)
{
	const char *arg = argv[*i];

	for (const struct option_place *at = option_list(NULL);
	     strncmp(arg, "--", 2) == 0 && at->option; at++) {
		const struct option *option = at->option;
		size_t len = option->flag ? strlen(option->flag) : 0;
		char source[64];

		if (len == 0 || strncmp(arg + 2, option->flag, len) != 0 ||
		    (arg[2 + len] != '\0' && arg[2 + len] != '='))
			continue;
		const char *text = arg[2 + len] == '=' ? arg + 3 + len : NULL;
		if (!text && option->type == OPTION_SWITCH)
			text = "1";
		else if (!text && *i + 1 < argc)
			text = argv[++*i];
		(void)snprintf(source, sizeof(source), "--%s", option->flag);
		if (text)
			return set_option(options, at, source, text, error, error_size);
		(void)snprintf(error, error_size, "%s needs a value", source);
		return false;
	}
	if (is_removed_flag(arg))
		(void)snprintf(error, error_size, "%s: " D1_WORKER_ALONE "; leave the option out",
			       arg);
	else
		(void)snprintf(error, error_size, "unknown argument \"%.*s\"; see steadycache %s",
			       (int)strcspn(arg, "="), arg, /* its value may be a secret */
			       *arg == '-' ? "--help" : "help, which lists the commands");
	return false;
}

enum options_result options_read(struct options *options, int argc, char **argv, char *error,
				 size_t error_size)
{
	*options = (struct options){0};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return print_help(), OPTIONS_DONE;
		if (strcmp(argv[i], "--version") == 0)
			return printf("steadycache %s\n", STEADYCACHE_VERSION), OPTIONS_DONE;
		if (strcmp(argv[i], "--options") == 0)
			return print_markdown(), OPTIONS_DONE;
		if (strcmp(argv[i], "--capabilities") == 0)
			return capabilities_print(stdout), OPTIONS_DONE;
	}
	if (!check_removed(error, error_size) ||
	    !read_environment(options, find_profile(argc, argv), error, error_size))
		return OPTIONS_BAD;
	for (int i = argc > 1 && strcmp(argv[1], "serve") == 0 ? 2 : 1; i < argc; i++)
		if (!read_flag(options, argc, argv, &i, error, error_size))
			return OPTIONS_BAD;
	return OPTIONS_SERVE;
}

/* A copy that stays as long as the process. NULL: out of memory. */
static const char *keep(const char *text)
{
	static struct kept {
		struct kept *next;
		char text[];
	} * all;
	size_t size = strlen(text) + 1;
	struct kept *kept = malloc(sizeof(*kept) + size);

	if (!kept)
		return NULL;
	memcpy(kept->text, text, size);
	kept->next = all;
	all = kept;
	return kept->text;
}

/* Makes *target, if it is in `text`, a copy. False: out of memory. */
static bool part_one(const char **target, const char *text)
{
	const char *copy = *target;

	if (copy >= text && copy <= text + strlen(text))
		copy = keep(copy);
	if (!copy && *target)
		return false;
	*target = copy;
	return true;
}

/* Copies what options have of `text`, so that it may change. False: out of memory. */
static bool part_from(struct options *options, const char *text)
{
	for (const struct option_place *at = option_list(NULL); at->option; at++) {
		void *target = (char *)options + at->base + at->option->offset;
		struct option_list *list = at->option->type == OPTION_LIST ? target : NULL;
		bool is_text = at->option->type == OPTION_TEXT || at->option->type == OPTION_CHOICE;

		if (is_text && !part_one(target, text))
			return false;
		for (size_t i = 0; list && i < list->count; i++)
			if (!part_one(&list->texts[i], text))
				return false;
	}
	return true;
}

/* What is behind the ? of a plugin's URL has a syntax of its own. */
static void hide_settings(char *text)
{
	while ((text = strcasestr(text, "plugin:"))) {
		text += strcspn(text, "? \t\r\n");
		if (*text != '?')
			continue;
		size_t len = strcspn(++text, " \t\r\n");
		memset(text, '*', len);
		text += len;
	}
}

/* In each line from the first URL's authority on to the last @: a password may contain anything. */
static void hide(struct options *options, char *text)
{
	bool has_password = strstr(text, "://") && strchr(text, '@');
	bool has_settings = strcasestr(text, "plugin:") && strchr(text, '?');

	if (!(has_password || has_settings) || !part_from(options, text))
		return;
	hide_settings(text);
	for (char *line = text; *line; line += *line == '\n') {
		size_t len = strcspn(line, "\n");
		char *start = memmem(line, len, "://", 3);
		char *at = memrchr(line, '@', len);

		if (start && at && at > start)
			memset(start + 3, '*', (size_t)(at - start - 3));
		line += len;
	}
}

void options_hide_passwords(struct options *options, int argc, char **argv)
{
	char name[80];

	for (int i = 1; i < argc; i++)
		hide(options, argv[i]);
	for (const struct option_place *at = option_list(NULL); at->option; at++) {
		for (const char *names = at->option->env; next_name(&names, name, sizeof(name));) {
			char *text = getenv(name);

			if (text)
				hide(options, text);
		}
	}
}

bool options_check_limits(const struct options *options, const struct backend_ops *ops, char *error,
			  size_t error_size)
{
	const char *flag = options->skip_cache_init ? "skip-cache-init" : options->limit_flag;

	if ((ops->bits & BACKEND_LIMITS) || !flag)
		return true;
	(void)snprintf(error, error_size,
		       "--%s sets a limit, and the %s backend keeps none; leave it out (or its "
		       "variable)",
		       flag, ops->name);
	return false;
}

#define GENERATION_CACHE "generation_cache"
#define EMBEDDING_CACHE  "embedding_cache"
#define RERANKING_CACHE  "reranking_cache"

const char *const options_default_names[] = {GENERATION_CACHE, EMBEDDING_CACHE, RERANKING_CACHE,
					     NULL};

/* NULL changes nothing. */
static void read_policy(const char *name, enum eviction_policy *ret)
{
	static const enum eviction_policy policies[] = {EVICT_FRECENCY, EVICT_LRU, EVICT_FIFO,
							EVICT_NONE};

	for (size_t i = 0; name && i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcasecmp(name, eviction_policy_name(policies[i])) == 0)
			*ret = policies[i];
}

void options_namespace_defaults(void *user, struct slice ns, struct namespace_settings *ret)
{
	const struct options *options = user;
	const struct {
		const char *name;
		const struct cache_limits *limits;
	} caches[] = {
		{GENERATION_CACHE, &options->generation},
		{EMBEDDING_CACHE, &options->embedding},
		{RERANKING_CACHE, &options->reranking},
	};

	ret->max_size_bytes = (uint64_t)(options->default_max_size_mb * 1048576.0);
	read_policy(options->default_eviction, &ret->policy);
	for (size_t i = 0; i < 3; i++) {
		if (!slice_equal(ns, slice_of(caches[i].name)))
			continue;
		ret->max_size_bytes = (uint64_t)(caches[i].limits->max_size_mb * 1048576.0);
		if (caches[i].limits->capacity >= 0)
			ret->capacity = caches[i].limits->capacity;
	}
	if (options->skip_cache_init)
		ret->capacity = 0;
}
