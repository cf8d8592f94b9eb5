/* POST /import: lines of an export, stored as they arrive.
 *
 * Lines become entries, entries of one namespace form a group, and one operation stores a group, so
 * that a backend with commits makes one of it. While that is in progress nothing more is read. If a
 * group is refused, its entries are stored one by one, so that each failure has its line. */
#include <stdio.h>
#include <stdlib.h>

#include "handlers/handlers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"
#include "handlers/transfer/import_input.h"
#include "handlers/transfer/import_large.h"
#include "handlers/transfer/import_line.h"
#include "handlers/transfer/import_marks.h"

static void cleanup(struct request *request)
{
	struct import *import = request->state;

	if (!import)
		return;
	/* The op's items belong to the group. */
	cache_op_deinit(&request->op);
	cache_op_init(&request->op, CACHE_OP_SYNC);
	import_group_clear(&import->group);
	import_large_deinit(import);
	import_entry_deinit(&import->held);
	buffer_deinit(&import->input);
	buffer_deinit(&import->marks);
	free(import);
	request->state = NULL;
}

static struct slice namespace_for_all(const struct import *import)
{
	return slice_of(import->ns);
}

/* False: *ret is unchanged. */
static bool parse_existing(const char *text, enum merge_policy *ret)
{
	static const struct {
		const char *name;
		enum merge_policy policy;
	} policies[] = {
		{"replace", MERGE_REPLACE},
		{"keep", MERGE_KEEP},
		{"newer", MERGE_NEWER},
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (strcmp(text, policies[i].name) == 0) {
			*ret = policies[i].policy;
			return true;
		}
	}
	return false;
}

static enum handler_step import_start(struct request *request, struct response *response)
{
	const char *on_error = request_query(request, "on_error");
	const char *ns = request_query(request, "namespace");
	const char *existing = request_query(request, "existing");
	enum merge_policy policy = MERGE_REPLACE;
	struct import *import = NULL;

	cache_op_init(&request->op, CACHE_OP_SYNC);
	if (on_error && strcmp(on_error, "stop") != 0 && strcmp(on_error, "continue") != 0) {
		respond_error(request, response, 400,
			      "\"on_error\" must be \"continue\" or \"stop\"");
		return STEP_RESPOND;
	}
	if (existing && !parse_existing(existing, &policy)) {
		respond_error(request, response, 400,
			      "\"existing\" must be \"replace\", \"keep\" or \"newer\"");
		return STEP_RESPOND;
	}
	if (policy != MERGE_REPLACE &&
	    !(request->context->backend->ops->bits & BACKEND_CONDITIONS)) {
		respond_error(request, response, 501,
			      "this backend knows no conditional writes, so \"existing\" must be "
			      "\"replace\"");
		return STEP_RESPOND;
	}
	if (ns && !namespace_name_is_valid(slice_of(ns))) {
		respond_error(request, response, 400,
			      "\"namespace\" must be 1 to %d letters, digits, '_', '.' or '-', and "
			      "not begin with '.' or '-'",
			      NAMESPACE_MAX_LEN);
		return STEP_RESPOND;
	}
	if (ns && !request_may_use(request, slice_of(ns))) {
		respond_error(request, response, 403, "the token may not use the namespace \"%s\"",
			      ns);
		return STEP_RESPOND;
	}
	const char *encoding = request_header(request, "Content-Encoding");
	if (encoding && strcasecmp(encoding, "identity") != 0) {
		respond_error(request, response, 415,
			      "Content-Encoding is not understood; send the lines as they are");
		return STEP_RESPOND;
	}
	import = calloc(1, sizeof(*import));
	if (!import) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return STEP_RESPOND;
	}
	import->request = request;
	import->existing = policy;
	import->report.counts_kept = policy != MERGE_REPLACE;
	import->stops_on_error = on_error && strcmp(on_error, "stop") == 0;
	if (ns)
		memcpy(import->ns, ns, strlen(ns));
	request->state = import;
	return STEP_READ;
}

