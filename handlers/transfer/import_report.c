#include "handlers/transfer/import_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/utf8.h"
#include "handlers/respond/error.h"

void import_report_failure(struct import_report *report, uint64_t line, const char *text)
{
	report->failed++;
	if (report->error_count == ERRORS_KEPT)
		return;
	struct import_error *error = &report->errors[report->error_count++];
	error->line = line;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
}

static int compare_errors(const void *a, const void *b)
{
	const struct import_error *left = a;
	const struct import_error *right = b;

	return (left->line > right->line) - (left->line < right->line);
}

void import_report_keep_first(struct import_report *report)
{
	qsort(report->errors, report->error_count, sizeof(report->errors[0]), compare_errors);
	if (report->error_count > 1)
		report->error_count = 1;
	if (report->failed > 1)
		report->failed = 1;
}

/* A text may have been cut inside a character. */
static struct slice whole_characters(const char *text)
{
	struct slice slice = slice_of(text);

	while (slice.len > 0 && !utf8_is_valid(slice))
		slice.len--;
	return slice;
}

void import_report_respond(struct import_report *report, struct response *response,
			   bool is_complete)
{
	struct buffer json = {0};

	/* A line may be found bad while the group before it still has to be stored. */
	qsort(report->errors, report->error_count, sizeof(report->errors[0]), compare_errors);
	json_out_raw(&json, "{");
	if (report->http_status != 0) {
		respond_problem_append(&json, report->http_status,
				       whole_characters(report->detail));
		json_out_raw(&json, ",");
	}
	buffer_printf(&json, "\"imported\":%" PRIu64 ",", report->imported);
	if (report->counts_kept)
		buffer_printf(&json, "\"kept\":%" PRIu64 ",", report->kept);
	buffer_printf(&json,
		      "\"failed\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"history_left_out\":%" PRIu64
		      ",\"errors\":[",
		      report->failed, report->expired, report->history_lost);
	for (size_t i = 0; i < report->error_count; i++) {
		buffer_printf(&json, "%s{\"line\":%" PRIu64 ",\"error\":", i > 0 ? "," : "",
			      report->errors[i].line);
		json_out_string(&json, whole_characters(report->errors[i].text));
		json_out_raw(&json, "}");
	}
	buffer_printf(&json, "],\"errors_left_out\":%" PRIu64 ",\"complete\":%s}",
		      report->failed - report->error_count, is_complete ? "true" : "false");
	if (report->http_status == 0) {
		response_json(response, 200, &json);
		return;
	}
	if (report->retry_after_s > 0)
		response_header_printf(response, "Retry-After", "%u", report->retry_after_s);
	respond_problem(response, report->http_status, &json);
}
