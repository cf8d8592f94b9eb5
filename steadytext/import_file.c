#include "steadytext/import_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "steadytext/collector.h"
#include "steadytext/import_tell.h"
#include "steadytext/mark.h"
#include "store/namespace.h"

/* Entries of one file that are told one by one. */
#define TOLD_MAX 10
/* Bytes of a key that are shown. */
#define SHOWN_KEY_BYTES 60

struct taking {
	struct steadytext_import *import;
	const char *name;
	char ns[NAMESPACE_MAX_LEN + 1];
	bool is_pkl;
	char mark_key[STEADYTEXT_MARK_KEY_SIZE];
	struct steadytext_file *file;
	struct steadytext_collector *collector;
	uint64_t entries, kept, skipped, history_lost, evicted;
	char reason[STEADYTEXT_REASON_SIZE];
};

#define TELL(taking, level, ...)                                                                   \
	steadytext_import_tell((taking)->import, STEADYTEXT_##level, (taking)->name, __VA_ARGS__)

/* ---- Entries ---- */

/* " (key 'abc...')", or nothing if keys are not to be shown. */
static void show_key(const struct taking *taking, struct slice key, char *ret, size_t size)
{
	char text[SHOWN_KEY_BYTES + 1];
	size_t len = key.len < SHOWN_KEY_BYTES ? key.len : SHOWN_KEY_BYTES;

	*ret = '\0';
	if (!taking->import->shows_keys || key.len == 0)
		return;
	memcpy(text, key.data, len);
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	(void)snprintf(ret, size, " (key %s%s)", text, len < key.len ? "..." : "");
}

static void skip(struct taking *taking, struct slice key, const char *why)
{
	char shown[SHOWN_KEY_BYTES + 32];

	if (taking->skipped++ >= TOLD_MAX)
		return;
	show_key(taking, key, shown, sizeof(shown));
	TELL(taking, WARN, "skipped: %s%s", why, shown);
}

/* Hands what was gathered to the sink. False: the store failed, with taking->reason. */
static bool flush(struct taking *taking)
{
	struct steadytext_batch *batch = steadytext_collector_batch(taking->collector);
	struct steadytext_sink *sink = taking->import->sink;

	if (batch->count > 0 &&
	    !sink->ops->put(sink, batch, taking->reason, sizeof(taking->reason)))
		return false;
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->outcomes[i] == STEADYTEXT_REFUSED)
			skip(taking, batch->entries[i].key, batch->reasons[i]);
		else if (batch->outcomes[i] == STEADYTEXT_KEPT)
			taking->kept++;
		else
			taking->entries++;
	}
	taking->history_lost += batch->history_lost;
	steadytext_collector_empty(taking->collector);
	return true;
}

static bool is_over(const struct steadytext_import *import)
{
	return import->is_over && import->is_over(import->user);
}

/* Reads the file to its end, and stores all of it. False, with taking->reason. */
static bool take_all(struct taking *taking)
{
	struct steadytext_entry entry;

	for (;;) {
		enum steadytext_step step = steadytext_file_next(
			taking->file, &entry, taking->reason, sizeof(taking->reason));
		bool is_good = true;

		switch (step) {
		case STEADYTEXT_ENTRY:
			is_good = steadytext_collector_add(taking->collector, &entry);
			if (!is_good)
				(void)snprintf(taking->reason, sizeof(taking->reason),
					       "out of memory");
			break;
		case STEADYTEXT_SKIPPED:
			skip(taking, entry.key, taking->reason);
			continue;
		case STEADYTEXT_END:
			return flush(taking);
		case STEADYTEXT_FAILED:
			is_good = false;
			break;
		}
		if (is_good && steadytext_collector_is_full(taking->collector)) {
			is_good = flush(taking);
			taking->import->was_ended = is_good && is_over(taking->import);
		}
		if (!is_good || taking->import->was_ended)
			return false;
	}
}

/* ---- The end of a file ---- */

