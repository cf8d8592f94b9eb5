#include "steadytext/import_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "steadytext/import_entries.h"
#include "steadytext/import_tell.h"
#include "steadytext/mark.h"

/* A file on its way. */
struct taking {
	struct steadytext_taking of; /* its entries */
	bool is_pkl;
	char mark_key[STEADYTEXT_MARK_KEY_SIZE];
};

#define TELL(taking, level, ...)                                                                   \
	steadytext_import_tell((taking)->of.import, STEADYTEXT_##level, (taking)->of.name,         \
			       __VA_ARGS__)

/* ---- The end of a file ---- */

/* Why a .pkl stays; NULL: it need not. */
static const char *why_it_stays(const struct taking *taking, bool survives)
{
	if (taking->of.import->keeps)
		return "as you wish";
	if (taking->of.skipped > 0)
		return "as something of it was not taken";
	if (taking->of.evicted > 0)
		return "as the store has evicted entries";
	if (!survives)
		return "as the store forgets its entries when it ends";
	return NULL;
}

static bool remember(struct taking *taking, bool is_removable)
{
	const struct steadytext_mark mark = {
		.name = taking->of.name,
		.imported_us = cache_clock_now_us(&system_clock),
		.entries = taking->of.entries,
		.kept = taking->of.kept,
		.skipped = taking->of.skipped,
		.evicted = taking->of.evicted,
		.is_removable = is_removable,
	};
	struct steadytext_sink *sink = taking->of.import->sink;
	struct buffer text = {0};

	steadytext_mark_write(&mark, &text);
	bool is_good =
		!text.failed && sink->ops->set_mark(sink, taking->mark_key, buffer_bytes(&text),
						    taking->of.reason, sizeof(taking->of.reason));
	if (text.failed)
		(void)snprintf(taking->of.reason, sizeof(taking->of.reason), "out of memory");
	buffer_deinit(&text);
	return is_good;
}

static bool count_evicted(struct taking *taking, uint64_t *ret)
{
	struct steadytext_sink *sink = taking->of.import->sink;

	*ret = 0;
	return taking->of.import->is_dry || !sink->ops->evicted ||
	       sink->ops->evicted(sink, taking->of.ns, ret, taking->of.reason,
				  sizeof(taking->of.reason));
}

/* Everything of the file has been put. */
static bool finish(struct taking *taking, uint64_t evicted_before)
{
	struct steadytext_sink *sink = taking->of.import->sink;
	struct steadytext_settled settled = {0};
	char why[STEADYTEXT_REASON_SIZE];
	uint64_t evicted = 0;

	if (taking->of.import->is_dry) {
		steadytext_import_tell_taken(&taking->of);
		return true;
	}
	if (!sink->ops->settle(sink, taking->of.ns, &settled, taking->of.reason,
			       sizeof(taking->of.reason)) ||
	    !count_evicted(taking, &evicted))
		return false;
	taking->of.evicted = evicted > evicted_before ? evicted - evicted_before : 0;
	const char *stays = why_it_stays(taking, settled.survives);
	steadytext_import_tell_taken(&taking->of);
	if (!remember(taking, taking->is_pkl && !stays))
		return false;
	if (taking->is_pkl && stays)
		TELL(taking, INFO, "the file stays, %s", stays);
	else if (!steadytext_file_remove(taking->of.file, why, sizeof(why)))
		TELL(taking, WARN, "the file stays, as it %s", why);
	else if (taking->is_pkl)
		TELL(taking, INFO, "the file is removed");
	return true;
}

/* ---- All of it ---- */

static void take(struct taking *taking)
{
	struct steadytext_import *import = taking->of.import;
	uint64_t evicted_before = 0;

	bool is_good = count_evicted(taking, &evicted_before) &&
		       steadytext_import_entries(&taking->of) && finish(taking, evicted_before);
	import->entries += taking->of.entries;
	import->kept += taking->of.kept;
	import->skipped += taking->of.skipped;
	import->evicted += taking->of.evicted;
	if (is_good) {
		import->files++;
	} else if (import->was_ended) {
		TELL(taking, WARN,
		     "ended after %" PRIu64 " entries; the next import takes the rest",
		     taking->of.entries + taking->of.kept);
	} else {
		import->files_failed++;
		TELL(taking, ERROR, "failed after %" PRIu64 " entries: %s",
		     taking->of.entries + taking->of.kept, taking->of.reason);
	}
}

