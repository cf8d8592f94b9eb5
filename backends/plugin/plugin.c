#include "backends/plugin/plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "backends/plugin/guard.h"
#include "backends/plugin/library.h"
#include "backends/plugin/watched.h"
#include "store/keeper/keeper.h"

#define WHEN_OPENED "while it was opened"

/* A backend that is open. */
struct open_plugin {
	struct open_plugin *next;
	struct backend *backend; /* NULL until it is */
	const struct plugin_library *library;
	char *settings, *data_dir; /* NULL: none */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct open_plugin *all_open;

/* ---- Which are open ---- */

static void destroy(struct open_plugin *plugin)
{
	if (plugin->settings)
		explicit_bzero(plugin->settings, strlen(plugin->settings));
	free(plugin->settings);
	free(plugin->data_dir);
	free(plugin);
}

static bool copy_text(char **ret, const char *text)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text;
}

static struct open_plugin *create(const struct plugin_library *library, const char *settings,
				  const char *data_dir)
{
	struct open_plugin *plugin = calloc(1, sizeof(*plugin));

	if (!plugin)
		return NULL;
	plugin->library = library;
	if (copy_text(&plugin->settings, settings) && copy_text(&plugin->data_dir, data_dir))
		return plugin;
	destroy(plugin);
	return NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Takes a place among those that are open. False: the same has one. */
static bool enter(struct open_plugin *plugin)
{
	bool is_new = true;

	(void)pthread_mutex_lock(&lock);
	for (struct open_plugin *at = all_open; at; at = at->next)
		is_new &= at->library != plugin->library ||
			  !is_same_text(at->settings, plugin->settings) ||
			  !is_same_text(at->data_dir, plugin->data_dir);
	if (is_new) {
		plugin->next = all_open;
		all_open = plugin;
	}
	(void)pthread_mutex_unlock(&lock);
	return is_new;
}

static void leave(struct open_plugin *plugin)
{
	struct open_plugin **at = &all_open;

	(void)pthread_mutex_lock(&lock);
	while (*at != plugin)
		at = &(*at)->next;
	*at = plugin->next;
	(void)pthread_mutex_unlock(&lock);
	destroy(plugin);
}

static void set_backend(struct open_plugin *plugin, struct backend *backend)
{
	(void)pthread_mutex_lock(&lock);
	plugin->backend = backend;
	(void)pthread_mutex_unlock(&lock);
}

/* Which one is `backend`, that is about to be closed; another one may get its address then. */
static struct open_plugin *forget_backend(const struct backend *backend)
{
	(void)pthread_mutex_lock(&lock);
	struct open_plugin *plugin = all_open;
	while (plugin->backend != backend)
		plugin = plugin->next;
	plugin->backend = NULL;
	(void)pthread_mutex_unlock(&lock);
	return plugin;
}

/* ---- The backend ---- */

static const struct plugin_library *load(const struct backend_config *config,
					 struct plugin_url *ret_url, char *error, size_t error_size)
{
	if (!plugin_url_read(config->url, ret_url, error, error_size))
		return NULL;
	plugin_guard_begin(ret_url->label, WHEN_OPENED, config);
	const struct plugin_library *library =
		plugin_library_load(ret_url, &plugin_backend_ops, error, error_size);
	plugin_guard_end();
	return library;
}

static bool plugin_check(const struct backend_config *config, char *error, size_t error_size)
{
	struct plugin_url url;

	return load(config, &url, error, error_size) != NULL;
}

/* What cannot be loaded has these, and fails in plugin_check. */
static const struct backend_ops *plugin_variant(const struct backend_config *config)
{
	struct plugin_url url;
	char error[600];
	const struct plugin_library *library = load(config, &url, error, sizeof(error));

	return library ? &library->ops : &plugin_backend_ops;
}

static struct backend *open_keeper(const struct plugin_library *library,
				   const struct plugin_url *url,
				   const struct backend_config *config, char *error,
				   size_t error_size)
{
	char reason[600] = "";

	plugin_guard_begin(url->label, WHEN_OPENED, config);
	plugin_watched_choose(library);
	struct backend *backend =
		keeper_open(&library->watched, &library->ops, config, reason, sizeof(reason));
	if (backend)
		plugin_guard_stay();
	plugin_guard_end();
	if (!backend) {
		size_t len = strlen(library->name);
		bool has_name = strncmp(reason, library->name, len) == 0 && reason[len] == ':';

		(void)snprintf(error, error_size, "%s:%s%s", url->label, has_name ? "" : " ",
			       has_name ? reason + len + 1 : reason);
	}
	return backend;
}

static struct backend *plugin_open(const struct backend_config *config, char *error,
				   size_t error_size)
{
	struct plugin_url url;
	const struct plugin_library *library = load(config, &url, error, error_size);
	bool wants_dir = library && library->driver->can & DRIVER_WANTS_DIR;

	if (!library)
		return NULL;
	struct open_plugin *plugin =
		create(library, url.settings, wants_dir ? config->data_dir : NULL);
	if (!plugin) {
		(void)snprintf(error, error_size, "%s: out of memory", url.label);
		return NULL;
	}
	if (!enter(plugin)) {
		destroy(plugin);
		(void)snprintf(error, error_size,
			       "%s is open already, with the same settings; write the same text "
			       "for one backend (--backend, --route)",
			       url.label);
		return NULL;
	}
	struct backend_config own = *config;
	own.data_dir = plugin->data_dir;
	own.settings = plugin->settings;
	struct backend *backend = open_keeper(library, &url, &own, error, error_size);
	if (backend)
		set_backend(plugin, backend);
	else
		leave(plugin);
	return backend;
}

static void plugin_close(struct backend *backend)
{
	struct open_plugin *plugin = forget_backend(backend);

	keeper_close(backend);
	leave(plugin);
}

/* Settings may name another store, or be secret. */
static void plugin_scope(const struct backend_config *config, char *ret, size_t size)
{
	const char *settings = config->url ? strchr(config->url, '?') : NULL;

	*ret = '\0';
	if (settings && settings[1])
		(void)snprintf(ret, size, "#%016llx",
			       (unsigned long long)XXH3_64bits(settings, strlen(settings)));
}

const struct backend_ops plugin_backend_ops = {
	.name = "plugin",
	.schemes = "plugin:",
	.reads_url = true,
	.shares_dir = true,
	.scope = plugin_scope,
	.check_config = plugin_check,
	.variant = plugin_variant,
	.open = plugin_open,
	KEEPER_OPS_CLOSED_BY(BACKEND_PERSISTS, plugin_close),
};
