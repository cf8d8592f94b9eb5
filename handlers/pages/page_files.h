/* The files of the pages in the program: made by pages/build.mjs, or none. */
#ifndef STEADYCACHE_HANDLERS_PAGE_FILES_H
#define STEADYCACHE_HANDLERS_PAGE_FILES_H

#include <stddef.h>

struct page_file {
	const char *name; /* assets have a hash of the content in it: "ui-1A2B3C4D.js" */
	const char *content_type;
	const char *etag; /* in double quotes */
	/* Both forms are part of the program's file, which the system reads on demand: no request
	 * makes the server unpack or hold a copy. */
	const unsigned char *plain;
	const unsigned char *plain_end;
	const unsigned char *gzip; /* NULL: not smaller */
	const unsigned char *gzip_end;
};

extern const struct page_file page_files[];
extern const size_t page_file_count; /* 0: built without the pages */

#endif
