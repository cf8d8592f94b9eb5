/* Options of a module. A module lists its own, one row a line, beside the struct of settings that
 * they fill; a program builds its command line, help and environment from such tables. */
#ifndef STEADYCACHE_BASE_OPTION_H
#define STEADYCACHE_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>

/* Each with the type of the settings' member. */
enum option_type {
	OPTION_TEXT,      /* const char *; NULL: unset */
	OPTION_CHOICE,    /* const char *, one of `choices` in any case, or a URL */
	OPTION_SWITCH,    /* bool */
	OPTION_WHOLE,     /* long long */
	OPTION_NUMBER,    /* double */
	OPTION_MEGABYTES, /* uint64_t, bytes; written as a whole number of MB */
	OPTION_SECONDS,   /* int64_t, microseconds; written as a number of seconds */
	OPTION_LIST,      /* struct option_list */
};

/* What was given several times. Flags replace what the environment has, where blanks and newlines
 * separate the words of the one text. */
#define OPTION_LIST_MAX 64
struct option_list {
	const char *texts[OPTION_LIST_MAX];
	size_t count;
	bool are_flags; /* one each; else words */
};

struct option {
	const char *flag; /* without the dashes; NULL: environment only, a secret */
	const char *env;  /* own name first, then other programs' names, blank-separated */
	enum option_type type;
	size_t offset;        /* in the settings */
	const char *fallback; /* default, as text; NULL: unset */
	double min, max;      /* of numbers, in the unit of their text */
	const char *choices;  /* of OPTION_CHOICE: blank-separated; one that ends with "://" or
				 ":" stands for all URLs of that scheme */
	const char *help;     /* one sentence */
};

/* Rows. They fill a member of OPTION_SETTINGS, which the file of the rows defines. */
#define OPTION_ROW(a_type, member, a_flag, an_env)                                                 \
	.flag = (a_flag), .env = (an_env), .type = (a_type),                                       \
	.offset = offsetof(OPTION_SETTINGS, member)
#define ROW_TEXT(member, flag, env, a_fallback, a_help)                                            \
	{                                                                                          \
		OPTION_ROW(OPTION_TEXT, member, flag, env), .fallback = (a_fallback),              \
							    .help = (a_help)                       \
	}
#define ROW_LIST(member, flag, env, a_help)                                                        \
	{                                                                                          \
		OPTION_ROW(OPTION_LIST, member, flag, env), .help = (a_help)                       \
	}
#define ROW_CHOICE(member, flag, env, a_fallback, the_choices, a_help)                             \
	{                                                                                          \
		OPTION_ROW(OPTION_CHOICE, member, flag, env),                                      \
			.fallback = (a_fallback), .choices = (the_choices), .help = (a_help)       \
	}
#define ROW_SWITCH(member, flag, env, a_help)                                                      \
	{                                                                                          \
		OPTION_ROW(OPTION_SWITCH, member, flag, env), .fallback = "0", .help = (a_help)    \
	}
#define ROW_OF_NUMBER(type, member, flag, env, a_fallback, the_min, the_max, a_help)               \
	{                                                                                          \
		OPTION_ROW(type, member, flag, env), .fallback = (a_fallback), .min = (the_min),   \
						     .max = (the_max), .help = (a_help)            \
	}
#define ROW_WHOLE(...)     ROW_OF_NUMBER(OPTION_WHOLE, __VA_ARGS__)
#define ROW_NUMBER(...)    ROW_OF_NUMBER(OPTION_NUMBER, __VA_ARGS__)
#define ROW_MEGABYTES(...) ROW_OF_NUMBER(OPTION_MEGABYTES, __VA_ARGS__)
#define ROW_SECONDS(...)   ROW_OF_NUMBER(OPTION_SECONDS, __VA_ARGS__)

/* A largest number: far from overflow, and far beyond any use. */
#define OPTION_LARGE 1e9

struct option_table {
	const char *after; /* the program's own flag after which these are listed */
	const struct option *rows;
	size_t count;
	size_t settings_size; /* of the struct that they fill, which is zeroed before */
};

/* Sets one option of `settings` from text; false with a line in `error`. `source` is what the user
 * wrote: the flag or the name of the variable. */
bool option_set(const struct option *option, void *settings, const char *source, const char *text,
		char *error, size_t error_size);

#endif
