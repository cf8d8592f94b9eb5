#include "server/config/option_list.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/invariant.h"
#include "base/words.h"
#include "server/config/option_table.h"
#include "store/registry.h"

#define OPTIONS_MAX 128
#define MODULES_MAX 16

static struct {
	struct option_place places[OPTIONS_MAX + 1];
	size_t count;
	struct {
		const struct option_table *table;
		size_t base;
	} modules[MODULES_MAX];
	size_t module_count;
	size_t settings_bytes; /* how much of struct options' module_settings is in use */
} list;

/* The option that chooses a backend takes its choices from the registry. */
static const struct option *complete(const struct option *option)
{
	static char choices[300], help[500];
	static struct option chosen;
	char names[200] = "";
	size_t len = 0, names_len = 0;

	if (option->type != OPTION_CHOICE || option->choices)
		return option;
	for (size_t i = 0;
	     backend_registry[i] && len < sizeof(choices) && names_len < sizeof(names); i++) {
		const char *between = i == 0 ? "" : backend_registry[i + 1] ? ", " : " or ";

		len += (size_t)snprintf(choices + len, sizeof(choices) - len, "%s%s", i ? " " : "",
					backend_registry[i]->name);
		names_len += (size_t)snprintf(names + names_len, sizeof(names) - names_len, "%s%s",
					      between, backend_registry[i]->name);
	}
	for (size_t i = 0; backend_registry[i]; i++) {
		struct slice scheme;

		for (const char *at = backend_registry[i]->schemes; at && words_next(&at, &scheme);)
			if (len < sizeof(choices))
				len += (size_t)snprintf(choices + len, sizeof(choices) - len,
							" %.*s%s", (int)scheme.len, scheme.data,
							scheme.data[scheme.len - 1] == ':' ? ""
											   : "://");
	}
	size_t before = strcspn(option->help, "%");
	(void)snprintf(help, sizeof(help), "%.*s%s%s", (int)before, option->help, names,
		       option->help + before + 2);
	chosen = *option;
	chosen.choices = choices;
	chosen.help = help;
	chosen.fallback = backend_registry[0]->name;
	return &chosen;
}

/* The position after the option called `flag`; the end if there is none. */
static size_t find_behind(const char *flag)
{
	for (size_t i = 0; flag && i < list.count; i++)
		if (list.places[i].option->flag && strcmp(list.places[i].option->flag, flag) == 0)
			return i + 1;
	return list.count;
}

static void insert(const struct option_table *table, size_t base)
{
	size_t at = find_behind(table->after);

	INVARIANT(list.count + table->count <= OPTIONS_MAX);
	if (list.count + table->count > OPTIONS_MAX)
		return;
	memmove(&list.places[at + table->count], &list.places[at],
		(list.count - at) * sizeof(list.places[0]));
	for (size_t i = 0; i < table->count; i++)
		list.places[at + i] = (struct option_place){complete(&table->rows[i]), base};
	list.count += table->count;
}

static void insert_module(const struct option_table *table)
{
	const size_t grain = _Alignof(max_align_t);
	size_t base = offsetof(struct options, module_settings) + list.settings_bytes;

	if (!table)
		return;
	list.settings_bytes += (table->settings_size + grain - 1) / grain * grain;
	INVARIANT(list.module_count < MODULES_MAX &&
		  list.settings_bytes <= sizeof(((struct options *)0)->module_settings));
	list.modules[list.module_count].table = table;
	list.modules[list.module_count++].base = base;
	insert(table, base);
}

const struct option_place *option_list(size_t *ret_count)
{
	if (list.count == 0) {
		insert(&option_table, 0);
		for (size_t i = 0; backend_layer_options[i]; i++)
			insert_module(backend_layer_options[i]);
		for (size_t i = 0; backend_registry[i]; i++)
			insert_module(backend_registry[i]->options);
	}
	if (ret_count)
		*ret_count = list.count;
	return list.places;
}

void *option_list_settings(struct options *options, const struct option_table *table)
{
	(void)option_list(NULL);
	for (size_t i = 0; table && i < list.module_count; i++)
		if (list.modules[i].table == table)
			return (char *)options + list.modules[i].base;
	return NULL;
}