static void tell_taken(const struct taking *taking)
{
	const char *would = taking->import->is_dry ? " would be" : "";
	char skipped[64] = "";

	if (taking->skipped > TOLD_MAX)
		TELL(taking, WARN, "%" PRIu64 " more were skipped", taking->skipped - TOLD_MAX);
	if (taking->skipped > 0)
		(void)snprintf(skipped, sizeof(skipped), ", %" PRIu64 " skipped", taking->skipped);
	TELL(taking, INFO, "%" PRIu64 " entries%s taken, %" PRIu64 " were there already%s",
	     taking->entries, would, taking->kept, skipped);
	if (taking->history_lost > 0)
		TELL(taking, WARN, "this store keeps no frequency and last access of entries");
	if (taking->evicted > 0)
		TELL(taking, WARN,
		     "%s has evicted %" PRIu64 " entries meanwhile: its limits hold less than the "
		     "file has, as values are a third longer in base64; raise them (PUT "
		     "/cache/%s, or the server's options)",
		     taking->ns, taking->evicted, taking->ns);
}

/* Why a .pkl stays; NULL: it need not. */
static const char *why_it_stays(const struct taking *taking, bool survives)
{
	if (taking->import->keeps)
		return "as you wish";
	if (taking->skipped > 0)
		return "as something of it was not taken";
	if (taking->evicted > 0)
		return "as the store has evicted entries";
	if (!survives)
		return "as the store forgets its entries when it ends";
	return NULL;
}

static bool remember(struct taking *taking, bool is_removable)
{
	const struct steadytext_mark mark = {
		.name = taking->name,
		.imported_us = cache_clock_now_us(&system_clock),
		.entries = taking->entries,
		.kept = taking->kept,
		.skipped = taking->skipped,
		.evicted = taking->evicted,
		.is_removable = is_removable,
	};
	struct steadytext_sink *sink = taking->import->sink;
	struct buffer text = {0};

	steadytext_mark_write(&mark, &text);
	bool is_good =
		!text.failed && sink->ops->set_mark(sink, taking->mark_key, buffer_bytes(&text),
						    taking->reason, sizeof(taking->reason));
	if (text.failed)
		(void)snprintf(taking->reason, sizeof(taking->reason), "out of memory");
	buffer_deinit(&text);
	return is_good;
}

static bool count_evicted(struct taking *taking, uint64_t *ret)
{
	struct steadytext_sink *sink = taking->import->sink;

	*ret = 0;
	return taking->import->is_dry || !sink->ops->evicted ||
	       sink->ops->evicted(sink, taking->ns, ret, taking->reason, sizeof(taking->reason));
}

/* Everything of the file has been put. */
static bool finish(struct taking *taking, uint64_t evicted_before)
{
	struct steadytext_sink *sink = taking->import->sink;
	struct steadytext_settled settled = {0};
	char why[STEADYTEXT_REASON_SIZE];
	uint64_t evicted = 0;

	if (taking->import->is_dry) {
		tell_taken(taking);
		return true;
	}
	if (!sink->ops->settle(sink, taking->ns, &settled, taking->reason,
			       sizeof(taking->reason)) ||
	    !count_evicted(taking, &evicted))
		return false;
	taking->evicted = evicted > evicted_before ? evicted - evicted_before : 0;
	const char *stays = why_it_stays(taking, settled.survives);
	tell_taken(taking);
	if (!remember(taking, taking->is_pkl && !stays))
		return false;
	if (taking->is_pkl && stays)
		TELL(taking, INFO, "the file stays, %s", stays);
	else if (!steadytext_file_remove(taking->file, why, sizeof(why)))
		TELL(taking, WARN, "the file stays, as it %s", why);
	else if (taking->is_pkl)
		TELL(taking, INFO, "the file is removed");
	return true;
}

/* ---- All of it ---- */

