#include "server/stack.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/large/layer.h"
#include "backends/packed/packed.h"
#include "backends/tiered/tiered.h"
#include "server/config/backends.h"
#include "server/config/option_list.h"
#include "store/data_dir.h"

/* What separates words in the environment. */
#define BLANKS " \t\r\n"

/* What is known while the options are read. */
struct reading {
	struct stack *stack;
	const struct backend_config *base;
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct reading *reading,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reading->error, reading->error_size, format, args);
	va_end(args);
	return false;
}

/* ---- Places ---- */

static bool add_place(struct reading *reading, const char *text)
{
	struct stack *stack = reading->stack;
	size_t count = stack->routed.place_count;
	struct backend_place *place = &stack->places[count];
	const char *chosen = backends_chosen(stack->options, text);

	if (count == BACKEND_BRANCHES_MAX)
		return refuse(reading, "--route names more than %d backends", BACKEND_BRANCHES_MAX);
	if (!backends_place(place, stack->options, reading->base, chosen, reading->error,
			    reading->error_size))
		return false;
	reading->stack->texts[count] = strdup(text);
	if (!reading->stack->texts[count]) {
		backend_place_deinit(place);
		return refuse(reading, "out of memory");
	}
	stack->routed.place_count++;
	return true;
}

/* The index of the place that `text` names, which may be known already. */
static bool find_place(struct reading *reading, const char *text, size_t *ret)
{
	size_t count = reading->stack->routed.place_count;

	for (*ret = 0; *ret < count; ++*ret)
		if (strcmp(reading->stack->texts[*ret], text) == 0)
			return true;
	return add_place(reading, text);
}

/* ---- Routes ---- */

/* PATTERN=BACKEND. */
static bool add_rule(struct reading *reading, const char *word)
{
	struct routed_config *routed = &reading->stack->routed;
	struct routed_rule *rule = &reading->stack->rules[routed->rule_count];
	size_t len = strcspn(word, "=");
	bool is_pattern = routed_pattern_is_valid((struct slice){.data = word, .len = len});
	char reason[400];

	if (routed->rule_count == OPTION_LIST_MAX)
		return refuse(reading, "there may be %d routes (--route)", OPTION_LIST_MAX);
	if (word[len] != '=' || !is_pattern)
		return refuse(reading,
			      "--route (STEADYCACHE_ROUTES) is PATTERN=BACKEND, such as "
			      "'embedding_*=redis://host'; a pattern has up to %d letters, digits, "
			      "'_', '.', '-', '*' and '?'",
			      ROUTED_PATTERN_MAX_LEN);
	memcpy(rule->pattern, word, len);
	rule->pattern[len] = '\0';
	if (find_place(reading, word + len + 1, &rule->place)) {
		routed->rule_count++;
		return true;
	}
	(void)snprintf(reason, sizeof(reason), "%s", reading->error);
	return refuse(reading, "--route '%s=...': %s", rule->pattern, reason);
}

/* The words of an environment's text. */
static bool add_rules(struct reading *reading, const char *text)
{
	for (const char *at = text + strspn(text, BLANKS); *at; at += strspn(at, BLANKS)) {
		size_t len = strcspn(at, BLANKS);
		char *word = strndup(at, len);
		bool is_added = word ? add_rule(reading, word) : refuse(reading, "out of memory");

		free(word);
		if (!is_added)
			return false;
		at += len;
	}
	return true;
}

static bool add_routes(struct reading *reading)
{
	const struct option_list *routes = &reading->stack->options->routes;
	struct routed_config *routed = &reading->stack->routed;

	if (reading->stack->options->disable_cache)
		return true;
	for (size_t i = 0; i < routes->count; i++)
		if (!(routes->are_flags ? add_rule(reading, routes->texts[i])
					: add_rules(reading, routes->texts[i])))
			return false;
	/* The first place has the rest. */
	routed->rules = reading->stack->rules;
	reading->stack->rules[routed->rule_count++] = (struct routed_rule){.pattern = "*"};
	routed->places = reading->stack->places;
	return true;
}

/* ---- The whole ---- */

static void choose(struct stack *stack, const struct backend_config *base)
{
	if (stack->routed.rule_count > 1) {
		stack->ops = &routed_backend_ops;
		stack->config = *base;
		stack->config.settings = &stack->routed;
	} else {
		stack->ops = stack->places[0].ops;
		stack->config = stack->places[0].config;
	}
}

/* Two stores in one directory would not know of each other's locks. The directories are there. */
static bool check_dirs(const struct stack *stack, char *error, size_t error_size)
{
	const struct backend_place *places = stack->places;
	char *paths[BACKEND_BRANCHES_MAX] = {NULL};
	bool is_right = true;

	for (size_t i = 0; is_right && i < stack->routed.place_count; i++) {
		if (places[i].wants_dir && !places[i].ops->shares_dir)
			paths[i] = realpath(places[i].config.data_dir, NULL);
		for (size_t k = 0; paths[i] && is_right && k < i; k++) {
			is_right = !paths[k] || strcmp(paths[k], paths[i]) != 0;
			if (!is_right)
				(void)snprintf(error, error_size,
					       "%s and %s (--backend, --route) are the same "
					       "directory; write the same text for one backend",
					       places[k].label, places[i].label);
		}
	}
	for (size_t i = 0; i < stack->routed.place_count; i++)
		free(paths[i]);
	return is_right;
}

