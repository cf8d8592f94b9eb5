/* The body of an export, in constant memory.
 *
 * A page is a listing of up to PAGE_ENTRIES keys; their values are then fetched in batches of about
 * BATCH_BYTES, without counting as uses, and written. A cursor follows each batch. Nothing is
 * fetched before the earlier lines were sent, so a slow reader costs one batch. */
#include "handlers/transfer/export_stream.h"

#include <stdlib.h>

#include "base/json_out.h"
#include "handlers/respond/status.h"

#define PAGE_KEY_BYTES ((size_t)256 << 10)
#define BATCH_BYTES    ((uint64_t)1 << 20)
/* Bytes passed on at a time, exceeded by at most one piece of a value. */
#define SEND_BYTES 32768

static struct export *export_of(struct body_stream *stream)
{
	return (struct export *)(void *)stream;
}

void export_stream_close(struct body_stream *stream)
{
	struct export *export = export_of(stream);

	export_line_deinit(&export->line);
	cache_op_deinit(&export->stream.op);
	cache_op_deinit(&export->page);
	buffer_deinit(&export->stream.bytes);
	export_place_deinit(&export->place);
	free(export->names);
	free(export->prefix);
	free(export);
}

/* ---- Ends ---- */

/* Whether the position has a cursor that fits into a URL. Without one an export that breaks off
 * resumes at an earlier one. */
static bool has_cursor(const struct export *export)
{
	return export->place.ns[0] != '\0' && export->place.key_len <= CURSOR_KEY_BYTES;
}

static void end_early(struct export *export, const char *error)
{
	struct buffer *out = &export->stream.bytes;

	json_out_raw(out, "{\"complete\":false,\"error\":");
	json_out_string(out, slice_of(error));
	if (has_cursor(export)) {
		json_out_raw(out, ",\"cursor\":");
		export_place_append(out, &export->place);
	}
	json_out_raw(out, "}\n");
	export->state = IS_OVER;
}

static void end_failed(struct export *export)
{
	const struct cache_op *op = &export->stream.op;

	end_early(export, op->detail ? op->detail : status_text(op->status));
}

/* A value could not be read to its end: its line is one that no import takes, and the next ends the
 * export. */
static void end_in_line(struct export *export)
{
	const char *failure = export->line.failure;

	if (export->line.is_begun)
		json_out_raw(&export->stream.bytes, "\n");
	end_early(export, failure);
}

static void end(struct export *export)
{
	buffer_printf(&export->stream.bytes, "{\"complete\":true,\"entries\":%llu}\n",
		      (unsigned long long)export->entry_count);
	export->state = IS_OVER;
}

/* ---- Pages ---- */

/* Fills the op with a listing of the next page. */
static void ask_page(struct export *export)
{
	struct cache_op *op = &export->stream.op;
	const struct export_place *place = &export->place;

	cache_op_init(op, CACHE_OP_SCAN);
	op->ns = slice_of(export->names[export->name]);
	op->prefix = (struct slice){.data = export->prefix, .len = export->prefix_len};
	op->limit = PAGE_ENTRIES;
	op->max_key_bytes = PAGE_KEY_BYTES;
	op->any_order = true;
	if (slice_equal(slice_of(place->ns), op->ns)) {
		op->has_after = true;
		op->after = (struct slice){.data = place->key, .len = place->key_len};
	}
	export->state = HAS_PAGE;
}

static void take_page(struct export *export)
{
	struct cache_op *op = &export->stream.op;

	if (op->status != CACHE_OK) {
		end_failed(export);
		return;
	}
	export->page = *op;
	export->fetched = 0;
	export->alone_until = 0;
	export->place.process_us = op->order_is_passing ? export->context->started_at_us : 0;
	*op = (struct cache_op){0};
	cache_op_init(op, CACHE_OP_GET);
	export->state = WANTS_BATCH;
}

/* ---- Batches ---- */

/* Fills the op with a get of the next entries of the page. */
static void ask_batch(struct export *export)
{
	struct cache_op *op = &export->stream.op;
	uint64_t bytes = 0;

	export->batch_from = export->fetched;
	export->batch_count = 0;
	while (export->fetched < export->page.entry_count && bytes < BATCH_BYTES) {
		const struct cache_entry_info *info = &export->page.entries[export->fetched];

		/* A large value is fetched alone. */
		if (export->batch_count > 0 && (info->size_bytes > BATCH_BYTES - bytes ||
						export->fetched <= export->alone_until))
			break;
		export->items[export->batch_count++] = (struct cache_item){.key = info->key};
		bytes += info->size_bytes;
		export->fetched++;
	}
	cache_op_init(op, CACHE_OP_GET);
	op->ns = slice_of(export->names[export->name]);
	op->no_touch = true;
	if (export->batch_count == 1)
		op->one.key = export->items[0].key;
	else
		op->items = export->items;
	op->item_count = export->batch_count;
	/* Many bodies would be many open files. */
	op->takes_bodies = export->batch_count == 1;
	export->batch_at = 0;
	export->line = (struct export_line){0};
	export->state = HAS_BATCH;
}

