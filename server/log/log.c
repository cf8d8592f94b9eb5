#include "server/log/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "server/log/log_writer.h"

#define LEVELS (sizeof(level_names) / sizeof(level_names[0]))

_Atomic enum log_level log_least_level = LOG_INFO;
static enum log_level configured_level = LOG_INFO;
static bool as_json;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(const char *level, bool json)
{
	as_json = json;
	configured_level = LOG_INFO;
	if (strcasecmp(level, "debug") == 0)
		configured_level = LOG_DEBUG;
	else if (strncasecmp(level, "warn", 4) == 0)
		configured_level = LOG_WARN;
	else if (strcasecmp(level, "error") == 0 || strcasecmp(level, "critical") == 0)
		configured_level = LOG_ERROR;
	atomic_store(&log_least_level, configured_level);
}

const char *log_level_name(void)
{
	return level_names[atomic_load_explicit(&log_least_level, memory_order_relaxed)];
}

const char *log_configured_level_name(void)
{
	return level_names[configured_level];
}

bool log_change_level(const char *name)
{
	size_t level = name ? 0 : configured_level;

	while (name && level < LEVELS && strcmp(name, level_names[level]) != 0)
		level++;
	if (level == LEVELS)
		return false;
	enum log_level before = atomic_exchange(&log_least_level, (enum log_level)level);
	if (before != level)
		log_line(LOG_WARN, "the log level has changed",
			 LOG_TEXT("from", level_names[before]), LOG_TEXT("to", level_names[level]));
	return true;
}

/* What a field takes besides its name: separators, quotes, a number or an empty text. */
#define FIELD_BYTES 32

/* A line under construction. What does not fit is left out: the rest of a text, or a whole field,
 * so that the line can still be parsed. Two bytes are kept for the end. */
struct line {
	size_t len;
	char text[LOG_LINE_BYTES];
};

static size_t room(const struct line *line)
{
	return LOG_LINE_BYTES - 4 - line->len;
}

static void put(struct line *line, const char *text, size_t len)
{
	if (len > room(line))
		len = room(line);
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

/* Length of the character of valid UTF-8 that begins with `c`. */
static size_t character_len(unsigned char c)
{
	if (c < 0xC0)
		return 1;
	return c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static void put_quoted(struct line *line, const char *text)
{
	bool valid = utf8_is_valid(slice_of(text));

	put(line, "\"", 1);
	while (*text) {
		unsigned char c = (unsigned char)*text;
		size_t taken = 1;
		char piece[8] = {(char)c};
		size_t len = 1;

		if (c == '"' || c == '\\') {
			piece[0] = '\\';
			piece[1] = (char)c;
			len = 2;
		} else if (c < 0x20 || c == 0x7F || (c > 0x7F && !valid)) {
			len = (size_t)snprintf(piece, sizeof(piece), "\\u%04x", c);
		} else {
			len = taken = character_len(c);
			memcpy(piece, text, len);
		}
		if (len + 1 > room(line)) /* the closing quote always fits */
			break;
		put(line, piece, len);
		text += taken;
	}
	put(line, "\"", 1);
}

static void put_name(struct line *line, const char *name)
{
	if (as_json) {
		put(line, line->len > 1 ? "," : "", line->len > 1 ? 1 : 0);
		put_quoted(line, name);
		put(line, ":", 1);
	} else {
		put(line, " ", line->len > 0 ? 1 : 0);
		put(line, name, strlen(name));
		put(line, "=", 1);
	}
}

static void put_text(struct line *line, const char *name, const char *text)
{
	bool plain = *text != '\0' && strcspn(text, " \"=\\") == strlen(text) &&
		     utf8_is_json_plain(slice_of(text));

	put_name(line, name);
	if (plain && !as_json)
		put(line, text, strlen(text));
	else
		put_quoted(line, text);
}

static void put_fields(struct line *line, const struct log_field *fields)
{
	char text[32];

	for (const struct log_field *field = fields; field->name; field++) {
		if (room(line) < strlen(field->name) + FIELD_BYTES)
			continue;
		if (field->text) {
			put_text(line, field->name, field->text);
		} else {
			put_name(line, field->name);
			int digits = snprintf(text, sizeof(text), "%" PRId64, field->number);
			put(line, text, (size_t)digits);
		}
	}
}

static void compose(struct line *line, enum log_level level, const char *message,
		    const struct log_field *fields)
{
	char text[64];
	struct timespec now;
	struct tm date;

	line->len = 0;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &date);
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &date);
	(void)snprintf(text + len, sizeof(text) - len, ".%03ldZ", now.tv_nsec / 1000000);
	if (as_json)
		put(line, "{", 1);
	put_text(line, "time", text);
	put_text(line, "level", level_names[level]);
	put_text(line, "msg", message);
	put_fields(line, fields);
	if (as_json)
		line->text[line->len++] = '}';
	line->text[line->len++] = '\n';
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	struct line line;

	if (!log_is_on(level))
		return;
	compose(&line, level, message, fields);
	log_writer_put(line.text, line.len);
}

/* ---- From the start of the server to its end ---- */

/* How long the end of the process waits for a reader of the log. */
#define LAST_LINES_MS 1000

static size_t compose_dropped(char *ret_line, uint64_t dropped)
{
	struct line line;

	compose(&line, LOG_WARN, "lines of the log could not be written and were dropped",
		(const struct log_field[]){LOG_NUMBER("dropped", dropped), {0}});
	memcpy(ret_line, line.text, line.len);
	return line.len;
}

void log_start(void)
{
	if (!log_writer_start(compose_dropped))
		log_line(LOG_WARN, "no thread can be started for the log: who reads it slowly "
				   "slows the server down");
}

void log_stop(const char *last_words)
{
	char line[LOG_LINE_BYTES];

	if (last_words) {
		int len = snprintf(line, sizeof(line), "steadycache: %s", last_words);
		size_t kept = (size_t)len < sizeof(line) - 1 ? (size_t)len : sizeof(line) - 2;

		line[kept] = '\n';
		log_writer_put(line, kept + 1);
	}
	log_writer_stop(LAST_LINES_MS);
}