/* ---- Input ---- */

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	return true;
}

enum reading { NEEDS_INPUT, GROUP_IS_FULL, IS_REFUSED, HAS_NO_MEMORY };

static size_t set_max_items(const struct import *import)
{
	return import->request->context->backend->ops->set_max_items;
}

/* Puts an entry into the group, or aside if the group must be stored first. */
static bool keep_entry(struct import *import, struct import_entry *entry)
{
	int64_t now_us = cache_clock_now_us(import->request->context->clock);
	int64_t expires_at_us = entry->history.expires_at_us;

	entry->line = import->line;
	if (entry->modified_at_us == 0)
		entry->modified_at_us = import->exported_at_us;
	if (expires_at_us > 0 && expires_at_us <= now_us) {
		import->report.expired++;
		import_entry_deinit(entry);
		return true;
	}
	/* For a backend whose other side does not support histories. */
	if (expires_at_us != HISTORY_TTL) {
		int64_t left_s = (expires_at_us - now_us + US_PER_S - 1) / US_PER_S;

		entry->item.ttl_s = expires_at_us == 0   ? 0
				    : left_s < TTL_MAX_S ? left_s
							 : TTL_MAX_S;
	}
	if (import_group_add(&import->group, entry, set_max_items(import)))
		return true;
	import->held = *entry;
	return false;
}

static void begin_export(struct import *import, int64_t exported_at_us)
{
	import->exported_at_us = exported_at_us;
	import->came = 0;
	import->marks.len = 0;
}

/* The line that ends a complete export: its count must match the entries received. */
static void end_export(struct import *import, uint64_t entries)
{
	char error[IMPORT_ERROR_BYTES];

	if (entries == ENTRIES_UNKNOWN || import_marks_fit(&import->marks, import->came, entries)) {
		import->is_complete = true;
		return;
	}
	(void)snprintf(
		error, sizeof(error),
		"the export says that it has %llu entries, and %llu lines of them came; some "
		"were lost or added on the way",
		(unsigned long long)entries, (unsigned long long)import->came);
	import_state_fail_line(import, error);
}

static enum reading read_lines(struct import *import, struct response *response, bool is_end)
{
	const struct handler_context *context = import->request->context;
	char error[IMPORT_ERROR_BYTES];
	char *text = NULL;
	size_t len = 0;

	while (!import->has_to_stop) {
		struct import_line_result line;

		if (import->large.spool) {
			switch (import_large_step(import, is_end, &line.entry)) {
			case LARGE_NEEDS_INPUT:
				return NEEDS_INPUT;
			case LARGE_FAILED:
				import->drops = true;
				break;
			case LARGE_IS_WHOLE:
				if (!keep_entry(import, &line.entry))
					return GROUP_IS_FULL;
				break;
			}
			continue;
		}
		if (!import_input_next(import, is_end, &text, &len)) {
			if (!is_end && import_large_begin(import)) {
				import->line++;
				import->came++;
				import->is_complete = false;
			}
			return NEEDS_INPUT;
		}
		if (import->drops) { /* its end */
			import->drops = false;
			continue;
		}
		import->line++;
		if (is_blank(text, len))
			continue;
		/* Only a last line completes the last export: what follows it may have been cut. */
		import->is_complete = false;
		switch (import_line_read(context, namespace_for_all(import), text, len, &line,
					 error)) {
		case LINE_ENTRY:
			import->came++;
			if (!request_may_use(import->request, slice_of(line.entry.ns))) {
				import_entry_deinit(&line.entry);
				import_state_fail_line(import,
						       "the token may not use that namespace");
				break;
			}
			if (!keep_entry(import, &line.entry))
				return GROUP_IS_FULL;
			break;
		case LINE_COMPLETE:
			end_export(import, line.entries);
			break;
		case LINE_HEADER:
			begin_export(import, line.exported_at_us);
			break;
		case LINE_CURSOR:
			import_marks_note(&import->marks, import->came);
			break;
		case LINE_OTHER:
			break;
		case LINE_BAD:
			import->came++;
			import_state_fail_line(import, error);
			break;
		case LINE_NO_MEMORY:
			return HAS_NO_MEMORY;
		case LINE_UNKNOWN_FORMAT:
			/* After entries of a known format (two exports in one file), the earlier
			 * ones are stored and reported. */
			if (import->report.imported + import->group.count > 0) {
				import_state_fail_line(import, error);
				import->has_to_stop = true;
				break;
			}
			respond_error(import->request, response, 400, "line %llu: %s",
				      (unsigned long long)import->line, error);
			return IS_REFUSED;
		}
	}
	return NEEDS_INPUT;
}

