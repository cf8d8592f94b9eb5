#include "backends/plugin/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/percent.h"

#define SCHEME "plugin:"
/* Beside the folder of the program; cmake/driver.cmake installs and names it. */
#define PLUGIN_FOLDER "/../lib/steadycache/plugins/"

static bool refuse(const struct plugin_url *url, const char *sentence, char *error,
		   size_t error_size)
{
	(void)snprintf(error, error_size, "%s%s%s", url->label, *url->label ? ": " : "", sentence);
	return false;
}

/* Whether `name` can only be a file of that folder. */
static bool is_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && !strchr(name, '/');
}

/* The path of a plugin that is installed with the program. */
static bool find_installed(struct plugin_url *url, const char *name, char *error, size_t error_size)
{
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash = len > 0 ? (program[len] = '\0', strrchr(program, '/')) : NULL;

	if (!is_name(name))
		return refuse(
			url,
			"a plugin is named by a path with a slash, plugin:/path/driver.so, or "
			"by its name alone if it is installed with the server, plugin:lmdb",
			error, error_size);
	if (!slash)
		return refuse(url,
			      "the folder of installed plugins is unknown without /proc; name the "
			      "plugin by its path, plugin:/path/driver.so",
			      error, error_size);
	*slash = '\0';
	size_t path_len = strlen(name);
	bool has_suffix = path_len > 3 && strcmp(name + path_len - 3, ".so") == 0;
	if (snprintf(url->path, sizeof(url->path), "%s" PLUGIN_FOLDER "%s%s", program, name,
		     has_suffix ? "" : ".so") >= (int)sizeof(url->path))
		return refuse(url, "its path is too long", error, error_size);
	if (access(url->path, F_OK) == 0)
		return true;
	(void)snprintf(
		error, error_size,
		"%s: no such plugin is installed (%s); one that lies elsewhere is named by a "
		"path with a slash, plugin:./%s%s",
		url->label, url->path, name, has_suffix ? "" : ".so");
	return false;
}

bool plugin_url_read(const char *text, struct plugin_url *ret, char *error, size_t error_size)
{
	const char *rest = text ? strchr(text, ':') : NULL;
	char decoded[PATH_MAX];
	size_t len = 0;

	memset(ret, 0, sizeof(*ret));
	rest = !rest ? "" : rest + (strncmp(rest, "://", 3) == 0 ? 3 : 1);
	struct slice path = {.data = rest, .len = strcspn(rest, "?")};
	if (path.len == 0) {
		(void)snprintf(ret->label, sizeof(ret->label), "plugin");
		return refuse(ret, "which one is missing: write plugin:/path/driver.so", error,
			      error_size);
	}
	ret->settings = rest[path.len] == '?' ? rest + path.len + 1 : NULL;
	(void)snprintf(ret->label, sizeof(ret->label), SCHEME "%.*s", (int)path.len, path.data);
	if (path.len >= sizeof(decoded))
		return refuse(ret, "its path is too long", error, error_size);
	if (!percent_decode(path, decoded, &len) || memchr(decoded, '\0', len))
		return refuse(ret, "its path has a % that is not one of %XX", error, error_size);
	decoded[len] = '\0';
	if (decoded[0] == '~')
		return refuse(ret, "only a shell knows what ~ is: write the whole path", error,
			      error_size);
	if (!strchr(decoded, '/'))
		return find_installed(ret, decoded, error, error_size);
	memcpy(ret->path, decoded, len + 1);
	return true;
}
