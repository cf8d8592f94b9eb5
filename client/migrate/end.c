#include "client/migrate/end.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>

bool migrate_fail(struct migrate_failure *failure, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
	failure->code = code;
	failure->is_passing = false;
	failure->retry_after_s = 0;
	return false;
}

bool migrate_selects(const struct migrate_selection *selection, const char *ns)
{
	for (size_t i = 0; i < selection->glob_count; i++)
		if (fnmatch(selection->globs[i], ns, 0) == 0)
			return true;
	return selection->glob_count == 0;
}
