#include "client/output.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "client/client.h"
#include "client/command.h"

bool output_write(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t written = write(fd, bytes.data, bytes.len);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			bytes.data += written;
			bytes.len -= (size_t)written;
		}
	}
	return true;
}

int output_failed(const char *name)
{
	if (errno == EPIPE) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	return client_fail(CLIENT_LOCAL, "cannot write to %s: %s", name, strerror(errno));
}

int output_finish(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLIENT_DONE;
	return output_failed("the standard output");
}

/* How many bytes at `at` make one character of UTF-8 that does not control the terminal; 0: none.
 */
static size_t printable_len(const unsigned char *at, size_t left)
{
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (len == 0 || len > left || at[0] > 0xf4)
		return 0;
	if (len == 1)
		return at[0] >= 0x20 && at[0] != 0x7f;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, overlong forms, surrogates, beyond U+10FFFF. */
	if ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xe0 && at[1] < 0xa0) ||
	    (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

void output_escaped(FILE *out, struct slice text)
{
	for (size_t i = 0; i < text.len;) {
		const unsigned char *at = (const unsigned char *)text.data + i;
		size_t len = printable_len(at, text.len - i);

		if (len == 0)
			(void)fprintf(out, "\\x%02X", *at);
		else if (*at == '\\')
			(void)fputs("\\\\", out);
		else
			(void)fwrite(at, 1, len, out);
		i += len ? len : 1;
	}
}

const char *output_size(double bytes, char ret[16])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	while (bytes >= 1024 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(ret, 16, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return ret;
}
