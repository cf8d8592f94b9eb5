/* The dialect of the original Worker, POST /api/... */
#ifndef STEADYCACHE_D1_API_H
#define STEADYCACHE_D1_API_H

#include "backends/remote/protocol.h"

extern const struct remote_dialect d1_api_dialect;

/* Why a Worker that speaks only this dialect, or an old one of ours, keeps no reference. */
#define D1_NO_REFERENCES                                                                           \
	"this D1 Worker keeps no large values; deploy the Worker of this version of steadycache"
/* The same of a compressed value. */
#define D1_NO_COMPRESSION                                                                          \
	"this D1 Worker keeps no compressed values; deploy the Worker of this version of "         \
	"steadycache, or set the compression of the namespace to none"

#endif
