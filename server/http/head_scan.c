#include "server/http/head_scan.h"

#include <endian.h>
#include <string.h>

#include "base/slice.h"

/* A length with more digits could overflow. */
#define LENGTH_MAX_DIGITS 19

static const bool token_chars[256] = {
	['!'] = true,         ['#'] = true,         ['$'] = true, ['%'] = true,
	['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true,
	['-'] = true,         ['.'] = true,         ['^'] = true, ['_'] = true,
	['`'] = true,         ['|'] = true,         ['~'] = true, ['0' ... '9'] = true,
	['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

/* RFC 3986, 3.2.2 and 3.2.3: of a host and its port. */
static const bool host_chars[256] = {
	['!'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
	['\''] = true,        ['('] = true,         [')'] = true, ['*'] = true,
	['+'] = true,         [','] = true,         ['-'] = true, ['.'] = true,
	[':'] = true,         [';'] = true,         ['='] = true, ['['] = true,
	[']'] = true,         ['_'] = true,         ['~'] = true, ['0' ... '9'] = true,
	['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

bool head_scan_is_token_char(char c)
{
	return token_chars[(unsigned char)c];
}

/* `wanted` is in lower case, and `name` was checked: so only an upper case letter can become one of
 * its letters. */
static inline bool is_named(struct slice name, struct slice wanted)
{
	size_t at = 0;

	if (name.len != wanted.len)
		return false;
	while (at < wanted.len && (name.data[at] | 0x20) == wanted.data[at])
		at++;
	return at == wanted.len;
}

static bool refuse(struct head_scan *scan, unsigned status, const char *problem)
{
	scan->status = status;
	scan->problem = problem;
	return false;
}

/* ---- The request line ---- */

static bool refuse_request_line(struct head_scan *scan)
{
	return refuse(scan, 400,
		      "the request line must be \"METHOD target HTTP/1.1\", with single blanks");
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool read_version(struct head_scan *scan, struct slice version)
{
	const char *text = version.data;

	if (version.len != 8 || memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) ||
	    text[6] != '.' || !is_digit(text[7]))
		return refuse_request_line(scan);
	if (text[5] != '1')
		return refuse(scan, 505, "the server speaks HTTP/1.1 and HTTP/1.0");
	scan->is_1_0 = text[7] == '0';
	return true;
}

static bool read_request_line(struct head_scan *scan, const char *line, size_t len)
{
	size_t method_len = 0;

	scan->has_request_line = true;
	while (method_len < len && token_chars[(unsigned char)line[method_len]])
		method_len++;
	size_t target_at = method_len + 1;
	const char *target = line + target_at;
	if (method_len == 0 || target_at >= len || line[method_len] != ' ')
		return refuse_request_line(scan);
	const char *end = memchr(target, ' ', len - target_at);
	if (!end || end == target || *target == '?')
		return refuse_request_line(scan);
	const char *query = memchr(target, '?', (size_t)(end - target));
	scan->target_at = scan->line_at + target_at;
	scan->query_at = query ? (size_t)(query - target) : 0;
	return read_version(scan,
			    (struct slice){.data = end + 1, .len = (size_t)(line + len - end) - 1});
}

/* ---- Fields ---- */

static bool read_length(struct head_scan *scan, struct slice value)
{
	uint64_t length = 0;
	size_t digits = 0;

	for (; digits < value.len && is_digit(value.data[digits]); digits++)
		length = length * 10 + (uint64_t)(value.data[digits] - '0');
	if (digits == 0 || digits < value.len || digits > LENGTH_MAX_DIGITS)
		return refuse(scan, 400, "Content-Length must be a whole number of bytes");
	scan->content_length = length;
	scan->lengths++;
	return true;
}

static bool read_coding(struct head_scan *scan, struct slice value)
{
	scan->codings++;
	if (is_named(value, SLICE("chunked"))) {
		scan->content_length = LENGTH_UNKNOWN;
		return true;
	}
	return refuse(scan, 501, "the only Transfer-Encoding that this server takes is chunked");
}

static bool read_host(struct head_scan *scan, struct slice value)
{
	size_t good = 0;

	while (good < value.len && host_chars[(unsigned char)value.data[good]])
		good++;
	scan->hosts++;
	return good == value.len ||
	       refuse(scan, 400,
		      "the Host header must be a host name or address, and a port where it is not "
		      "the usual one");
}

/* Blanks at the end do not belong to the value (RFC 9110, 5.5). The library would treat them as a
 * part of it, so they are moved to before it. */
static void move_to_end(char *value, size_t len, size_t room)
{
	if (len == room)
		return;
	memmove(value + room - len, value, len);
	memset(value, ' ', room - len);
}

/* Writes the coding of a long body over the line of its length, which ends at `end`. */
static void replace_length(struct head_scan *scan, char *line, const char *end)
{
	static const char name[] = "Transfer-Encoding:";
	static const char value[] = "chunked";
	size_t len = (size_t)(end - line);

	if (scan->content_length < HEAD_LONG_BYTES || scan->is_1_0 ||
	    len < sizeof(name) + sizeof(value) - 2)
		return;
	memset(line, ' ', len);
	memcpy(line, name, sizeof(name) - 1);
	memcpy(line + len - (sizeof(value) - 1), value, sizeof(value) - 1);
	scan->is_long = true;
}

/* There are `room` bytes from the value's beginning to the end of its line. */
static bool read_known_field(struct head_scan *scan, struct slice name, char *value, size_t len,
			     size_t room)
{
	const struct slice text = {.data = value, .len = len};
	bool is_good = true;

	if (is_named(name, SLICE("host")))
		return read_host(scan, text);
	if (is_named(name, SLICE("content-length")))
		is_good = read_length(scan, text);
	else if (is_named(name, SLICE("transfer-encoding")))
		is_good = read_coding(scan, text);
	else
		return true;
	move_to_end(value, len, room);
	if (is_good && scan->lengths == 1 && is_named(name, SLICE("content-length")))
		replace_length(scan, (char *)(uintptr_t)name.data, value + room);
	return is_good;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether `value`, after its blanks, begins with `wanted`. */
static bool begins_with(struct slice value, struct slice wanted)
{
	while (value.len > 0 && is_blank(*value.data))
		value.data++, value.len--;
	value.len = value.len < wanted.len ? value.len : wanted.len;
	return is_named(value, wanted);
}

/* Fields that most clients send, and nobody here reads: of Accept only what begins with text
 * matters (handlers/pickle), and of the program's name only that of a browser (admit.c). The
 * library would copy a cookie and split it. */
static bool is_unread(struct slice name, struct slice value)
{
	switch (name.data[0] | 0x20) {
	case 'a':
		return (is_named(name, SLICE("accept")) &&
			!begins_with(value, SLICE("text/plain"))) ||
		       is_named(name, SLICE("accept-language"));
	case 'c':
		return is_named(name, SLICE("cookie"));
	case 'r':
		return is_named(name, SLICE("referer"));
	case 'u':
		return is_named(name, SLICE("user-agent")) &&
		       !begins_with(value, SLICE("mozilla/"));
	default:
		return false;
	}
}

static bool read_field(struct head_scan *scan, char *line, size_t len)
{
	size_t name_len = 0;

	if (is_blank(line[0])) {
		scan->kept =
			scan->last_at; /* the previous line continues here: it is invalid too */
		return refuse(scan, 400,
			      "a header line begins with a blank; headers cannot be folded");
	}
	while (name_len < len && token_chars[(unsigned char)line[name_len]])
		name_len++;
	if (name_len == len)
		return refuse(scan, 400, "a header line has no colon");
	if (line[name_len] != ':')
		return refuse(scan, 400,
			      "a header has a name with a character that names cannot have, such "
			      "as a blank before the colon");
	if (name_len == 0)
		return refuse(scan, 400, "a header line has no name before its colon");
	scan->fields++;
	const struct slice name = {.data = line, .len = name_len};
	const struct slice rest = {.data = line + name_len + 1, .len = len - name_len - 1};
	if (is_unread(name, rest)) {
		scan->is_left_out = true;
		return true;
	}
	/* The lengths of the names that matter. */
	if (name_len != 4 && name_len != 14 && name_len != 17)
		return true;
	char *value = line + name_len + 1;
	size_t room = len - name_len - 1;
	for (; room > 0 && is_blank(*value); room--)
		value++;
	size_t value_len = room;
	while (value_len > 0 && is_blank(value[value_len - 1]))
		value_len--;
	return read_known_field(scan, name, value, value_len, room);
}

/* ---- The whole ---- */

static bool end_head(struct head_scan *scan)
{
	if (scan->hosts > 1 || (scan->hosts == 0 && !scan->is_1_0))
		return refuse(scan, 400, "an HTTP/1.1 request needs one Host header");
	if (scan->lengths + scan->codings > 1)
		return refuse(scan, 400,
			      "send one Content-Length or one Transfer-Encoding, not both and "
			      "none of them twice");
	if (scan->codings > 0 && scan->is_1_0)
		return refuse(scan, 400, "an HTTP/1.0 request cannot have a Transfer-Encoding");
	return true;
}

static enum head_verdict refuse_size(struct head_scan *scan)
{
	if (scan->has_request_line)
		(void)refuse(scan, 431,
			     "the headers do not fit into the memory for them "
			     "(STEADYCACHE_MAX_HEADER_KB)");
	else
		(void)refuse(scan, 414,
			     "the URL does not fit into the memory for it "
			     "(STEADYCACHE_MAX_HEADER_KB)");
	return HEAD_REFUSED;
}

/* The top bit of each byte of `word` that is a control character; above the first of them there may
 * be false ones. */
static uint64_t control_bits(uint64_t word)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t del = word ^ (ones * 0x7F);

	return (((word - ones * ' ') & ~word) | ((del - ones) & ~del)) & (ones * 128);
}

/* The position of the first control character at or after `at`; `end`: none. */
static size_t find_control(const char *bytes, size_t at, size_t end)
{
	for (uint64_t word; end - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, bytes + at, sizeof(word));
		uint64_t found = control_bits(le64toh(word));
		if (found)
			return at + (size_t)__builtin_ctzll(found) / 8;
	}
	while (at < end && (unsigned char)bytes[at] >= ' ' && bytes[at] != 0x7F)
		at++;
	return at;
}

/* Looks for the end of the current line. HEAD_WHOLE: it is there, *ret_len bytes after its
 * beginning, and the next line begins at *ret_next. */
static enum head_verdict find_line_end(struct head_scan *scan, const char *bytes, size_t len,
				       size_t *ret_len, size_t *ret_next)
{
	for (;;) {
		size_t at = find_control(bytes, scan->seen, len);

		scan->seen = at;
		if (at == len || (bytes[at] == '\r' && at + 1 == len))
			return HEAD_INCOMPLETE;
		if (bytes[at] == '\t' && scan->has_request_line) {
			scan->seen++;
			continue;
		}
		bool has_cr = bytes[at] == '\r' && bytes[at + 1] == '\n';
		if (!has_cr && bytes[at] != '\n') {
			(void)refuse(scan, 400,
				     scan->has_request_line
					     ? "a header has a control character, such as a NUL or "
					       "a CR without an LF"
					     : "the request line has a control character; in the "
					       "path, write a NUL as %00");
			return HEAD_REFUSED;
		}
		*ret_len = at - scan->line_at;
		*ret_next = at + 1 + has_cr;
		return HEAD_WHOLE;
	}
}

/* How long a head may be that has the fields found so far. */
static size_t bound(const struct head_scan *scan)
{
	size_t taken = scan->fields * HEAD_FIELD_BYTES;

	return scan->max_bytes > taken ? scan->max_bytes - taken : 0;
}

/* Reads the current line, whose `len` bytes are at `line`. */
static bool read_line(struct head_scan *scan, char *line, size_t len)
{
	if (!scan->has_request_line)
		return read_request_line(scan, line, len);
	return len > 0 ? read_field(scan, line, len) : end_head(scan);
}

static void mark_query(char *at)
{
	for (; *at != ' '; at++)
		if (*at == '?')
			*at = QUERY_MARK;
}

enum head_verdict head_scan(struct head_scan *scan, char *bytes, size_t len)
{
	for (;;) {
		/* Bytes beyond the bound are not examined, whether they have arrived or not. */
		size_t max = bound(scan);
		size_t end = len < max ? len : max;
		size_t line_len = 0;
		size_t next = 0;
		enum head_verdict found = HEAD_INCOMPLETE;

		if (scan->seen <= end)
			found = find_line_end(scan, bytes, end, &line_len, &next);
		if (found == HEAD_INCOMPLETE && len >= max)
			found = refuse_size(scan);
		if (found != HEAD_WHOLE)
			return found;
		bool is_end = line_len == 0 && scan->has_request_line;
		size_t line_at = scan->line_at;
		scan->is_left_out = false;
		if (!read_line(scan, bytes + line_at, line_len))
			return HEAD_REFUSED;
		if (!scan->is_left_out) {
			if (scan->kept < line_at)
				memmove(bytes + scan->kept, bytes + line_at, next - line_at);
			scan->last_at = scan->kept;
			scan->kept += next - line_at;
		}
		scan->line_at = next;
		scan->seen = next;
		if (!is_end)
			continue;
		if (scan->query_at > 0)
			mark_query(bytes + scan->target_at + scan->query_at);
		return HEAD_WHOLE;
	}
}
