/* What an import says. */
#ifndef STEADYCACHE_STEADYTEXT_IMPORT_TELL_H
#define STEADYCACHE_STEADYTEXT_IMPORT_TELL_H

#include "steadytext/import.h"

/* "NAME: ..."; bytes of `name` that are not visible ASCII are shown as '?'. */
void steadytext_import_tell(const struct steadytext_import *import, enum steadytext_level level,
			    const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
