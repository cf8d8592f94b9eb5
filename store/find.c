#include "store/find.h"

#include <string.h>

const struct backend_ops *backend_find(const char *name)
{
	for (size_t i = 0; backend_registry[i]; i++)
		if (strcmp(backend_registry[i]->name, name) == 0)
			return backend_registry[i];
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
