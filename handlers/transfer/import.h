/* What the files of an import share (docs/export-import.md). Private to them. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_H
#define STEADYCACHE_HANDLERS_IMPORT_H

#include "handlers/handlers.h"

/* ---- Lines (import_line.c) ---- */

enum import_kind {
	LINE_ENTRY,
	LINE_OTHER,    /* of an export, but without an entry */
	LINE_CURSOR,   /* one may be resumed behind it */
	LINE_HEADER,   /* an export begins */
	LINE_COMPLETE, /* an export is complete */
	LINE_UNKNOWN_FORMAT,
	LINE_BAD, /* `error` says why */
	LINE_NO_MEMORY,
};

#define IMPORT_ERROR_BYTES 200

/* An entry with memory of its own: the key and a reference to the value. */
struct import_entry {
	char ns[NAMESPACE_MAX_LEN + 1];
	struct cache_item item; /* without history */
	struct cache_history history;
	uint64_t line;
};

void import_entry_deinit(struct import_entry *entry);

/* The last line of an export does not say how many entries it has. */
#define ENTRIES_UNKNOWN UINT64_MAX

struct import_line_result {
	struct import_entry entry; /* of LINE_ENTRY */
	uint64_t entries;          /* of LINE_COMPLETE: how many the export has */
};

/* Reads `text` (and writes over it); `ns` is the namespace for all, or empty. `error` is set for
 * LINE_BAD and LINE_UNKNOWN_FORMAT. */
enum import_kind import_line_read(const struct handler_context *context, struct slice ns,
				  char *text, size_t len, struct import_line_result *ret,
				  char error[static IMPORT_ERROR_BYTES]);

/* ---- Groups (import_group.c) ---- */

#define GROUP_ENTRIES 256
#define GROUP_BYTES   ((uint64_t)1 << 20)

/* Entries of one namespace that are stored by one operation, their keys distinct. */
struct import_group {
	struct import_entry entries[GROUP_ENTRIES];
	struct cache_item items[GROUP_ENTRIES];
	uint64_t hashes[GROUP_ENTRIES]; /* of the keys */
	size_t count;
	uint64_t bytes;
};

/* Takes `entry` in. False: it does not belong with those that are there, or there is no room. */
bool import_group_add(struct import_group *group, struct import_entry *entry);
/* Fills `op` with a SET of `count` entries from `first` on. */
void import_group_set(struct import_group *group, struct cache_op *op, size_t first, size_t count);
void import_group_clear(struct import_group *group);

/* ---- What became of it (import_report.c) ---- */

#define ERRORS_KEPT 100

struct import_report {
	uint64_t imported, failed, expired, history_lost;
	size_t error_count;
	struct import_error {
		uint64_t line;
		char text[IMPORT_ERROR_BYTES];
	} errors[ERRORS_KEPT];
	/* The import ended early because the backend failed: the status, else 0. */
	unsigned http_status;
	unsigned retry_after_s; /* 0: not said */
	char detail[IMPORT_ERROR_BYTES];
};

void import_report_failure(struct import_report *report, uint64_t line, const char *text);
/* Of several failures the first in the input stays, for an import that stops there. */
void import_report_keep_first(struct import_report *report);
void import_report_respond(struct import_report *report, struct response *response,
			   bool is_complete);

#endif
