#include "steadytext/mark.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_out.h"

#define REMOVABLE "\"removable\":true"

static bool is_pkl(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".pkl") == 0;
}

bool steadytext_mark_key(int dir, const char *name, char ret[STEADYTEXT_MARK_KEY_SIZE],
			 char *reason, size_t reason_size)
{
	struct statx found;
	char birth[48];
	char content[72] = "";

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) {
		(void)snprintf(reason, reason_size, "cannot be looked at: %m");
		return false;
	}
	if (!S_ISREG(found.stx_mode)) {
		(void)snprintf(reason, reason_size, "%s",
			       S_ISLNK(found.stx_mode) ? "is a symbolic link: it is not followed"
						       : "is no regular file");
		return false;
	}
	if (found.stx_mask & STATX_BTIME)
		(void)snprintf(birth, sizeof(birth), "%lld.%09u", (long long)found.stx_btime.tv_sec,
			       found.stx_btime.tv_nsec);
	else
		(void)snprintf(birth, sizeof(birth), "%u:%u", found.stx_dev_major,
			       found.stx_dev_minor);
	if (is_pkl(name))
		(void)snprintf(content, sizeof(content), " %llu %lld.%09u",
			       (unsigned long long)found.stx_size,
			       (long long)found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec);
	(void)snprintf(ret, STEADYTEXT_MARK_KEY_SIZE, "%s %llu %s%s", name,
		       (unsigned long long)found.stx_ino, birth, content);
	return true;
}

void steadytext_mark_write(const struct steadytext_mark *mark, struct buffer *ret)
{
	time_t seconds = (time_t)(mark->imported_us / US_PER_S);
	struct tm time = {0};
	char text[32] = "";

	if (gmtime_r(&seconds, &time))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &time);
	buffer_append(ret, SLICE("{\"file\":"));
	json_out_string(ret, slice_of(mark->name));
	buffer_printf(ret,
		      ",\"imported_at\":\"%s\",\"entries\":%" PRIu64 ",\"kept\":%" PRIu64
		      ",\"skipped\":%" PRIu64 ",\"evicted\":%" PRIu64 ",%s}",
		      text, mark->entries, mark->kept, mark->skipped, mark->evicted,
		      mark->is_removable ? REMOVABLE : "\"removable\":false");
}

bool steadytext_mark_is_removable(struct slice text)
{
	return text.len > 0 && memmem(text.data, text.len, REMOVABLE, strlen(REMOVABLE));
}
