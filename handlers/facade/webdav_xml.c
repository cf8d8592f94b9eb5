#include "handlers/facade/webdav_xml.h"

#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "handlers/respond/http_date.h"

static void append_text(struct buffer *out, const char *text)
{
	buffer_append(out, slice_of(text));
}

/* Whether a byte stands for itself in a path (RFC 3986, 3.3) and in XML. */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~/", c) != NULL;
}

static void append_path(struct buffer *out, struct slice path)
{
	size_t plain = 0;

	for (size_t i = 0; i < path.len; i++) {
		char c = path.data[i];

		if (c != '\0' && is_plain(c))
			continue;
		buffer_append(out, (struct slice){.data = path.data + plain, .len = i - plain});
		buffer_printf(out, "%%%02X", (unsigned)(unsigned char)c);
		plain = i + 1;
	}
	buffer_append(out, (struct slice){.data = path.data + plain, .len = path.len - plain});
}

/* For printable ASCII and tabs. */
static void append_escaped(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			append_text(out, "&amp;");
		else if (*text == '<')
			append_text(out, "&lt;");
		else if (*text == '>')
			append_text(out, "&gt;");
		else
			buffer_append_char(out, *text);
	}
}

static void begin_response(struct buffer *out, struct slice ns, struct slice key)
{
	append_text(out, "<D:response><D:href>/cache/");
	buffer_append(out, ns);
	if (ns.len > 0)
		buffer_append_char(out, '/');
	append_path(out, key);
	append_text(out, "</D:href><D:propstat><D:prop>");
}

static void end_response(struct buffer *out)
{
	append_text(out, "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
			 "</D:response>\n");
}

static void append_modified(struct buffer *out, int64_t modified_at_us)
{
	char text[HTTP_DATE_LEN + 1];

	http_date_format(modified_at_us / US_PER_S, text);
	append_text(out, "<D:getlastmodified>");
	append_text(out, text);
	append_text(out, "</D:getlastmodified>");
}

/* In the form of RFC 3339. */
static void append_created(struct buffer *out, int64_t created_at_us)
{
	time_t created_s = (time_t)(created_at_us / US_PER_S);
	struct tm parts;
	char text[40];

	if (!gmtime_r(&created_s, &parts) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return;
	append_text(out, "<D:creationdate>");
	append_text(out, text);
	append_text(out, "</D:creationdate>");
}

void webdav_xml_begin(struct buffer *out)
{
	append_text(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
			 "<D:multistatus xmlns:D=\"DAV:\">\n");
}

void webdav_xml_end(struct buffer *out)
{
	append_text(out, "</D:multistatus>\n");
}

void webdav_xml_file(struct buffer *out, struct slice ns, struct slice key,
		     const struct webdav_file *file)
{
	char etag[ETAG_TEXT_LEN + 1];

	begin_response(out, ns, key);
	etag_format(file->etag, etag);
	append_text(out, "<D:resourcetype/>");
	if (file->len_bytes != WEBDAV_LENGTH_UNKNOWN)
		buffer_printf(out, "<D:getcontentlength>%" PRIu64 "</D:getcontentlength>",
			      file->len_bytes);
	buffer_printf(out, "<D:getetag>%s</D:getetag>", etag);
	append_modified(out, file->modified_at_us);
	if (file->created_at_us > 0)
		append_created(out, file->created_at_us);
	if (file->content_type) {
		append_text(out, "<D:getcontenttype>");
		append_escaped(out, file->content_type);
		append_text(out, "</D:getcontenttype>");
	}
	end_response(out);
}

void webdav_xml_collection(struct buffer *out, struct slice ns, struct slice prefix,
			   int64_t modified_at_us)
{
	begin_response(out, ns, prefix);
	append_text(out, "<D:resourcetype><D:collection/></D:resourcetype>");
	append_modified(out, modified_at_us);
	end_response(out);
}
