#include "store/notice.h"

#include <stdarg.h>
#include <stdio.h>

void notice_send(const struct backend_config *config, enum notice_level level, const char *format,
		 ...)
{
	char sentence[512];
	va_list args;

	if (!config->notice)
		return;
	va_start(args, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	config->notice(config->notice_user, level, sentence);
}