static void take(struct taking *taking)
{
	struct steadytext_import *import = taking->import;
	uint64_t evicted_before = 0;

	taking->collector = steadytext_collector_create(taking->ns, import->is_dry);
	if (!taking->collector)
		(void)snprintf(taking->reason, sizeof(taking->reason), "out of memory");
	bool is_good = taking->collector && count_evicted(taking, &evicted_before) &&
		       take_all(taking) && finish(taking, evicted_before);
	import->entries += taking->entries;
	import->kept += taking->kept;
	import->skipped += taking->skipped;
	import->evicted += taking->evicted;
	if (is_good) {
		import->files++;
	} else if (import->was_ended) {
		TELL(taking, WARN,
		     "ended after %" PRIu64 " entries; the next import takes the rest",
		     taking->entries + taking->kept);
	} else {
		import->files_failed++;
		TELL(taking, ERROR, "failed after %" PRIu64 " entries: %s",
		     taking->entries + taking->kept, taking->reason);
	}
	steadytext_collector_free(taking->collector);
}

static void open_and_take(struct taking *taking, const char *dir_path)
{
	struct steadytext_import *import = taking->import;
	bool is_foreign = false;
	char *path = NULL;

	if (asprintf(&path, "%s/%s", dir_path, taking->name) < 0)
		path = NULL;
	(void)snprintf(taking->reason, sizeof(taking->reason), "cannot be read: out of memory");
	if (path)
		taking->file = steadytext_file_open(path, &import->sink->limits,
						    cache_clock_now_us(&system_clock), &is_foreign,
						    taking->reason, sizeof(taking->reason));
	free(path);
	if (taking->file) {
		take(taking);
	} else if (is_foreign) {
		TELL(taking, WARN, "%s", taking->reason);
	} else {
		import->files_failed++;
		TELL(taking, ERROR, "%s", taking->reason);
	}
	steadytext_file_close(taking->file);
}

/* The file was imported, but an end of the process came before its removal. */
static void remove_late(struct taking *taking, int dir)
{
	char key[STEADYTEXT_MARK_KEY_SIZE];

	if (!steadytext_mark_key(dir, taking->name, key, taking->reason, sizeof(taking->reason)) ||
	    strcmp(key, taking->mark_key) != 0)
		return;
	if (unlinkat(dir, taking->name, 0) == 0)
		TELL(taking, INFO, "was imported before; the file is removed");
	else
		TELL(taking, WARN, "was imported before, and cannot be removed: %m");
}

/* False: the store failed. */
static bool was_imported(struct taking *taking, int dir, bool *ret)
{
	struct steadytext_import *import = taking->import;
	struct steadytext_sink *sink = import->sink;
	struct buffer text = {0};

	*ret = false;
	if (import->again)
		return true;
	if (!sink->ops->get_mark(sink, taking->mark_key, ret, &text, taking->reason,
				 sizeof(taking->reason))) {
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
	struct taking taking = {.import = import, .name = name};
	bool is_done = false;
	size_t len = 0;

	if (!steadytext_file_is_named(name, &len) ||
	    !namespace_name_is_valid((struct slice){.data = name, .len = len})) {
		TELL(&taking, WARN, "skipped: its name cannot be that of a namespace");
		return true;
	}
	(void)snprintf(taking.ns, sizeof(taking.ns), "%.*s", (int)len, name);
	taking.is_pkl = strcmp(name + len, ".pkl") == 0;
	if (strcmp(taking.ns, STEADYTEXT_MARKS) == 0) {
		TELL(&taking, WARN, "skipped: the namespace of this name is for what was imported");
	} else if (!steadytext_mark_key(dir, name, taking.mark_key, taking.reason,
					sizeof(taking.reason))) {
		TELL(&taking, WARN, "skipped: it %s", taking.reason);
	} else if (!was_imported(&taking, dir, &is_done)) {
		import->files_failed++;
		TELL(&taking, ERROR, "failed: %s", taking.reason);
		return false;
	} else if (is_done) {
		import->files_before++;
	} else {
		open_and_take(&taking, dir_path);
	}
	return true;
}
