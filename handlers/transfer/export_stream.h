/* An export in progress: its body, by pages, batches and lines. The request owns it until the
 * response does. One thread at a time. */
#ifndef STEADYCACHE_HANDLERS_EXPORT_STREAM_H
#define STEADYCACHE_HANDLERS_EXPORT_STREAM_H

#include "handlers/respond/request.h"
#include "handlers/respond/stream.h"
#include "handlers/transfer/export_line.h"
#include "handlers/transfer/export_place.h"

/* Keys of a listing. */
#define PAGE_ENTRIES 1000

enum export_state { SENDS_HEADER, WANTS_PAGE, HAS_PAGE, WANTS_BATCH, HAS_BATCH, IS_OVER };

struct export
{
	struct body_stream stream;
	const struct handler_context *context;
	enum export_state state;
	char *prefix; /* malloc'ed */
	size_t prefix_len;
	char(*names)[NAMESPACE_MAX_LEN + 1]; /* malloc'ed */
	size_t name_count, name;
	struct export_place place;

	struct cache_op page; /* a completed SCAN; its entries */
	size_t fetched;       /* of the page */
	struct cache_item items[PAGE_ENTRIES];
	size_t batch_from, batch_count, batch_at;
	size_t alone_until; /* entries of the page before this one are fetched one by one */
	struct export_line line;
	uint64_t entry_count;
};

/* Of body_stream. */
enum stream_step export_stream_next(struct body_stream *stream);
/* Frees the export, even a half-built one. */
void export_stream_close(struct body_stream *stream);

#endif
