#include "store/find.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/words.h"

const struct backend_ops *backend_find(const char *name)
{
	for (size_t i = 0; backend_registry[i]; i++)
		if (strcmp(backend_registry[i]->name, name) == 0)
			return backend_registry[i];
	return NULL;
}

/* The scheme at the start of `text`, with a colon at its end if it needs no slashes; 0: there is
 * none that could be one. */
static size_t read_scheme(const char *text, bool is_short, char *ret, size_t size)
{
	size_t len = strcspn(text, ":");
	bool has_slashes = strncmp(text + len, "://", 3) == 0;

	if (text[len] != ':' || len + 2 > size || (!has_slashes && !is_short))
		return 0;
	(void)snprintf(ret, size, "%.*s", (int)(is_short ? len + 1 : len), text);
	return len + (has_slashes ? 3 : 1);
}

/* The backend of a URL, and how long its scheme is there. */
static const struct backend_ops *find_by_url(const char *text, size_t *ret_len)
{
	for (size_t i = 0; backend_registry[i]; i++) {
		const struct backend_ops *ops = backend_registry[i];
		char scheme[32];

		for (int is_short = 0; ops->schemes && is_short < 2; is_short++) {
			*ret_len = read_scheme(text, is_short, scheme, sizeof(scheme));
			if (*ret_len > 0 && words_hold_in_any_case(ops->schemes, scheme))
				return ops;
		}
	}
	return NULL;
}

size_t backend_scheme_len(const char *text)
{
	size_t len = 0;
	const char *colon = strstr(text, "://");

	if (find_by_url(text, &len))
		return len;
	return colon ? (size_t)(colon - text) + 3 : 0;
}

const struct backend_ops *backend_find_by_text(const char *text)
{
	size_t len = 0;

	for (size_t i = 0; backend_registry[i]; i++)
		if (strcasecmp(backend_registry[i]->name, text) == 0)
			return backend_registry[i];
	return find_by_url(text, &len);
}

const struct backend_ops *backend_find_by_bits(unsigned with, unsigned without)
{
	for (size_t i = 0; backend_registry[i]; i++)
		if ((backend_registry[i]->bits & with) == with &&
		    !(backend_registry[i]->bits & without))
			return backend_registry[i];
	return NULL;
}
