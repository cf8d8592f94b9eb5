#include "steadytext/import_entries.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "steadytext/collector.h"
#include "steadytext/import_tell.h"

/* Entries of one file that are told one by one. */
#define TOLD_MAX 10
/* How often it is told how far a file is. */
#define PROGRESS_EVERY_US (20 * US_PER_S)
/* Bytes of a key that are shown. */
#define SHOWN_KEY_BYTES 60

#define TELL(taking, level, ...)                                                                   \
	steadytext_import_tell((taking)->import, STEADYTEXT_##level, (taking)->name, __VA_ARGS__)

/* " (key 'abc...')", or nothing if keys are not to be shown. */
static void show_key(const struct steadytext_taking *taking, struct slice key, char *ret,
		     size_t size)
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

/* The same sentence is told once, as long as no other comes in between. */
static void skip(struct steadytext_taking *taking, struct slice key, const char *why)
{
	char sentence[sizeof(taking->told)];
	char shown[SHOWN_KEY_BYTES + 32];

	taking->skipped++;
	show_key(taking, key, shown, sizeof(shown));
	(void)snprintf(sentence, sizeof(sentence), "%s%s", why, shown);
	if (taking->told_count == TOLD_MAX || strcmp(sentence, taking->told) == 0)
		return;
	taking->told_count++;
	memcpy(taking->told, sentence, sizeof(sentence));
	TELL(taking, WARN, "skipped: %s", sentence);
}

/* Hands what was gathered to the sink. False: the store failed, with taking->reason. */
static bool flush(struct steadytext_taking *taking, struct steadytext_collector *collector)
{
	struct steadytext_batch *batch = steadytext_collector_batch(collector);
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
	steadytext_collector_empty(collector);
	return true;
}

/* For whoever waits. */
static void tell_progress(struct steadytext_taking *taking)
{
	int64_t now_us = monotonic_now_us();

	if (now_us - taking->told_us < PROGRESS_EVERY_US)
		return;
	taking->told_us = now_us;
	TELL(taking, INFO, "%" PRIu64 " of %" PRIu64 " entries so far",
	     taking->entries + taking->kept + taking->skipped, steadytext_file_count(taking->file));
}

static bool is_over(const struct steadytext_import *import)
{
	return import->is_over && import->is_over(import->user);
}

/* The next entry into the collector. False: there is none, with *ret_whole if the file is at its
 * end, else with taking->reason. */
static bool gather(struct steadytext_taking *taking, struct steadytext_collector *collector,
		   bool *ret_whole)
{
	struct steadytext_entry entry;
	enum steadytext_step step =
		steadytext_file_next(taking->file, &entry, taking->reason, sizeof(taking->reason));

	*ret_whole = step == STEADYTEXT_END;
	if (step == STEADYTEXT_SKIPPED)
		skip(taking, entry.key, taking->reason);
	if (step != STEADYTEXT_ENTRY)
		return step == STEADYTEXT_SKIPPED;
	if (steadytext_collector_add(collector, &entry))
		return true;
	(void)snprintf(taking->reason, sizeof(taking->reason), "out of memory");
	return false;
}

static bool take_all(struct steadytext_taking *taking, struct steadytext_collector *collector)
{
	char why[STEADYTEXT_REASON_SIZE];
	bool is_whole = false;

	while (gather(taking, collector, &is_whole)) {
		if (!steadytext_collector_is_full(collector))
			continue;
		if (!flush(taking, collector))
			return false;
		tell_progress(taking);
		taking->import->was_ended = is_over(taking->import);
		if (taking->import->was_ended)
			return false;
	}
	if (is_whole)
		return flush(taking, collector);
	/* What came before the fault is sound. */
	memcpy(why, taking->reason, sizeof(why));
	(void)flush(taking, collector);
	memcpy(taking->reason, why, sizeof(why));
	return false;
}

bool steadytext_import_entries(struct steadytext_taking *taking)
{
	struct steadytext_collector *collector =
		steadytext_collector_create(taking->ns, taking->import->is_dry);

	taking->told_us = monotonic_now_us();
	if (!collector)
		(void)snprintf(taking->reason, sizeof(taking->reason), "out of memory");
	bool is_whole = collector && take_all(taking, collector);
	steadytext_collector_free(collector);
	return is_whole;
}

void steadytext_import_tell_taken(const struct steadytext_taking *taking)
{
	const char *would = taking->import->is_dry ? " would be" : "";
	char skipped[64] = "";

	if (taking->skipped > taking->told_count)
		TELL(taking, WARN, "%" PRIu64 " more were skipped",
		     taking->skipped - taking->told_count);
	if (taking->skipped > 0)
		(void)snprintf(skipped, sizeof(skipped), ", %" PRIu64 " skipped", taking->skipped);
	TELL(taking, INFO, "%" PRIu64 " %s%s taken, %" PRIu64 " %s there already%s",
	     taking->entries, taking->entries == 1 ? "entry" : "entries", would, taking->kept,
	     taking->kept == 1 ? "was" : "were", skipped);
	if (taking->history_lost > 0)
		TELL(taking, WARN, "this store keeps no frequency and last access of entries");
	if (taking->evicted > 0)
		TELL(taking, WARN,
		     "%s has evicted %" PRIu64 " entries meanwhile: its limits hold less than the "
		     "file has, as values are a third longer in base64; raise them (PUT "
		     "/cache/%s, or the server's options)",
		     taking->ns, taking->evicted, taking->ns);
}