/* ---- Storing ---- */

/* Whether a failure is the backend's, and not caused by the entries. */
static bool is_backends_fault(enum cache_status status)
{
	unsigned http = status_http(status);

	return http >= 500 && status != CACHE_NO_SPACE && status != CACHE_UNSUPPORTED &&
	       status != CACHE_TOO_MANY_NAMESPACES;
}

static void note_stored(struct import *import, const struct cache_op *op)
{
	import->report.imported += op->item_count;
	import->report.history_lost += op->history_lost;
}

static void note_failed(struct import *import, const struct cache_op *op, uint64_t line)
{
	const char *text = op->detail ? op->detail : status_text(op->status);

	import_report_failure(&import->report, line, text);
	if (is_backends_fault(op->status)) {
		import->report.http_status = status_http(op->status);
		import->report.retry_after_s = respond_retry_after_s(op);
		(void)snprintf(import->report.detail, IMPORT_ERROR_BYTES, "%s", text);
		import->is_over = true;
	}
	import->is_over |= import->stops_on_error;
}

/* Of a group from entry `first` on; of a group some entries may be stored all the same. */
static void note_failures(struct import *import, const struct cache_op *op, size_t first)
{
	bool is_noted = false;

	for (size_t i = 0; i < op->item_count; i++) {
		uint64_t line = import->group.entries[first + i].line;

		if (op->items[i].status == CACHE_OK)
			import->report.imported++;
		else if (is_noted)
			import_report_failure(&import->report, line, import->report.detail);
		else
			note_failed(import, op, line);
		is_noted |= op->items[i].status != CACHE_OK;
	}
}

static enum handler_step store(struct import *import, struct cache_op *op, size_t first,
			       size_t count)
{
	cache_op_deinit(op);
	import_group_set(&import->group, op, first, count);
	return STEP_SUBMIT;
}

/* ---- Looking ---- */

static enum handler_step look(struct import *import, struct cache_op *op, size_t first,
			      size_t count)
{
	cache_op_deinit(op);
	import_group_look(&import->group, op, first, count, import->existing);
	return STEP_SUBMIT;
}

/* Stores the next entry from `first` on that is not kept, alone, as only such a SET can have a
 * condition. STEP_READ: there is none. */
static enum handler_step store_next(struct import *import, struct cache_op *op, size_t first)
{
	struct import_group *group = &import->group;

	for (; first < group->count && group->is_looked_up && group->present[first].is_kept;
	     first++)
		import->report.kept++;
	if (first >= group->count)
		return STEP_READ;
	import->state = STORES_SINGLES;
	import->single = first;
	return store(import, op, first, 1);
}

static void end_group(struct import *import)
{
	import_group_clear(&import->group);
	import->state = READS;
	if (import->held.item.value && !import->is_over)
		(void)import_group_add(&import->group, &import->held, set_max_items(import));
}

/* A look is done. STEP_SUBMIT: another op follows. */
static enum handler_step take_look(struct import *import, struct cache_op *op)
{
	struct import_group *group = &import->group;
	bool is_single = import->state == LOOKS_AT_SINGLES || group->count == 1;
	enum handler_step step = STEP_READ;

