#include "handlers/watch/watch_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/utf8.h"
#include "handlers/json/entry_json.h"
#include "handlers/watch/ring.h"

/* After which a client connects again, ms. */
#define RETRY_MS 1000
/* A buffer up to this size stays while the stream waits. */
#define KEPT_BYTES 512

static struct watch_stream *watch_of(struct body_stream *stream)
{
	return (struct watch_stream *)stream;
}

/* ---- Events ---- */

static void begin_event(struct watch_stream *watch, const char *name, uint64_t position)
{
	char id[WATCH_ID_LEN + 1];

	watcher_write_id(&watch->watcher, position, id);
	buffer_printf(&watch->stream.bytes, "event: %s\nid: %s\ndata: {", name, id);
}

static void end_event(struct watch_stream *watch)
{
	buffer_append(&watch->stream.bytes, SLICE("}\n\n"));
}

static void write_prefix(struct buffer *out, struct slice prefix)
{
	bool is_text = utf8_is_valid(prefix);

	json_out_raw(out, is_text ? "\"prefix\":" : "\"prefix_base64\":");
	if (is_text)
		json_out_string(out, prefix);
	else
		json_out_base64(out, prefix);
}

static void write_change(struct watch_stream *watch, const struct watch_record *record,
			 uint64_t position)
{
	static const char *const names[] = {
		[CHANGE_SET] = "set",     [CHANGE_DELETE] = "delete", [CHANGE_EXPIRE] = "expire",
		[CHANGE_EVICT] = "evict", [CHANGE_CLEAR] = "clear",   [CHANGE_MISSED] = "reset",
	};

	begin_event(watch, names[record->kind], position);
	if (record->kind == CHANGE_CLEAR)
		write_prefix(&watch->stream.bytes, record->key);
	else
		entry_json_append_key(&watch->stream.bytes, record->key);
	end_event(watch);
}

static void write_reset(struct watch_stream *watch)
{
	begin_event(watch, "reset", watch->watcher.position);
	end_event(watch);
	watch_hub_count(watch->watcher.hub, 0, 1);
}

static void write_ready(struct watch_stream *watch)
{
	struct buffer *out = &watch->stream.bytes;

	buffer_printf(out, "retry: %d\n", RETRY_MS);
	begin_event(watch, "ready", watch->watcher.position);
	json_out_raw(out, "\"namespace\":");
	json_out_string(out, slice_of(watch->ns));
	buffer_append_char(out, ',');
	write_prefix(out, watch->watcher.prefix);
	json_out_raw(out, watch->is_resumed ? ",\"resumed\":true" : ",\"resumed\":false");
	end_event(watch);
	watch->has_begun = true;
	if (watch->has_missed)
		write_reset(watch);
}

/* A comment; and an id, so that who hears of few changes still knows how far it is. */
static void write_beat(struct watch_stream *watch)
{
	char id[WATCH_ID_LEN + 1];

	watcher_write_id(&watch->watcher, watch->watcher.position, id);
	buffer_printf(&watch->stream.bytes, ":\nid: %s\n\n", id);
}

/* Writes those of the records that have the prefix; the last ends where the watcher is. */
static void write_changes(struct watch_stream *watch, struct slice records)
{
	uint64_t position = watch->watcher.position - records.len;
	struct watch_record record;
	uint64_t count = 0;

	while (watch_record_take(&records, &record)) {
		position += record.len;
		if (!watch_record_concerns(&record, watch->watcher.prefix))
			continue;
		write_change(watch, &record, position);
		count++;
	}
	watch_hub_count(watch->watcher.hub, count, 0);
}

/* ---- The stream ---- */

/* While it waits, which may be for days, it keeps little. */
static void give_back(struct buffer *bytes)
{
	if (bytes->capacity > KEPT_BYTES)
		buffer_deinit(bytes);
}

static enum stream_step take_next(struct watch_stream *watch)
{
	struct buffer records = {0};
	enum stream_step step = STREAM_BYTES;

	/* Before the wait begins: another thread may be here as soon as it is over. */
	give_back(&watch->stream.bytes);
	switch (watcher_next(&watch->watcher, &records)) {
	case WATCH_RECORDS:
		write_changes(watch, buffer_bytes(&records));
		break;
	case WATCH_MISSED:
		write_reset(watch);
		break;
	case WATCH_BEAT:
		write_beat(watch);
		break;
	case WATCH_WAIT:
		step = STREAM_WAIT;
		break;
	case WATCH_END:
		step = STREAM_END;
		break;
	case WATCH_FAILED:
		step = STREAM_FAILED;
		break;
	}
	buffer_deinit(&records);
	return step;
}

static enum stream_step watch_next(struct body_stream *stream)
{
	struct watch_stream *watch = watch_of(stream);
	enum stream_step step = STREAM_BYTES;

	if (stream->stopping)
		return STREAM_END;
	if (!watch->has_begun)
		write_ready(watch);
	else
		step = take_next(watch);
	return step == STREAM_BYTES && stream->bytes.failed ? STREAM_FAILED : step;
}

static void wake(void *user)
{
	struct watch_stream *watch = user;

	watch->stream.wake(&watch->stream);
}

struct watch_stream *watch_stream_create(struct slice ns, size_t prefix_size)
{
	struct watch_stream *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->prefix = malloc(prefix_size + 1);
	if (!watch->prefix) {
		free(watch);
		return NULL;
	}
	watch->stream.next = watch_next;
	watch->stream.close = watch_stream_close;
	watch->stream.is_endless = true;
	watch->watcher.wake = wake;
	watch->watcher.user = watch;
	memcpy(watch->ns, ns.data, ns.len);
	return watch;
}

void watch_stream_close(struct body_stream *stream)
{
	struct watch_stream *watch = watch_of(stream);

	if (watch->is_attached)
		watcher_detach(&watch->watcher);
	buffer_deinit(&stream->bytes);
	free(watch->prefix);
	free(watch);
}
