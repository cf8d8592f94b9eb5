/* Lines of an import (docs/export-import.md). */
#ifndef STEADYCACHE_HANDLERS_IMPORT_LINE_H
#define STEADYCACHE_HANDLERS_IMPORT_LINE_H

#include "handlers/transfer/import_entry.h"

enum import_kind {
	LINE_ENTRY,
	LINE_OTHER,    /* of an export, but without an entry */
	LINE_CURSOR,   /* an export can be resumed after it */
	LINE_HEADER,   /* an export begins */
	LINE_COMPLETE, /* an export is complete */
	LINE_UNKNOWN_FORMAT,
	LINE_BAD, /* `error` says why */
	LINE_NO_MEMORY,
};

/* The last line of an export does not give its number of entries. */
#define ENTRIES_UNKNOWN UINT64_MAX

struct import_line_result {
	struct import_entry entry; /* of LINE_ENTRY */
	int64_t exported_at_us;    /* of LINE_HEADER; 0: it does not say */
	uint64_t entries;          /* of LINE_COMPLETE: the number of entries of the export */
};

/* Reads `text` (and overwrites it); `ns` is the namespace for all, or empty. Sets `error` for
 * LINE_BAD and LINE_UNKNOWN_FORMAT. */
enum import_kind import_line_read(const struct handler_context *context, struct slice ns,
				  char *text, size_t len, struct import_line_result *ret,
				  char error[static IMPORT_ERROR_BYTES]);

#endif
