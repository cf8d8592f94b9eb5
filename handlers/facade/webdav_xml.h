/* Answers of PROPFIND: a multistatus (RFC 4918, 13) piece by piece. */
#ifndef STEADYCACHE_HANDLERS_FACADE_WEBDAV_XML_H
#define STEADYCACHE_HANDLERS_FACADE_WEBDAV_XML_H

#include "base/buffer.h"
#include "base/etag.h"

#define WEBDAV_XML_TYPE "application/xml; charset=utf-8"

#define WEBDAV_LENGTH_UNKNOWN UINT64_MAX

/* What is told of an entry. */
struct webdav_file {
	uint64_t len_bytes; /* WEBDAV_LENGTH_UNKNOWN: not told */
	const struct etag *etag;
	const char *content_type;              /* NULL: not told */
	int64_t created_at_us, modified_at_us; /* created: 0, not told */
};

void webdav_xml_begin(struct buffer *out);
void webdav_xml_end(struct buffer *out);

/* Appends the entry `key` of `ns`. */
void webdav_xml_file(struct buffer *out, struct slice ns, struct slice key,
		     const struct webdav_file *file);
/* Appends the collection of the keys that begin with `prefix`, which is empty or ends with a slash.
 * Without a namespace it is that of all namespaces. */
void webdav_xml_collection(struct buffer *out, struct slice ns, struct slice prefix,
			   int64_t modified_at_us);

#endif