static void end_batch(struct export *export)
{
	struct slice last = export->page.entries[export->fetched - 1].key;

	cache_op_deinit(&export->stream.op);
	cache_op_init(&export->stream.op, CACHE_OP_GET);
	if (!export_place_set(&export->place, export->names[export->name], last)) {
		export->stream.bytes.failed = true;
		return;
	}
	export->state = WANTS_BATCH;
	if (!has_cursor(export))
		return;
	json_out_raw(&export->stream.bytes, "{\"cursor\":");
	export_place_append(&export->stream.bytes, &export->place);
	json_out_raw(&export->stream.bytes, "}\n");
}

/* The values of a batch have become too large to be fetched together. */
static bool fetches_alone(struct export *export, enum cache_status status)
{
	if (status != CACHE_TOO_LARGE || export->batch_count == 1)
		return false;
	export->alone_until = export->fetched;
	export->fetched = export->batch_from + export->batch_at;
	cache_op_deinit(&export->stream.op);
	cache_op_init(&export->stream.op, CACHE_OP_GET);
	export->state = WANTS_BATCH;
	return true;
}

static void wake(void *user)
{
	struct export *export = user;

	export->stream.wake(&export->stream);
}

/* Writes entries of a fetched batch until there is enough to send. */
static bool write_batch(struct export *export)
{
	struct buffer *out = &export->stream.bytes;
	const struct cache_op *op = &export->stream.op;

	if (fetches_alone(export, op->status))
		return false;
	if (op->status != CACHE_OK && op->status != CACHE_NOT_FOUND) {
		end_failed(export);
		return false;
	}
	for (; export->batch_at < export->batch_count && out->len < SEND_BYTES;
	     export->batch_at++) {
		const struct cache_item *item = &op->items[export->batch_at];

		/* Removed since it was listed. */
		if (item->status == CACHE_NOT_FOUND)
			continue;
		if (fetches_alone(export, item->status))
			return false;
		if (item->status != CACHE_OK || !item->value) {
			end_early(export, status_text(item->status));
			return false;
		}
		if (!export->line.is_begun)
			export->line = (struct export_line){
				.ns = export->names[export->name],
				.info = &export->page
						 .entries[export->batch_from + export->batch_at],
				.value = item->value,
				.wake = wake,
				.wake_user = export,
			};
		switch (export_line_append(out, &export->line, SEND_BYTES)) {
		case EXPORT_LINE_GOES_ON:
			return false;
		case EXPORT_LINE_WAITS:
			return true;
		case EXPORT_LINE_FAILS:
			end_in_line(export);
			return false;
		case EXPORT_LINE_ENDS:
			break;
		}
		export_line_deinit(&export->line);
		export->entry_count++;
	}
	if (export->batch_at == export->batch_count)
		end_batch(export);
	return false;
}

/* ---- Steps ---- */

/* After the last entry of a page: the next page, or the next namespace. */
static void leave_page(struct export *export)
{
	bool is_complete = export->page.complete || export->page.entry_count == 0;

	cache_op_deinit(&export->page);
	export->page = (struct cache_op){0};
	export->name += is_complete;
	export->state = WANTS_PAGE;
}

/* Fills the op of the current state, if it needs one. */
static bool asks(struct export *export)
{
	if (export->state == WANTS_BATCH && export->fetched == export->page.entry_count)
		leave_page(export);
	if (export->state != WANTS_PAGE && export->state != WANTS_BATCH)
		return false;
	if (export->state == WANTS_PAGE && export->name == export->name_count)
		end(export);
	else if (export->stream.stopping)
		end_early(export, "the server is stopping");
	else if (export->state == WANTS_PAGE)
		ask_page(export);
	else
		ask_batch(export);
	return export->state != IS_OVER;
}

enum stream_step export_stream_next(struct body_stream *stream)
{
	struct export *export = export_of(stream);
	struct buffer *out = &stream->bytes;
	bool waits = false;

	if (out->failed || !export->names)
		return STREAM_FAILED;
	if (export->state == IS_OVER)
		return STREAM_END;
	if (export->state == SENDS_HEADER) {
		export_line_append_header(out, export->context->version,
					  cache_clock_now_us(export->context->clock));
		export->state = WANTS_PAGE;
		return out->failed ? STREAM_FAILED : STREAM_BYTES;
	}
	if (export->state == HAS_PAGE)
		take_page(export);
	else if (export->state == HAS_BATCH)
		waits = write_batch(export);
	if (out->failed)
		return STREAM_FAILED;
	if (out->len > 0 && !waits)
		return STREAM_BYTES;
	if (waits)
		return STREAM_WAIT;
	if (asks(export))
		return STREAM_SUBMIT;
	return out->failed ? STREAM_FAILED : STREAM_BYTES;
}
