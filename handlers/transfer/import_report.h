/* The result of an import. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_REPORT_H
#define STEADYCACHE_HANDLERS_IMPORT_REPORT_H

#include "handlers/respond/request.h"
#include "handlers/transfer/import_member.h"

#define ERRORS_KEPT 100

struct import_report {
	bool counts_kept; /* the import keeps entries of the store */
	uint64_t imported, kept, failed, expired, history_lost;
	size_t error_count;
	struct import_error {
		uint64_t line;
		char text[IMPORT_ERROR_BYTES];
	} errors[ERRORS_KEPT];
	/* The status, if the import ended early because the backend failed; else 0. */
	unsigned http_status;
	unsigned retry_after_s; /* 0: none */
	char detail[IMPORT_ERROR_BYTES];
};

void import_report_failure(struct import_report *report, uint64_t line, const char *text);
/* Keeps only the failure that is first in the input, for an import that stops there. */
void import_report_keep_first(struct import_report *report);
void import_report_respond(struct import_report *report, struct response *response,
			   bool is_complete);

#endif
