#include "handlers/facade/webdav_list.h"

#include <stdlib.h>

#include "handlers/facade/webdav_xml.h"

#define PAGE_ENTRIES   1000
#define PAGE_KEY_BYTES ((size_t)1 << 20)
/* Bytes passed on at a time, exceeded by at most one member. */
#define SEND_BYTES 32768
/* Hardly a key begins with that many bytes 0xFF behind a slash. If many do, the listing is slower.
 */
#define BEHIND_BYTES 64

struct webdav_list {
	struct body_stream stream;
	const struct handler_context *context;
	struct cache_op page; /* its entries are being written */
	size_t written;       /* of these */
	bool is_begun, is_over;
	bool has_asked; /* the op of the stream is the next page */
	char *prefix;
	size_t prefix_len;
	struct buffer after;  /* where the next page begins */
	struct buffer folder; /* the collection that was written last */
	size_t ns_len;
	char ns[NAMESPACE_MAX_LEN];
};

static struct webdav_list *list_of(struct body_stream *stream)
{
	return (struct webdav_list *)(void *)stream;
}

static void close_list(struct body_stream *stream)
{
	struct webdav_list *list = list_of(stream);

	cache_op_deinit(&list->stream.op);
	cache_op_deinit(&list->page);
	buffer_deinit(&list->stream.bytes);
	buffer_deinit(&list->after);
	buffer_deinit(&list->folder);
	free(list->prefix);
	free(list);
}

void webdav_list_ask(struct cache_op *op, struct slice ns, struct slice prefix)
{
	op->ns = ns;
	op->prefix = prefix;
	op->limit = PAGE_ENTRIES;
	op->max_key_bytes = PAGE_KEY_BYTES;
}

/* ---- Members ---- */

static bool is_a_name(struct slice name)
{
	return name.len > 0 && !slice_equal(name, SLICE(".")) && !slice_equal(name, SLICE(".."));
}

static void write_member(struct webdav_list *list, const struct cache_entry_info *info)
{
	struct buffer *out = &list->stream.bytes;
	const struct slice ns = {.data = list->ns, .len = list->ns_len};
	const struct slice name = {.data = info->key.data + list->prefix_len,
				   .len = info->key.len - list->prefix_len};
	const char *slash = name.len > 0 ? memchr(name.data, '/', name.len) : NULL;
	const struct webdav_file file = {
		/* A listing knows how long a compressed value is as it is kept. */
		.len_bytes =
			info->flags & CACHE_VALUE_ZSTD ? WEBDAV_LENGTH_UNKNOWN : info->size_bytes,
		.etag = &info->etag,
		.created_at_us = info->created_at_us,
		.modified_at_us =
			info->modified_at_us > 0 ? info->modified_at_us : info->created_at_us,
	};

	if (!slash) {
		if (is_a_name(name))
			webdav_xml_file(out, ns, info->key, &file);
		return;
	}
	const struct slice folder = {.data = name.data, .len = (size_t)(slash - name.data)};
	if (!is_a_name(folder) || slice_equal(folder, buffer_bytes(&list->folder)))
		return;
	list->folder.len = 0;
	buffer_append(&list->folder, folder);
	webdav_xml_collection(
		out, ns,
		(struct slice){.data = info->key.data, .len = list->prefix_len + folder.len + 1},
		list->context->started_at_us);
}

/* ---- Pages ---- */

/* Sets where the next page begins: behind the last key of this one, and, if that is in a
 * collection, behind all of that; never before the last key, or the pages would not end. */
static void set_after(struct webdav_list *list)
{
	struct slice last = list->page.entries[list->page.entry_count - 1].key;
	const char *name = last.data + list->prefix_len;
	const char *slash = memchr(name, '/', last.len - list->prefix_len);
	struct slice folder = {.data = last.data,
			       .len = slash ? (size_t)(slash + 1 - last.data) : 0};

	list->after.len = 0;
	buffer_append(&list->after, folder);
	for (size_t i = 0; slash && i < BEHIND_BYTES; i++)
		buffer_append_char(&list->after, (char)0xFF);
	if (slash && !slice_starts_with(last, buffer_bytes(&list->after)))
		return;
	list->after.len = 0;
	buffer_append(&list->after, last);
}

static void end(struct webdav_list *list)
{
	webdav_xml_end(&list->stream.bytes);
	list->is_over = true;
}

static enum stream_step ask_next(struct webdav_list *list)
{
	struct cache_op *op = &list->stream.op;

	set_after(list);
	cache_op_deinit(&list->page);
	cache_op_init(&list->page, CACHE_OP_SCAN);
	cache_op_init(op, CACHE_OP_SCAN);
	webdav_list_ask(op, (struct slice){.data = list->ns, .len = list->ns_len},
			(struct slice){.data = list->prefix, .len = list->prefix_len});
	op->has_after = true;
	op->after = buffer_bytes(&list->after);
	list->has_asked = true;
	return list->after.failed || list->stream.stopping ? STREAM_FAILED : STREAM_SUBMIT;
}

static bool take_page(struct webdav_list *list)
{
	struct cache_op *op = &list->stream.op;

	list->has_asked = false;
	if (op->status != CACHE_OK)
		return false;
	list->page = *op;
	cache_op_init(op, CACHE_OP_SCAN);
	list->written = 0;
	return true;
}

static enum stream_step next(struct body_stream *stream)
{
	struct webdav_list *list = list_of(stream);
	struct buffer *out = &stream->bytes;

	if (list->is_over)
		return STREAM_END;
	if (list->has_asked && !take_page(list))
		return STREAM_FAILED;
	if (!list->is_begun) {
		list->is_begun = true;
		webdav_xml_begin(out);
		webdav_xml_collection(out, (struct slice){.data = list->ns, .len = list->ns_len},
				      (struct slice){.data = list->prefix, .len = list->prefix_len},
				      list->context->started_at_us);
	}
	while (list->written < list->page.entry_count && out->len < SEND_BYTES)
		write_member(list, &list->page.entries[list->written++]);
	if (list->written == list->page.entry_count &&
	    (list->page.complete || list->page.entry_count == 0))
		end(list);
	if (out->failed || list->folder.failed)
		return STREAM_FAILED;
	return out->len > 0 ? STREAM_BYTES : ask_next(list);
}

struct body_stream *webdav_list_create(const struct handler_context *context, struct cache_op *op)
{
	struct webdav_list *list = calloc(1, sizeof(*list));
	char *prefix = malloc(op->prefix.len + 1);

	if (!list || !prefix) {
		free(list);
		free(prefix);
		return NULL;
	}
	list->stream.next = next;
	list->stream.close = close_list;
	list->context = context;
	list->prefix = prefix;
	list->prefix_len = op->prefix.len;
	if (op->prefix.len > 0)
		memcpy(prefix, op->prefix.data, op->prefix.len);
	list->ns_len = op->ns.len;
	memcpy(list->ns, op->ns.data, op->ns.len);
	list->page = *op;
	cache_op_init(op, CACHE_OP_SCAN);
	cache_op_init(&list->stream.op, CACHE_OP_SCAN);
	return &list->stream;
}
