#include "backends/large/disk.h"

#include <errno.h>
#include <stddef.h>

enum cache_status disk_status(int error, const char **ret_detail)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		*ret_detail = "no space left on the volume of large values (--large-values); free "
			      "some space";
		return CACHE_NO_SPACE;
	case EROFS:
	case EACCES:
	case EPERM:
		*ret_detail = "the folder of large values (--large-values) cannot be written; make "
			      "it writable for the server";
		return CACHE_READ_ONLY;
	case EFBIG:
		*ret_detail = "the file system of large values, or the server's limit of file "
			      "sizes (ulimit -f), allows no file of that size";
		return CACHE_TOO_LARGE;
	case EMFILE:
	case ENFILE:
		*ret_detail = "the server has too many open files; raise its limit (ulimit -n)";
		return CACHE_UNAVAILABLE;
	case ENOLCK:
	case ENOSYS:
	case EOPNOTSUPP:
		*ret_detail = "the file system of large values (--large-values) gives no locks, "
			      "without which servers cannot share it; mount it with locks";
		return CACHE_UNAVAILABLE;
	case ENOMEM:
		*ret_detail = NULL;
		return CACHE_NO_MEMORY;
	case ENOENT:
	case ENOTDIR:
		*ret_detail = "the folder of large values (--large-values) is gone; restore it, or "
			      "start the server again";
		return CACHE_UNAVAILABLE;
	default:
		*ret_detail = "the disk of large values (--large-values) fails; the system's log "
			      "tells more";
		return CACHE_UNAVAILABLE;
	}
}
