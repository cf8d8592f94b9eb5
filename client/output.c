#include "client/output.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"

bool output_write(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t written = write(fd, bytes.data, bytes.len);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			bytes.data += written;
			bytes.len -= (size_t)written;
		}
	}
	return true;
}

int output_failed(const char *name)
{
	if (errno == EPIPE) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	return client_fail(CLIENT_LOCAL, "cannot write to %s: %s", name, strerror(errno));
}

int output_finish(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLIENT_DONE;
	return output_failed("the standard output");
}

/* The UTF-8 character at `at`, and its number of bytes; 0: none begins there. */
static size_t read_character(const unsigned char *at, size_t left, uint32_t *ret)
{
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (len == 0 || len > left || at[0] > 0xf4)
		return 0;
	*ret = len == 1 ? at[0] : at[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*ret = *ret << 6 | (at[i] & 0x3fU);
	}
	/* Overlong forms, surrogates, beyond the last character. */
	if ((len == 3 && *ret < 0x800) || (len == 4 && (*ret < 0x10000 || *ret > 0x10ffff)) ||
	    (*ret >= 0xd800 && *ret <= 0xdfff))
		return 0;
	return len;
}

/* Characters that a terminal acts on or does not show. Joiners (U+200C, U+200D) are excluded:
 * words and emoji contain them. */
static bool is_hidden(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},     /* C0, DEL, C1 */
		{0x61c, 0x61c},   {0x200b, 0x200b}, /* direction; no width */
		{0x200e, 0x200f}, {0x2028, 0x202e}, /* direction, ends of lines */
		{0x2060, 0x206f}, {0xfeff, 0xfeff}, /* no width, direction */
		{0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

static void print_escaped(FILE *out, struct slice text, bool with_backslash)
{
	for (size_t i = 0, len; i < text.len; i += len) {
		const unsigned char *at = (const unsigned char *)text.data + i;
		uint32_t c = 0;
		bool is_shown;

		len = read_character(at, text.len - i, &c);
		is_shown = len > 0 && !is_hidden(c);
		len += len == 0;
		if (is_shown && with_backslash && c == '\\')
			(void)fputs("\\\\", out);
		else if (is_shown)
			(void)fwrite(at, 1, len, out);
		for (size_t byte = 0; !is_shown && byte < len; byte++)
			(void)fprintf(out, "\\x%02X", at[byte]);
	}
}

void output_escaped(FILE *out, struct slice text)
{
	print_escaped(out, text, true);
}

int client_fail(int code, const char *format, ...)
{
	char sentence[4096];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	(void)fputs("steadycache: ", stderr);
	print_escaped(stderr, slice_of(sentence), false); /* its "\" are our own */
	(void)fputc('\n', stderr);
	return code;
}

static void print_json_escape(uint32_t c)
{
	if (c >= 0x10000) {
		(void)printf("\\u%04X", (unsigned)(0xd800 + ((c - 0x10000) >> 10)));
		c = 0xdc00 + ((c - 0x10000) & 0x3ff);
	}
	(void)printf("\\u%04X", (unsigned)c);
}

void output_json(const json_t *document, size_t flags)
{
	/* The text is UTF-8, and all non-ASCII and DEL in it is inside strings. */
	char *text = json_dumps(document, flags);
	size_t left = text ? strlen(text) : 0;

	for (const char *at = text; left > 0;) {
		uint32_t c = 0;
		size_t len = read_character((const unsigned char *)at, left, &c);

		len += len == 0;
		if (c > ' ' && is_hidden(c))
			print_json_escape(c);
		else
			(void)fwrite(at, 1, len, stdout);
		at += len;
		left -= len;
	}
	free(text);
	(void)putchar('\n');
}

const char *output_size(double bytes, char ret[16])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	while (bytes >= 1024 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(ret, 16, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return ret;
}
