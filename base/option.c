#include "base/option.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/words.h"

static bool read_number(const struct option *option, bool whole, const char *source,
			const char *text, double *ret, char *error, size_t error_size)
{
	char *end = NULL;
	double number = strtod(text, &end);
	bool plain = *text != '\0' && strspn(text, "-0123456789.") == strlen(text);

	if (!plain || *end != '\0' || !(number >= option->min && number <= option->max) ||
	    (whole && number != trunc(number))) {
		(void)snprintf(error, error_size, "%s must be a %s from %g to %.15g, not \"%s\"",
			       source, whole ? "whole number" : "number", option->min, option->max,
			       text);
		return false;
	}
	*ret = number;
	return true;
}

static bool set_number(const struct option *option, void *target, const char *source,
		       const char *text, char *error, size_t error_size)
{
	bool whole = option->type == OPTION_WHOLE || option->type == OPTION_MEGABYTES;
	double number;

	if (!read_number(option, whole, source, text, &number, error, error_size))
		return false;
	if (option->type == OPTION_WHOLE)
		*(long long *)target = (long long)number;
	else if (option->type == OPTION_MEGABYTES)
		*(uint64_t *)target = (uint64_t)number << 20;
	else if (option->type == OPTION_SECONDS)
		*(int64_t *)target = (int64_t)(number * (double)US_PER_S);
	else
		*(double *)target = number;
	return true;
}

static bool set_switch(bool *target, const char *source, const char *text, char *error,
		       size_t error_size)
{
	*target = words_hold_in_any_case("1 true yes on", text);
	if (*target || *text == '\0' || words_hold_in_any_case("0 false no off", text))
		return true;
	(void)snprintf(error, error_size, "%s must be 1 or 0, not \"%s\"", source, text);
	return false;
}

/* Whether `text` is a URL with a scheme that is among `choices`. */
static bool is_url_of(const char *choices, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) + 1 : 0;
	char scheme[32];

	if (!colon || len + 3 > sizeof(scheme))
		return false;
	(void)snprintf(scheme, sizeof(scheme), "%.*s", (int)len, text);
	if (words_hold_in_any_case(choices, scheme))
		return true;
	(void)snprintf(scheme + len, sizeof(scheme) - len, "//");
	return strncmp(colon, "://", 3) == 0 && words_hold_in_any_case(choices, scheme);
}

/* `source` is a flag or the name of a variable. */
static bool add_to_list(struct option_list *list, const char *source, const char *text, char *error,
			size_t error_size)
{
	bool is_flag = source[0] == '-';

	if (is_flag != list->are_flags)
		list->count = 0;
	list->are_flags = is_flag;
	if (list->count < OPTION_LIST_MAX) {
		list->texts[list->count++] = text;
		return true;
	}
	(void)snprintf(error, error_size, "%s may be given %d times", source, OPTION_LIST_MAX);
	return false;
}

bool option_set(const struct option *option, void *settings, const char *source, const char *text,
		char *error, size_t error_size)
{
	void *target = (char *)settings + option->offset;

	switch (option->type) {
	case OPTION_WHOLE:
	case OPTION_NUMBER:
	case OPTION_MEGABYTES:
	case OPTION_SECONDS:
		return set_number(option, target, source, text, error, error_size);
	case OPTION_SWITCH:
		return set_switch(target, source, text, error, error_size);
	case OPTION_CHOICE:
		if (!words_hold_in_any_case(option->choices, text) &&
		    !is_url_of(option->choices, text)) {
			/* Behind it may be a password. */
			const char *rest = strstr(text, "://"), *at = strchr(text, '@');

			rest = rest ? rest : at ? text : NULL;

			(void)snprintf(error, error_size, "%s must be one of: %s; not \"%.*s\"",
				       source, option->choices,
				       (int)(rest ? (size_t)(rest - text) : strlen(text)), text);
			return false;
		}
		*(const char **)target = text;
		return true;
	case OPTION_LIST:
		return add_to_list(target, source, text, error, error_size);
	case OPTION_TEXT:
		*(const char **)target = text;
		if (*text != '\0')
			return true;
		(void)snprintf(error, error_size, "%s is empty; unset it or give it a value",
			       source);
		return false;
	}
	return false;
}