	if (op->status == CACHE_TOO_LARGE && !is_single) {
		import->state = LOOKS_AT_SINGLES;
		import->single = 0;
		return look(import, op, 0, 1);
	}
	if (op->status != CACHE_OK && op->status != CACHE_NOT_FOUND) {
		note_failed(import, op, group->entries[is_single ? import->single : 0].line);
		import->is_over = true;
	} else {
		import_group_note(group, op, import->state == LOOKS_AT_SINGLES ? import->single : 0,
				  import->existing);
		if (import->state == LOOKS_AT_SINGLES && import->single + 1 < group->count)
			return look(import, op, ++import->single, 1);
		step = store_next(import, op, 0);
	}
	if (step == STEP_READ)
		end_group(import);
	return step;
}

/* The op of a group or a single entry is done. STEP_SUBMIT: another one follows. */
static enum handler_step take_result(struct import *import, struct cache_op *op)
{
	struct import_group *group = &import->group;
	bool is_single = import->state == STORES_SINGLES || group->count == 1;

	if (import->state == LOOKS_AT_GROUP || import->state == LOOKS_AT_SINGLES)
		return take_look(import, op);
	if (op->status == CACHE_OK) {
		note_stored(import, op);
	} else if (group->is_looked_up && op->status == CACHE_PRECONDITION_FAILED) {
		import->report.kept++; /* somebody has just written there */
	} else if (!is_single && !is_backends_fault(op->status)) {
		import->state = STORES_SINGLES;
		import->single = 0;
		return store(import, op, 0, 1);
	} else {
		note_failures(import, op, import->state == STORES_SINGLES ? import->single : 0);
	}
	if (import->state == STORES_SINGLES && !import->is_over &&
	    store_next(import, op, import->single + 1) == STEP_SUBMIT)
		return STEP_SUBMIT;
	end_group(import);
	return STEP_READ;
}

static enum handler_step respond(struct import *import, struct response *response)
{
	struct import_report *report = &import->report;

	if (import->stops_on_error && report->http_status == 0)
		import_report_keep_first(report);
	import_report_respond(report, response,
			      import->is_complete && !import->has_to_stop && !import->is_over);
	return STEP_RESPOND;
}

/* Stored entries stay, and the report counts them. */
static enum handler_step break_off(struct import *import, struct response *response,
				   const char *reason)
{
	struct import_report *report = &import->report;

	report->http_status = 503;
	report->retry_after_s = 1;
	(void)snprintf(report->detail, IMPORT_ERROR_BYTES, "%s", reason);
	import->is_over = true;
	return respond(import, response);
}

static enum handler_step respond_no_memory(struct import *import, struct response *response)
{
	return break_off(import, response, status_text(CACHE_NO_MEMORY));
}

static enum handler_step import_proceed(struct request *request, struct response *response,
					bool is_end)
{
	struct import *import = request->state;

	if (import->state != READS && take_result(import, &request->op) == STEP_SUBMIT)
		return STEP_SUBMIT;
	if (import->input.failed || import->marks.failed)
		return respond_no_memory(import, response);
	if (import->is_over)
		return respond(import, response);
	if (request->is_given_up)
		return break_off(import, response,
				 "the server is stopping; what was imported stays, and the whole "
				 "may be imported again");
	switch (import->has_to_stop ? NEEDS_INPUT : read_lines(import, response, is_end)) {
	case IS_REFUSED:
		return STEP_RESPOND;
	case HAS_NO_MEMORY:
		return respond_no_memory(import, response);
	case GROUP_IS_FULL:
		break;
	case NEEDS_INPUT:
		if (!is_end && !import->has_to_stop)
			return STEP_READ;
		if (import->group.count == 0)
			return respond(import, response);
		break;
	}
	import->single = 0;
	if (import->existing != MERGE_REPLACE) {
		import->state = LOOKS_AT_GROUP;
		return look(import, &request->op, 0, import->group.count);
	}
	import->state = STORES_GROUP;
	return store(import, &request->op, 0, import->group.count);
}

const struct handler handler_import = {
	.start = import_start,
	.cleanup = cleanup,
	.take = import_input_take,
	.proceed = import_proceed,
	.is_long = import_input_is_long,
};
