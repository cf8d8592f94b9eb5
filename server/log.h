/* The log: one line an event on stderr, logfmt or JSON. Never a cache key, a value or a token. */
#ifndef STEADYCACHE_SERVER_LOG_H
#define STEADYCACHE_SERVER_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* A further field of a line. */
struct log_field {
	const char *name; /* NULL ends a list of fields */
	const char *text; /* NULL: the number counts */
	int64_t number;
};

#define LOG_TEXT(field, value)   ((struct log_field){.name = (field), .text = (value)})
#define LOG_NUMBER(field, value) ((struct log_field){.name = (field), .number = (int64_t)(value)})

/* To be called before threads start. Level names as in the option table ("warning" is "warn"). */
void log_configure(const char *level, bool json);

/* Whether lines of this level are written at all. */
bool log_is_on(enum log_level level);

/* Writes one line with one write(2). Any thread. Hostile text is quoted and escaped. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_line(LOG_INFO, "listening", LOG_TEXT("address", text)) */
#define log_line(level, message, ...)                                                              \
	log_write(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

#endif
