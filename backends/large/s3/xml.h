/* Answers in XML, read by expat: the text of each element, with its path. */
#ifndef STEADYCACHE_LARGE_S3_XML_H
#define STEADYCACHE_LARGE_S3_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Longest text of an element that is passed on: a key of S3, encoded. */
#define S3_XML_TEXT_MAX_LEN 4096

/* Calls `element` at the end of every element, with its names from the root on ("Error/Code",
 * without prefixes of namespaces) and its own text, both of which end with a NUL and last until the
 * call returns. An element whose text is longer than the maximum ends the reading. False: it is
 * not well-formed, has a document type (which S3 never sends), is deeper than 8, or longer. */
bool s3_xml_read(struct slice document,
		 void (*element)(void *user, const char *path, const char *text), void *user);

/* Copies the text of an element to an array of `size`. False, with an empty one: it does not fit.
 */
bool s3_xml_copy(char *target, size_t size, const char *text);

/* The time of "2026-11-30T17:49:42.000Z", in microseconds; -1: it is not one. */
int64_t s3_xml_time_us(const char *text);

#endif
