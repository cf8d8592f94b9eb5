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

const struct backend_ops *backend_find_by_text(const char *text)
{
	const char *colon = strstr(text, "://");
	char scheme[32];

	(void)snprintf(scheme, sizeof(scheme), "%.*s", colon ? (int)(colon - text) : 0, text);
	for (size_t i = 0; backend_registry[i]; i++) {
		const struct backend_ops *ops = backend_registry[i];

		if (colon ? ops->schemes && words_hold_in_any_case(ops->schemes, scheme)
			  : strcasecmp(ops->name, text) == 0)
			return ops;
	}
	return NULL;
}

const struct backend_ops *backend_find_by_bits(unsigned with, unsigned without)
{
	for (size_t i = 0; backend_registry[i]; i++)
		if ((backend_registry[i]->bits & with) == with &&
		    !(backend_registry[i]->bits & without))
			return backend_registry[i];
	return NULL;
}
