/* An import in progress. One thread at a time. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_STATE_H
#define STEADYCACHE_HANDLERS_IMPORT_STATE_H

#include <nettle/base64.h>

#include "base/buffer.h"
#include "handlers/respond/request.h"
#include "handlers/transfer/import_group.h"
#include "handlers/transfer/import_report.h"

enum import_state { READS, LOOKS_AT_GROUP, LOOKS_AT_SINGLES, STORES_GROUP, STORES_SINGLES };

/* A value that goes to a spool while its line arrives. */
struct import_large {
	struct body_spool *spool;  /* NULL: there is none */
	struct import_entry entry; /* all of it but the value's bytes */
	struct base64_decode_ctx decode;
	uint64_t seen_line; /* the last line that was looked at for such a value */
	bool is_whole;      /* its last byte has come */
};

struct import {
	const struct request *request;
	enum import_state state;
	enum merge_policy existing;
	int64_t exported_at_us; /* of the current export: its entries are not younger */
	bool stops_on_error;
	bool has_to_stop;               /* no further line is read; what was read is stored */
	bool is_over;                   /* nothing more is stored */
	char ns[NAMESPACE_MAX_LEN + 1]; /* for all entries; or empty */

	struct buffer input; /* not read yet: from `at` on; no line end before `seen` */
	size_t at, seen;
	uint64_t line;
	bool drops;    /* skips the rest of a line that is too long */
	uint64_t came; /* lines of entries since the last first line of an export, including bad
			* ones */
	struct buffer marks; /* of the same: the value of `came` at each cursor, of type uint64_t */
	bool is_complete;

	struct import_large large;
	struct import_group group;
	size_t single;            /* of the group: being looked at or stored alone */
	struct import_entry held; /* read, but not part of the group; no value: none */
	struct import_report report;
};

/* Reports a failure of the current line. */
static inline void import_state_fail_line(struct import *import, const char *error)
{
	import_report_failure(&import->report, import->line, error);
	import->has_to_stop |= import->stops_on_error;
}

#endif