/* The settings of large values; NULL: there is no store for them. */
static const struct large_config *large_settings(struct options *options)
{
	const struct large_config *large = option_list_settings(options, &large_options);

	return large->url && *large->url && !options->disable_cache ? large : NULL;
}

/* Whether the store for large values, if there is one, can be right; makes the directory that it
 * wants. */
static bool prepare_large(const struct stack *stack, char *error, size_t error_size)
{
	const struct large_config *large = large_settings(stack->options);

	return !large ||
	       (large_layer_check(large, error, error_size) &&
		(!large_layer_wants_dir(large) ||
		 data_dir_prepare(stack->config.data_dir, "--data-dir", error, error_size)));
}

static bool prepare(const struct stack *stack, char *error, size_t error_size)
{
	if (stack->ops->check_config &&
	    !stack->ops->check_config(&stack->config, error, error_size))
		return false;
	for (size_t i = 0; i < stack->routed.place_count; i++) {
		const struct backend_place *place = &stack->places[i];

		if (!options_check_limits(stack->options, place->ops, error, error_size) ||
		    (place->wants_dir &&
		     !data_dir_prepare(place->config.data_dir, "--data-dir", error, error_size)))
			return false;
	}
	return check_dirs(stack, error, error_size) && prepare_large(stack, error, error_size);
}

bool stack_read(struct stack *stack, struct options *options, const struct backend_config *base,
		char *error, size_t error_size)
{
	struct reading reading = {
		.stack = stack, .base = base, .error = error, .error_size = error_size};

	*stack = (struct stack){.options = options};
	bool is_read = add_place(&reading, options->backend) && add_routes(&reading);
	for (size_t i = 0; i < BACKEND_BRANCHES_MAX; i++) {
		free(stack->texts[i]);
		stack->texts[i] = NULL;
	}
	if (is_read) {
		choose(stack, base);
		is_read = prepare(stack, error, error_size);
	}
	if (!is_read)
		stack_deinit(stack);
	return is_read;
}

/* What is behind the layer for large values. */
static struct backend *open_near(struct stack *stack, char *error, size_t error_size)
{
	const struct tiered_config *near = option_list_settings(stack->options, &tiered_options);

	if (near->max_bytes == 0 || stack->options->disable_cache)
		return stack->ops->open(&stack->config, error, error_size);
	return tiered_open(stack->ops, &stack->config, near, error, error_size);
}

/* The backend that has the rest of the namespaces, as the store of large values knows it. Other
 * routes may come and go. */
static void name_owner(const struct stack *stack, char *ret, size_t size)
{
	const struct backend_place *place = &stack->places[0];
	char *folder = place->wants_dir ? realpath(place->config.data_dir, NULL) : NULL;
	bool is_url = !place->wants_dir && place->label && strchr(place->label, ':');

	(void)snprintf(ret, size, "%s%s%s", place->ops->name, folder || is_url ? " " : "",
		       folder   ? folder
		       : is_url ? place->label
				: "");
	free(folder);
	size_t len = strlen(ret);
	char scope[200] = "";
	if (place->ops->scope)
		place->ops->scope(&place->config, scope, sizeof(scope));
	if (*scope && len < size)
		(void)snprintf(ret + len, size - len, " %s", scope);
}

/* What is behind the layer for compression. */
static struct backend *open_whole(struct stack *stack, char *error, size_t error_size)
{
	const struct large_config *settings = large_settings(stack->options);
	struct backend *inner = open_near(stack, error, error_size);
	char owner[PATH_MAX + 64];

	if (!inner || !settings)
		return inner;
	struct large_config large = *settings;
	name_owner(stack, owner, sizeof(owner));
	large.owner = owner;
	large.whole_max_bytes = (uint64_t)(stack->options->max_body_mb * 1048576);
	struct backend *layer = large_layer_open(inner, &large, &stack->config, error, error_size);
	if (!layer)
		inner->ops->close(inner);
	return layer;
}

struct backend *stack_open(struct stack *stack, char *error, size_t error_size)
{
	struct backend *inner = open_whole(stack, error, error_size);
	struct backend *packed = inner ? packed_wrap(inner) : NULL;

	if (inner && !packed) {
		inner->ops->close(inner);
		(void)snprintf(error, error_size, "out of memory");
	}
	return packed;
}

void stack_deinit(struct stack *stack)
{
	for (size_t i = 0; i < stack->routed.place_count; i++)
		backend_place_deinit(&stack->places[i]);
	*stack = (struct stack){0};
}
