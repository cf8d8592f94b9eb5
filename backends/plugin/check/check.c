#include "backends/plugin/check/check.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/plugin/check/kill.h"
#include "backends/plugin/check/rules.h"
#include "backends/plugin/guard.h"
#include "backends/plugin/library.h"
#include "backends/plugin/plugin.h"

static void tell_notice(void *user, enum driver_notice level, const char *sentence)
{
	if (level >= DRIVER_WARN)
		(void)fprintf(user, "       notice: %s\n", sentence);
}

/* ---- The folder ---- */

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *place)
{
	(void)file;
	(void)kind;
	(void)place;
	return remove(path);
}

static bool make_folder(char ret[64], char *error, size_t error_size)
{
	const char *root = getenv("TMPDIR");
	int len = snprintf(ret, 64, "%s/steadycache-check-XXXXXX", root && *root ? root : "/tmp");

	if (len < 64 && mkdtemp(ret))
		return true;
	(void)snprintf(error, error_size, "no folder could be made in %s ($TMPDIR): %s",
		       root && *root ? root : "/tmp",
		       len < 64 ? strerror(errno) : "its name is too long");
	return false;
}

/* ---- The rules ---- */

static bool tell(struct plugin_check *check, const char *rule, bool holds)
{
	(void)fprintf(check->out, holds ? "ok     %s\n" : "FAILED %s: %s\n", rule, check->why);
	(void)fflush(check->out);
	return holds;
}

static bool run_kills(struct plugin_check *check)
{
	plugin_records_close(check);
	return !(check->ops->can & DRIVER_PERSISTS) ||
	       tell(check, "after a kill -9 an apply was made as a whole or not at all",
		    plugin_kill_holds(check));
}

/* A driver that broke a rule may do anything then: the first ends the check. */
static bool run_rules(struct plugin_check *check)
{
	for (size_t i = 0; i < plugin_rules_count; i++) {
		const struct plugin_rule *rule = &plugin_rules[i];

		if ((rule->can & check->ops->can) == rule->can &&
		    !tell(check, rule->text, rule->holds(check)))
			return false;
	}
	return run_kills(check);
}

static bool check_library(const struct plugin_library *library, const struct plugin_url *url,
			  FILE *out, char *error, size_t error_size)
{
	char folder[64];
	struct plugin_check check = {
		.ops = library->driver,
		.out = out,
		.config = {.size = sizeof(check.config),
			   .settings = url->settings,
			   .notice = tell_notice,
			   .notice_user = out},
	};

	if (!make_folder(folder, error, error_size))
		return false;
	if (library->driver->can & DRIVER_WANTS_DIR)
		check.config.data_dir = folder;
	plugin_records_name(&check);
	check.room = malloc(PLUGIN_BODY_MAX);
	bool holds = check.room && run_rules(&check);
	plugin_records_close(&check);
	if (!holds)
		(void)snprintf(error, error_size, "%s: %s", url->label,
			       check.room ? "it breaks a rule of driver.h" : "out of memory");
	free(check.room);
	(void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return holds;
}

bool plugin_check_run(const char *text, FILE *out, char *error, size_t error_size)
{
	static const struct backend_config nobody_listens;
	char named[PATH_MAX + 8];
	struct plugin_url url;

	(void)snprintf(named, sizeof(named), "%s%s",
		       strncasecmp(text, "plugin:", 7) == 0 ? "" : "plugin:", text);
	if (!plugin_url_read(named, &url, error, error_size))
		return false;
	plugin_guard_begin(url.label, "while it was checked", &nobody_listens);
	const struct plugin_library *library =
		plugin_library_load(&url, &plugin_backend_ops, error, error_size);
	bool holds = library && check_library(library, &url, out, error, error_size);
	plugin_guard_end();
	return holds;
}
