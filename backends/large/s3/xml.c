#include "backends/large/s3/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DEPTH_MAX      8
#define PATH_MAX_LEN   255
#define DOCUMENT_LIMIT ((size_t)16 << 20)

struct reading {
	XML_Parser parser;
	void (*element)(void *user, const char *path, const char *text);
	void *user;
	bool failed;
	unsigned depth;
	size_t path_len, parents[DEPTH_MAX]; /* lengths of the path before each element */
	char path[PATH_MAX_LEN + 1];
	size_t text_len;
	char text[S3_XML_TEXT_MAX_LEN + 1];
};

static void fail(struct reading *reading)
{
	reading->failed = true;
	(void)XML_StopParser(reading->parser, XML_FALSE);
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *reading = user;
	const char *colon = strchr(name, ':');
	const char *local = colon ? colon + 1 : name;
	size_t len = strlen(local);

	(void)attributes;
	reading->text_len = 0;
	if (reading->depth == DEPTH_MAX || reading->path_len + len + 1 > PATH_MAX_LEN) {
		fail(reading);
		return;
	}
	reading->parents[reading->depth++] = reading->path_len;
	if (reading->path_len > 0)
		reading->path[reading->path_len++] = '/';
	memcpy(reading->path + reading->path_len, local, len + 1);
	reading->path_len += len;
}

static void on_end(void *user, const XML_Char *name)
{
	struct reading *reading = user;

	(void)name;
	if (reading->failed) /* expat may call once more */
		return;
	reading->text[reading->text_len] = '\0';
	reading->element(reading->user, reading->path, reading->text);
	reading->text_len = 0;
	reading->path_len = reading->parents[--reading->depth];
	reading->path[reading->path_len] = '\0';
}

static void on_text(void *user, const XML_Char *text, int len)
{
	struct reading *reading = user;

	if (reading->text_len + (size_t)len > S3_XML_TEXT_MAX_LEN) {
		fail(reading);
		return;
	}
	memcpy(reading->text + reading->text_len, text, (size_t)len);
	reading->text_len += (size_t)len;
}

/* With document types come entities, which expand. */
static void on_doctype(void *user, const XML_Char *name, const XML_Char *system,
		       const XML_Char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	fail(user);
}

bool s3_xml_read(struct slice document,
		 void (*element)(void *user, const char *path, const char *text), void *user)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	XML_Parser parser = reading ? XML_ParserCreate("UTF-8") : NULL;
	bool is_read = false;

	if (parser && document.len > 0 && document.len <= DOCUMENT_LIMIT) {
		*reading = (struct reading){.parser = parser, .element = element, .user = user};
		XML_SetUserData(parser, reading);
		XML_SetElementHandler(parser, on_start, on_end);
		XML_SetCharacterDataHandler(parser, on_text);
		XML_SetStartDoctypeDeclHandler(parser, on_doctype);
		is_read = XML_Parse(parser, document.data, (int)document.len, XML_TRUE) ==
				  XML_STATUS_OK &&
			  !reading->failed;
	}
	if (parser)
		XML_ParserFree(parser);
	free(reading);
	return is_read;
}

bool s3_xml_copy(char *target, size_t size, const char *text)
{
	size_t len = strlen(text);
	bool fits = len < size;

	memcpy(target, text, fits ? len : 0);
	target[fits ? len : 0] = '\0';
	return fits;
}

int64_t s3_xml_time_us(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!end || (*end != '.' && *end != 'Z'))
		return -1;
	return (int64_t)timegm(&tm) * US_PER_S;
}