/* Whether it still is the file that was looked up, as what is taken is noted for that one. */
static bool is_still_it(struct taking *taking, int dir)
{
	char key[STEADYTEXT_MARK_KEY_SIZE];
	char why[STEADYTEXT_REASON_SIZE];

	if (steadytext_mark_key(dir, taking->of.name, key, why, sizeof(why)) &&
	    strcmp(key, taking->mark_key) == 0)
		return true;
	(void)snprintf(taking->of.reason, sizeof(taking->of.reason),
		       "was replaced while it was opened: import it again");
	return false;
}

static void open_and_take(struct taking *taking, int dir, const char *dir_path)
{
	struct steadytext_import *import = taking->of.import;
	bool is_foreign = false;
	char *path = NULL;

	if (asprintf(&path, "%s/%s", dir_path, taking->of.name) < 0)
		path = NULL;
	(void)snprintf(taking->of.reason, sizeof(taking->of.reason),
		       "cannot be read: out of memory");
	if (path)
		taking->of.file = steadytext_file_open(
			path, &import->sink->limits, cache_clock_now_us(&system_clock), &is_foreign,
			taking->of.reason, sizeof(taking->of.reason));
	free(path);
	bool is_it = taking->of.file && is_still_it(taking, dir);
	if (is_it) {
		take(taking);
	} else if (is_foreign) {
		TELL(taking, WARN, "%s", taking->of.reason);
	} else {
		import->files_failed++;
		TELL(taking, ERROR, "%s", taking->of.reason);
	}
	steadytext_file_close(taking->of.file);
}

/* The file was imported, but an end of the process came before its removal. */
static void remove_late(struct taking *taking, int dir)
{
	char key[STEADYTEXT_MARK_KEY_SIZE];

	if (!steadytext_mark_key(dir, taking->of.name, key, taking->of.reason,
				 sizeof(taking->of.reason)) ||
	    strcmp(key, taking->mark_key) != 0)
		return;
	if (unlinkat(dir, taking->of.name, 0) == 0)
		TELL(taking, INFO, "was imported before; the file is removed");
	else
		TELL(taking, WARN, "was imported before, and cannot be removed: %m");
}

/* False: the store failed. */
static bool was_imported(struct taking *taking, int dir, bool *ret)
{
	struct steadytext_import *import = taking->of.import;
	struct steadytext_sink *sink = import->sink;
	struct buffer text = {0};

	*ret = false;
	if (import->again)
		return true;
	if (!sink->ops->get_mark(sink, taking->mark_key, ret, &text, taking->of.reason,
				 sizeof(taking->of.reason))) {
		buffer_deinit(&text);
		return false;
	}
	if (*ret && taking->is_pkl && !import->keeps && !import->is_dry &&
	    steadytext_mark_is_removable(buffer_bytes(&text)))
		remove_late(taking, dir);
	else if (*ret)
		TELL(taking, INFO, "was imported before");
	buffer_deinit(&text);
	return true;
}

bool steadytext_import_file(struct steadytext_import *import, int dir, const char *dir_path,
			    const char *name)
{
	struct taking taking = {.of = {.import = import, .name = name}};
	bool is_done = false;
	size_t len = 0;

	if (!steadytext_file_is_named(name, &len) ||
	    !namespace_name_is_valid((struct slice){.data = name, .len = len})) {
		TELL(&taking, WARN,
		     "skipped: its name cannot be that of a namespace (64 letters, digits, _, . "
		     "and - at most); import a copy with another one");
		return true;
	}
	(void)snprintf(taking.of.ns, sizeof(taking.of.ns), "%.*s", (int)len, name);
	taking.is_pkl = strcmp(name + len, ".pkl") == 0;
	if (strcmp(taking.of.ns, STEADYTEXT_MARKS) == 0) {
		TELL(&taking, WARN, "skipped: the namespace of this name is for what was imported");
	} else if (!steadytext_mark_key(dir, name, taking.mark_key, taking.of.reason,
					sizeof(taking.of.reason))) {
		TELL(&taking, WARN, "skipped: it %s", taking.of.reason);
	} else if (!was_imported(&taking, dir, &is_done)) {
		import->files_failed++;
		TELL(&taking, ERROR, "failed: %s", taking.of.reason);
		return false;
	} else if (is_done) {
		import->files_before++;
	} else {
		open_and_take(&taking, dir, dir_path);
	}
	return true;
}
