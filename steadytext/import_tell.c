#include "steadytext/import_tell.h"

#include <stdarg.h>
#include <stdio.h>

void steadytext_import_tell(const struct steadytext_import *import, enum steadytext_level level,
			    const char *name, const char *format, ...)
{
	char sentence[2 * STEADYTEXT_REASON_SIZE];
	int len = snprintf(sentence, sizeof(sentence), "%.200s: ", name);
	va_list args;

	for (char *at = sentence; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	va_start(args, format);
	(void)vsnprintf(sentence + len, sizeof(sentence) - (size_t)len, format, args);
	va_end(args);
	import->tell(import->user, level, sentence);
}
