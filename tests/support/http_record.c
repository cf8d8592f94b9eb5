#include "tests/support/http_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_out.h"
#include "handlers/respond/request.h"

/* Of a body that is not JSON; more of a value says nothing new. */
#define KEPT_BYTES 1024

static void append_bytes(struct buffer *line, const char *name, struct slice bytes, bool keep)
{
	buffer_printf(line, ",\"%s\":", name);
	if (bytes.data && keep)
		json_out_base64(line, bytes);
	else
		json_out_raw(line, "null");
}

/* A non-ASCII byte of a header or target stands for itself, as in ISO 8859-1. */
static void append_text(struct buffer *line, const char *text)
{
	buffer_append_char(line, '"');
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\')
			buffer_printf(line, "\\u%04x", byte);
		else
			buffer_append_char(line, (char)byte);
	}
	buffer_append_char(line, '"');
}

static void append_headers(struct buffer *line, const struct http_answer *answer)
{
	const char *between = "";

	json_out_raw(line, ",\"headers\":[");
	for (const char *at = answer->headers; *at;) {
		const char *value = at + strlen(at) + 1;

		buffer_printf(line, "%s[", between);
		append_text(line, at);
		json_out_raw(line, ",");
		append_text(line, value);
		json_out_raw(line, "]");
		between = ",";
		at = value + strlen(value) + 1;
	}
	json_out_raw(line, "]");
}

static bool is_json(const struct http_answer *answer)
{
	const char *type = http_header(answer, "Content-Type");

	return type && strstr(type, "json") != NULL;
}

/* One write, so that lines of several writers do not mix. */
static void append_to_file(const char *path, struct slice line)
{
	char *folder = strdup(path);

	if (folder && strrchr(folder, '/')) {
		*strrchr(folder, '/') = '\0';
		(void)mkdir(folder, 0700);
	}
	free(folder);
	int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (file < 0 || write(file, line.data, line.len) != (ssize_t)line.len) {
		perror(path);
		abort();
	}
	(void)close(file);
}

void http_record(const char *method, const char *target, struct slice request_body,
		 const struct http_answer *answer)
{
	const char *path = getenv("STEADYCACHE_RECORD");
	struct buffer line = {0};

	if (!path || !*path || answer->status == 0)
		return;
	json_out_raw(&line, "{\"method\":");
	append_text(&line, method);
	json_out_raw(&line, ",\"target\":");
	append_text(&line, target);
	append_bytes(&line, "request", request_body,
		     request_body.len <= KEPT_BYTES ||
			     (request_body.data && *request_body.data == '{'));
	buffer_printf(&line, ",\"status\":%ld", answer->status);
	append_headers(&line, answer);
	append_bytes(&line, "body", http_body(answer),
		     answer->len <= KEPT_BYTES || is_json(answer));
	buffer_printf(&line, ",\"size\":%zu}\n", answer->len);
	if (line.failed)
		abort();
	append_to_file(path, buffer_bytes(&line));
	buffer_deinit(&line);
}
